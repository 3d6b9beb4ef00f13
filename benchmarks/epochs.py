"""Runs a search over a recorded table epoch by epoch, on several workers. Each peer's environment imports this."""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from benchmarks.problems import Point, Problem


class Tuner(Protocol):
    """A search that may stop a trial after an epoch."""

    def ask(self, number: int) -> Point:
        """Returns what trial `number` tries."""

    def report(self, number: int, epoch: int, loss: float) -> bool:
        """Takes the loss after an epoch; returns whether to stop the trial."""

    def end(self, number: int, losses: Sequence[float]) -> None:
        """Takes all losses of a trial that is over, stopped or not."""


class Outcome(NamedTuple):
    """What a search cost and found.

    Attributes:
        epochs: How many epochs ran.
        regret: How far the best loss of all is from the table's least one.
        stopped: How many trials a rule stopped.
    """

    epochs: int
    regret: float
    stopped: int


def simulate(
    problem: Problem, tuner: Tuner, *, seed: int, workers: int, trials: int | None = None, epochs: int | None = None
) -> Outcome:
    """Runs trials on workers. An epoch of a trial takes 0.5 to 1.5 units of time, the same for all its epochs.

    Args:
        problem: The table.
        tuner: Proposes points and stops trials.
        seed: Of the times.
        workers: How many trials run at the same time.
        trials: How many trials to run; None for no limit.
        epochs: How many epochs to run; None for no limit.
    """
    spent, best, stopped, started = 0, math.inf, 0, 0
    events: list[tuple[float, int]] = []
    running: dict[int, tuple[tuple[float, ...], list[float], float]] = {}

    def start(now: float) -> None:
        nonlocal started
        if started == (trials or math.inf):
            return
        started += 1
        curve, pace = problem.curve(tuner.ask(started)), 0.5 + random.Random(f"{seed}:{started}").random()
        running[started] = (curve, [], pace)
        heapq.heappush(events, (now + pace, started))

    for _ in range(workers):
        start(0.0)
    while events and spent != epochs:
        now, number = heapq.heappop(events)
        curve, losses, pace = running[number]
        losses.append(curve[len(losses)])
        spent, best = spent + 1, min(best, losses[-1])
        over = len(losses) == len(curve)
        ends_early = tuner.report(number, len(losses), losses[-1]) and not over
        if over or ends_early:
            stopped += ends_early
            tuner.end(number, losses)
            start(now)
        else:
            heapq.heappush(events, (now + pace, number))
    return Outcome(spent, best - problem.optimum, stopped)
