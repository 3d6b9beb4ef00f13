"""The base classes of stopping rules: one for rules that end a trial, one for rules that end the study."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Annotated, ClassVar

from pydantic import Field

from kftune.spec.part import Part
from kftune.spec.quantities import NO_BOOL
from kftune.stopping.history import Histories

Reports = Annotated[int, Field(ge=1), NO_BOOL]
"""A number of reports, from 1."""

Delay = Annotated[int, Field(ge=0), NO_BOOL]
"""A number of reports, from 0."""


class TrialRule(Part, ABC):
    """Ends trials that are not worth the rest of their time. Its fields are its settings in a study.

    Attributes:
        kind: The key in a study's `stopping`.
        counts: Whether the value that a stopped trial has reached counts as its result. If not, the trial cannot be the
            best one, and the algorithm hears that it has no result.
    """

    kind: ClassVar[str]
    counts: ClassVar[bool] = True

    @abstractmethod
    def judge(self, trial: int, histories: Histories) -> str:
        """Returns why a trial should stop now; empty while it may go on.

        It is called after each report of the metric that the rule watches, so the last report of the trial is the new
        one. The answer depends on the arguments only.

        Args:
            trial: The number of the trial.
            histories: What all trials have reported so far, this report included.
        """

    @property
    def watches(self) -> str | None:
        """The metric after whose reports the rule judges; None for the objective."""
        return None


class StudyRule(Part, ABC):
    """Ends the study. Its fields are its settings in a study.

    Attributes:
        kind: The key in a study's `stopping`.
    """

    kind: ClassVar[str]

    @abstractmethod
    def over(self, histories: Histories) -> str:
        """Returns why the study is over; empty while it is not.

        It is called when a trial has ended. The answer depends on the argument only.

        Args:
            histories: What all trials have reported so far.
        """


def is_due(count: int, interval: int, delay: int) -> bool:
    """Whether a policy is applied at a report.

    Args:
        count: The number of the report, from 1.
        interval: It is applied at multiples of this number.
        delay: It is not applied before this number.

    Source: Azure Machine Learning, early termination policies: evaluation_interval, delay_evaluation.
    """
    return count % interval == 0 and count >= delay
