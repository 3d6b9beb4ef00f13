"""Compares the model that kftune's own program trains with the hyperparameter class of the study."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from kftune.hparams.registry import name_of
from kftune.lint.rules.findings import finding
from kftune.lint.rules.rule import Finding
from kftune.study import Study
from kftune.study.trained import TrainedModel, trained_model


def model_findings(study: Study, folders: Sequence[Path]) -> list[Finding] | None:
    """Returns what is wrong with the model that a study's step names; None if its step runs another program.

    Args:
        study: The study.
        folders: Where modules and a project file are looked for.
    """
    model = trained_model(study.step, folders)
    return None if model is None else list(_findings(study, model))


def _findings(study: Study, model: TrainedModel) -> Iterator[Finding]:
    path = ("step", "args" if study.step.module else "command")
    own, trained = study.hparams, model.hparams
    if trained is None:
        yield finding("KT414", path, f"the first argument of kftune.training names the model: {model.problem}")
        return
    unknown = sorted({*study.argument_names} - {*trained.leaves()})
    if issubclass(own, trained) and not unknown:  # such a class only searches differently
        return
    message = f"the step trains {model.name}, which is of {name_of(trained)}, but the study searches {name_of(own)}"
    if unknown:
        lacking = f"{', '.join(unknown[:4])}{', …' if len(unknown) > 4 else ''}"
        yield finding("KT414", path, f"{message}: {name_of(trained)} has no {lacking}, and each trial fails")
    else:
        yield finding("KT414", path, f"{message}, and trials use the checks and defaults of the former", "wrong")
