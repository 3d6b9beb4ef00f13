"""`max_cost`: ends a study when its trials have cost too much."""

from __future__ import annotations

from typing import ClassVar

from kftune.spec.quantities import Money
from kftune.stopping.facts import StudyFacts
from kftune.stopping.rule import StudyRule

_HOUR = 3600.0


class MaxCost(StudyRule):
    """Ends the study when all its trials together have cost a sum. Trials that run are stopped then."""

    kind: ClassVar[str] = "max_cost"

    limit: Money
    """What all trials may cost, in any currency."""
    per_hour: Money
    """What one hour of one trial costs, in the same currency."""

    def over(self, study: StudyFacts) -> str:
        """Returns why the study is over; empty while it is not."""
        cost = study.trial_seconds / _HOUR * self.per_hour
        if cost < self.limit:
            return ""
        return f"the trials have cost {cost:.4g} of {self.limit:g} ({study.trial_seconds:.0f} s at {self.per_hour:g}/h)"

    def seconds_left(self, study: StudyFacts) -> float | None:
        """Returns after how many seconds the running trials have cost the rest; None while no trial runs."""
        left = self.limit / self.per_hour * _HOUR - study.trial_seconds
        return max(0.0, left / study.running) if study.running else None
