"""`Spending`: what the trials of all entities have cost so far, and when that is too much."""

from __future__ import annotations

import time
from collections.abc import Callable

from kftune.stopping.facts import StudyFacts
from kftune.stopping.history import Histories
from kftune.stopping.max_cost import MaxCost

_NO_HISTORIES = Histories("", minimize=True)


class Spending:
    """Adds up how long trials run, and asks the rule that limits their cost.

    Args:
        rule: The rule; without one nothing is counted.
        seconds: How long all trials of earlier runs took together.
        clock: The time in seconds.
    """

    def __init__(self, rule: MaxCost | None, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rule = rule
        self._seconds = seconds
        self._clock = clock
        self._at = clock()
        self._running = 0

    def over(self, running: int) -> bool:
        """Returns whether the trials have cost as much as they may. It is asked whenever one starts or ends.

        Args:
            running: How many run from now on.
        """
        return self._rule is not None and bool(self._rule.over(self._facts(running)))

    def seconds_left(self, running: int) -> float | None:
        """Returns after how many seconds they have; None if no time ends that.

        Args:
            running: How many run from now on.
        """
        return None if self._rule is None else self._rule.seconds_left(self._facts(running))

    def _facts(self, running: int) -> StudyFacts:
        now = self._clock()
        self._seconds += self._running * (now - self._at)
        self._at, self._running = now, running
        return StudyFacts(_NO_HISTORIES, (), self._seconds, running)
