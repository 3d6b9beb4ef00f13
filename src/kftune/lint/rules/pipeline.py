"""Rules for pipeline files."""

from __future__ import annotations

from kftune.lint.rules.rule import Rule, family

RULES = family(
    "kftune, pipeline files",
    Rule(
        code="KT410",
        severity="refused",
        title="An invalid pipeline",
        explanation="The pipeline file, or a study that it names, refers to something that does not exist, or its "
        "steps do not fit together, so kftune cannot render it.",
        remedy="fix the pipeline; kftune show FILE reports the same errors",
    ),
    Rule(
        code="KT411",
        severity="refused",
        title="A pipeline that a target cannot run",
        explanation="The pipeline is valid, but Kubeflow Pipelines or Argo Workflows cannot express what it "
        "describes. Lint tries the targets that the file names, or all targets if it names none.",
        remedy="follow the message, or remove the target if the file names another one",
        source="kftune, render targets",
    ),
    Rule(
        code="KT412",
        severity="advice",
        title="An unused parameter",
        explanation="The form that starts a run asks for the parameter, but no step, condition or loop refers to it, "
        "so its value has no effect. Often a step contains a constant instead of the reference.",
        remedy="refer to it (${parameters.NAME}), or remove it",
    ),
)
