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
)
