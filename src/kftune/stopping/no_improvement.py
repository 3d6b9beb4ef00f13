"""`no_improvement`: ends a study that does not get better."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from kftune.spec.quantities import NO_BOOL
from kftune.stopping.facts import StudyFacts
from kftune.stopping.rule import StudyRule


class NoImprovement(StudyRule):
    """Ends the study when its last trials have not been better than those before them.

    Trials without a value count too. While no trial has a value, the study goes on.
    """

    kind: ClassVar[str] = "no_improvement"
    short: ClassVar[str] = "trials"

    trials: Annotated[int, Field(ge=1), NO_BOOL]
    """The number of last trials in which the best value must have become better."""
    min_delta: Annotated[float, Field(ge=0), NO_BOOL] = 0.0
    """A change that is not greater than this is none."""

    def over(self, study: StudyFacts) -> str:
        """Returns why the study is over; empty while it is not."""
        minimize = study.histories.minimize
        pick = min if minimize else max
        before = [each.objective for each in study.ended[: -self.trials] if each.objective is not None]
        if not before:
            return ""
        earlier = pick(before)
        last = [each.objective for each in study.ended[-self.trials :] if each.objective is not None]
        best = pick([earlier, *last])
        if (earlier - best if minimize else best - earlier) > self.min_delta:
            return ""
        return f"the best {study.histories.objective} has been {earlier:g} for {self.trials} trials"
