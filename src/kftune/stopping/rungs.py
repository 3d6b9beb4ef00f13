"""Rungs of asynchronous successive halving, and the brackets that begin at different ones."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator
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
        return self._why(trial, histories, histories.of(trial).position_before, least=1)

    def waits(self, trial: int, histories: Histories, after: int) -> str:
        """Returns why a trial should wait at a rung that it has reached; empty while it may go on.

        A trial goes on if its value is among the best 1 / factor of all values that trials of its bracket have had when
        they reached the rung, its own included. While these are fewer than the factor, each of them waits.

        Args:
            trial: Its number.
            histories: What all trials have reported.
            after: Rungs up to this position do not count.

        Source: Li et al., A system for massively parallel hyperparameter tuning, algorithm 2 (get_job).
        """
        return self._why(trial, histories, after, least=0)

    def reached(self, trial: int, histories: Histories) -> int:
        """Returns the last rung that a trial has reached; 0 when it has reached none.

        Args:
            trial: Its number.
            histories: What all trials have reported.
        """
        return max(self.rungs(trial, histories.of(trial).position), default=0)

    def promotable(self, waiting: Iterable[int], histories: Histories) -> list[int]:
        """Returns which waiting trials may go on now: those at the highest rung first, of these the best first.

        Args:
            waiting: The numbers of those that have reached a rung; each waits at the last one.
            histories: What all trials have reported.

        Source: as `waits`.
        """
        columns: dict[tuple[int, int], list[float]] = {}
        sign, found = 1 if histories.minimize else -1, []
        for trial in waiting:
            place = rung, bracket = self.reached(trial, histories), self.bracket(trial)
            if place not in columns:
                reached = self._values(rung, bracket, histories)
                columns[place] = sorted(sign * value for _, value in reached)
            own = histories.of(trial).value_from(rung)
            if own is not None and bisect_left(columns[place], sign * own) < len(columns[place]) // self.factor:
                found.append((-rung, sign * own, trial))
        return [trial for _, _, trial in sorted(found)]

    def _values(self, rung: int, bracket: int, histories: Histories) -> Iterator[tuple[int, float]]:
        """Yields the trials of a bracket that have reached a rung, each with its value there."""
        for number, history in histories.all():
            value = history.value_from(rung)
            if value is not None and self.bracket(number) == bracket:
                yield number, value

    def _why(self, trial: int, histories: Histories, after: int, least: int) -> str:
        """Returns why a trial does not go on from a rung after a position; empty if it does.

        Args:
            trial: Its number.
            histories: What all trials have reported.
            after: The position.
            least: How many trials go on from a rung at least.
        """
        own, bracket = histories.of(trial), self.bracket(trial)
        for rung in self.rungs(trial, own.position):
            value = own.value_from(rung)
            if rung <= after or value is None:
                continue
            others = [each for number, each in self._values(rung, bracket, histories) if number != trial]
            better = sum(histories.better(each, value) for each in others)
            kept = max((len(others) + 1) // self.factor, least)
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
