"""`wall_clock`: ends a study after a time."""

from __future__ import annotations

from typing import ClassVar

from kftune.spec.quantities import Seconds
from kftune.stopping.facts import StudyFacts
from kftune.stopping.rule import StudyRule


class WallClock(StudyRule):
    """Ends the study after a time, all its runs together. It is the same as `budget.wall_clock`."""

    kind: ClassVar[str] = "wall_clock"
    short: ClassVar[str] = "limit"

    limit: Seconds
    """The longest duration of the study, on this machine."""

    def over(self, study: StudyFacts) -> str:
        """Returns why the study is over; empty while it is not."""
        return "" if study.seconds < self.limit else f"the study has taken {study.seconds:.0f} s of {self.limit:g} s"

    def seconds_left(self, study: StudyFacts) -> float | None:
        """Returns after how many seconds the study is over."""
        return max(0.0, self.limit - study.seconds)
