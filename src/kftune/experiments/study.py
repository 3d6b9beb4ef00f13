"""The study that an experiment list is: a grid over one choice, the preset, with their names as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from kftune.argv import Kinds
from kftune.domains import Choice
from kftune.experiments.entries import Experiment
from kftune.experiments.file import Experiments
from kftune.hparams import Hparams
from kftune.hparams.fields import kinds_of
from kftune.spec.derived import derived
from kftune.study import Algorithm, Budget, Step, Study
from kftune.study.targets import Targets

PRESET = "preset"
"""The searched hyperparameter."""


class Preset(Hparams):
    """Which experiment of a list a trial is."""

    preset: str
    """The name of the experiment."""


class PresetStudy(Study):
    """A study over the names of experiments. Its trials get the hyperparameters of the experiment with the name."""

    listed: type[Hparams] = Hparams
    """The class of the experiments."""
    texts: dict[str, dict[str, str]] = Field(default_factory=dict)
    """Name -> the texts of its hyperparameters."""

    @derived
    def kinds(self) -> Kinds:
        """What a command line has to know about the fields of the class."""
        return kinds_of(self.listed.leaves())

    def assignment(self, point: Mapping[str, Any]) -> dict[str, str]:
        """Returns the texts of a trial.

        Args:
            point: The name of the experiment.
        """
        return self.texts[point[PRESET]]


def study_of(listed: Experiments, chosen: Sequence[Experiment], step: Step, parallel: int) -> PresetStudy:
    """Returns the study of some experiments.

    Args:
        listed: The list.
        chosen: The experiments.
        step: What each of them runs.
        parallel: How many run at the same time.
    """
    file, names = listed.file, [each.name for each in chosen]
    return PresetStudy(
        name=listed.name,
        description=file.description,
        hparams=Preset,
        search={PRESET: Choice(*names)},
        objective=listed.objective,
        metrics=listed.metrics,
        algorithm=Algorithm(name="grid"),
        # One that fails does not end the others.
        budget=Budget(
            max_trials=len(names), parallel=parallel, max_failed=len(names), trial_timeout=file.trial_timeout
        ),
        step=step,
        targets=Targets(katib=file.katib),
        listed=file.hparams,
        texts={each.name: dict(each.texts) for each in chosen},
    )
