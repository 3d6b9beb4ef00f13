"""The base classes of stopping rules: one for rules that end a trial, one for rules that end the study."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Annotated, ClassVar

from pydantic import Field

from kftune.metrics.targets import TargetResult
from kftune.spec.part import Part
from kftune.spec.quantities import NO_BOOL
from kftune.stopping.facts import StudyFacts
from kftune.stopping.history import Histories, History
from kftune.stopping.rungs import Ladder

Reports = Annotated[int, Field(ge=1), NO_BOOL]
"""A number of reports, from 1."""

Delay = Annotated[int, Field(ge=0), NO_BOOL]
"""A number of reports, from 0."""


class TrialRule(Part, ABC):
    """Ends trials that are not worth the rest of their time. Its fields are its settings in a study.

    Attributes:
        kind: The key in a study's `stopping`.
        short: The field that a plain value sets.
        counts: Whether the value that a stopped trial has reached counts as its result. If not, the trial cannot be the
            best one, and the algorithm hears that it has no result.
    """

    kind: ClassVar[str]
    short: ClassVar[str] = ""
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

    @abstractmethod
    def can_judge(self, history: History) -> bool:
        """Whether a trial has come far enough for the rule to judge it at least once.

        Args:
            history: What the trial has reported of the metric that the rule watches.
        """

    @property
    def pauses_at(self) -> Ladder | None:
        """The rungs at which trials wait until they are among the best; None for a rule that ends trials only."""
        return None

    @property
    def watches(self) -> str | None:
        """The metric that the rule watches: it judges after each report of it. None for the objective."""
        return None


class StudyRule(Part, ABC):
    """Ends the study. Its fields are its settings in a study.

    Attributes:
        kind: The key in a study's `stopping`.
        short: The field that a plain value sets: `wall_clock: 6h` is `wall_clock: {limit: 6h}`.
    """

    kind: ClassVar[str]
    short: ClassVar[str] = ""

    @abstractmethod
    def over(self, study: StudyFacts) -> str:
        """Returns why the study is over; empty while it is not.

        It is called when a trial has ended, and when the time of `seconds_left` has passed. The answer depends on the
        argument only.

        Args:
            study: What is known of the study so far.
        """

    def seconds_left(self, study: StudyFacts) -> float | None:
        """Returns after how many seconds `over` can change without the end of a trial; None if it cannot.

        Args:
            study: What is known of the study so far.
        """
        return None

    def targets(self, study: StudyFacts) -> Sequence[TargetResult]:
        """Returns what the rule wants of the study, and whether it has it; for the result of the study.

        Args:
            study: What is known of the study so far.
        """
        return ()


def comes_due(count: int, interval: int, delay: int) -> bool:
    """Whether a policy is applied at a report or at one before it.

    Args:
        count: The number of the report, from 1.
        interval: It is applied at multiples of this number.
        delay: It is not applied before this number.
    """
    return count // interval * interval >= max(delay, 1)


def is_due(count: int, interval: int, delay: int) -> bool:
    """Whether a policy is applied at a report.

    Args:
        count: The number of the report, from 1.
        interval: It is applied at multiples of this number.
        delay: It is not applied before this number.

    Source: Azure Machine Learning, early termination policies: evaluation_interval, delay_evaluation.
    """
    return count % interval == 0 and count >= delay
