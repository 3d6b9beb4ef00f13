"""Rules for pipeline files."""

from __future__ import annotations

from kftune.lint.rules.rule import Rule

SOURCE = "kftune, pipeline files"

RULES = (
    Rule(
        code="KT410",
        severity="refused",
        title="An invalid pipeline",
        explanation="The file, or a study that it names, refers to something missing, or its steps do not fit.",
        remedy="fix the pipeline; kftune show FILE reports the same errors",
    ),
    Rule(
        code="KT411",
        severity="refused",
        title="A pipeline that a target cannot run",
        explanation="The pipeline is valid, but a target cannot express it. Lint tries the targets that the file "
        "names, or all targets if it names none.",
        remedy="follow the message, or remove the target if the file names another one",
        source="kftune, render targets",
    ),
    Rule(
        code="KT412",
        severity="advice",
        title="An unused parameter",
        explanation="The form that starts a run asks for it, but nothing uses its value. Often a step has a constant "
        "instead of the reference.",
        remedy="refer to it (${parameters.NAME}), or remove it",
    ),
    Rule(
        code="KT413",
        severity="advice",
        title="A schedule that meets a change of clocks",
        explanation="In zones with daylight saving time, Argo skips a run in the hour that the clocks leave out, and "
        "runs twice in the hour that they repeat.",
        remedy="choose an hour from 4 on, or the time zone UTC",
        source="argo-workflows, docs/cron-workflows.md",
    ),
)
