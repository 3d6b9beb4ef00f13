"""Rules for what a study, its hyperparameter class and its training script say differently."""

from __future__ import annotations

from kftune.lint.rule import Rule

RULES = (
    Rule(
        "KT400",
        "refused",
        "A study that kftune refuses",
        "The study file names what is not there, or its parts do not fit each other: no Experiment can be made of it.",
        "mend the study; kftune show FILE tells the same",
        "",
        "",
        "kftune, study files",
    ),
)
