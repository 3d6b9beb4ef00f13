"""Rules for pipeline files."""

from __future__ import annotations

from kftune.lint.rules.rule import Rule

RULES = (
    Rule(
        "KT410",
        "refused",
        "A pipeline that kftune refuses",
        "The pipeline file, or a study that it names, has what is not there, or its steps do not fit each other: "
        "nothing can be made of it.",
        "mend the pipeline; kftune show FILE tells the same",
        "",
        "",
        "kftune, pipeline files",
    ),
    Rule(
        "KT411",
        "refused",
        "A pipeline that a target cannot run",
        "The pipeline holds, and Kubeflow Pipelines or Argo Workflows has no way to do what it says. Where the file "
        "names targets, these are tried, else all.",
        "do as the message says, or take the target out of targets where another is named",
        "",
        "",
        "kftune, render targets",
    ),
    Rule(
        "KT412",
        "habit",
        "A parameter that nothing takes",
        "The form that starts a run asks for the parameter, and no step, condition or loop refers to it: whoever fills "
        "it in changes nothing. Most often a step has a constant where the reference was meant.",
        "refer to it (${parameters.NAME}), or take it out",
        "",
        "",
        "kftune, pipeline files",
    ),
)
