"""Rungs of asynchronous successive halving, and the brackets that begin at different ones."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import Annotated, NamedTuple

from pydantic import Field

from kftune.spec.quantities import NO_BOOL
from kftune.stopping.history import Histories

Resource = Annotated[int, Field(ge=1), NO_BOOL]
"""A position: a step that the script reports, or the number of a report."""

Factor = Annotated[int, Field(ge=2), NO_BOOL]
"""The factor between two rungs, and between the trials that reach a rung and the ones that continue."""

_GOLDEN = (math.sqrt(5) - 1) / 2


class Ladder(NamedTuple):
    """The rungs of a study."""

    first: int
    """The position of the first rung."""
    factor: int
    """The factor between two rungs."""
    last: int | None = None
    """No rung is at this position or after it; None for no limit."""
    brackets: int = 1
    """The trials are shared among so many brackets, each of which begins one rung later."""

    @property
    def most_brackets(self) -> int:
        """How many brackets there can be; in the last one trials run to their end, or are judged once.

        Source: Li et al., Hyperband, algorithm 1: floor(log(R / r) / log(factor)) + 1.
        """
        count, position = 1, self.first * self.factor
        while self.last is not None and position <= self.last:
            count, position = count + 1, position * self.factor
        return count

    def bracket(self, trial: int) -> int:
        """Returns the bracket of a trial, from 0.

        The share of each bracket is that of Hyperband: the more trials, the sooner it begins to stop them. Numbers are
        spread so that trials which run at the same time are in different brackets.

        Args:
            trial: Its number.

        Source: Li et al., Hyperband, algorithm 1: ceil(brackets * factor ** s / (s + 1)) trials.
        """
        return 0 if self.brackets == 1 else _bracket(trial, self.brackets, self.factor)

    def rungs(self, trial: int, up_to: int) -> Iterator[int]:
        """Yields the positions of a trial's rungs, in ascending order.

        Args:
            trial: Its number.
            up_to: The last position of interest.
        """
        position = self.first * self.factor ** self.bracket(trial)
        while position <= up_to and (self.last is None or position < self.last):
            yield position
            position *= self.factor

    def judge(self, trial: int, histories: Histories) -> str:
        """Returns why a trial should stop at the rung that its last report has reached; empty while it may continue.

        A trial continues if its value is among the best 1 / factor of all values that trials of its bracket have had
        when they reached this rung, its own included; while these are fewer than the factor, if it is the best.

        Args:
            trial: Its number.
            histories: What all trials have reported.

        Where a report leaps over several rungs, each of them compares the same trials, so it is one decision.

        Source: Optuna, SuccessiveHalvingPruner; Li et al., A system for massively parallel hyperparameter tuning.
        """
        own, bracket = histories.of(trial), self.bracket(trial)
        for rung in self.rungs(trial, own.position):
            if rung <= own.position_before:
                continue
            value = own.values[-1]
            others = [
                reached
                for number, history in histories.all()
                if number != trial
                and (reached := history.value_from(rung)) is not None
                and self.bracket(number) == bracket
            ]
            better = sum(histories.better(each, value) for each in others)
            kept = max((len(others) + 1) // self.factor, 1)
            if better >= kept:
                rest = "only the best continues" if kept == 1 else f"the best {kept} continue"
                return f"number {better + 1} of {len(others) + 1} at rung {rung} with {value:g}; {rest}"
        return ""


@lru_cache(1 << 16)
def _bracket(trial: int, brackets: int, factor: int) -> int:
    shares = [-(-brackets * factor**s // (s + 1)) for s in reversed(range(brackets))]
    place = (trial * _GOLDEN % 1) * sum(shares)
    for bracket, share in enumerate(shares):
        place -= share
        if place < 0:
            return bracket
    return brackets - 1
