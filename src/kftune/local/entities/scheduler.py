"""Distributes places among the studies of several entities, in one thread that waits in one `select` only.

The order is fair: each entity gets its second trial when all have had their first one. The work for each trial does not
grow with the number of entities.
"""

from __future__ import annotations

import heapq
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Literal, NamedTuple

from kftune.local.entities.part import EntityRun
from kftune.local.processes.interrupts import Interrupts
from kftune.local.processes.limits import files_left
from kftune.local.processes.listener import Listener
from kftune.local.study.progress import Reason
from kftune.local.study.running import RunningTrial, attend
from kftune.results.store import FILES_OF_STORE
from kftune.stopping.facts import StudyFacts
from kftune.stopping.history import Histories
from kftune.stopping.max_cost import MaxCost

End = Literal["Completed", "SharedBudget", "MaxCostReached", "WallClock", "MaxFailedReached", "Interrupted"]
"""What ends a run for several entities."""

# Studies of which nothing runs, whose files stay open as far as the limit of this process has room for them.
_MOST_OPEN = 500
# A kill forgets at most so much of the time that counts against a wall clock.
_BETWEEN_STATES, _MOST_FORGOTTEN = 1.0, 10.0


class SharedLimits(NamedTuple):
    """The limits of all entities together.

    Attributes:
        max_trials: Trials of all of them, over all runs; None for as many as each of them may have.
        max_failed: Failed trials that end the run; None sets no limit.
        wall_clock: Seconds for all runs together; None sets no limit.
        others: Trials of entities that are not part of this run.
        others_failed: How many of them have failed.
        others_trial_seconds: How long their trials took.
        max_cost: What ends the run when all trials have cost too much; None sets no limit.
        seconds: How long earlier runs took.
        parallel: Trials at the same time.
    """

    max_trials: int | None
    max_failed: int | None
    wall_clock: float | None
    others: int
    others_failed: int
    seconds: float
    parallel: int
    others_trial_seconds: float = 0.0
    max_cost: MaxCost | None = None


class Scheduler:
    """Runs the studies of entities until all are over, or what they share is used up.

    Args:
        runs: The studies that are not over.
        limits: What they share.
        listener: Listens to all trials.
        interrupts: Counts Ctrl-C and requests to stop.
        note: Called with what the user should know.
        remember: Called from time to time with the seconds that all runs took.
    """

    def __init__(
        self,
        runs: Sequence[EntityRun],
        limits: SharedLimits,
        *,
        listener: Listener[RunningTrial],
        interrupts: Interrupts,
        note: Callable[[str], None],
        remember: Callable[[float], None],
    ) -> None:
        self._runs = runs
        self._limits = limits
        self._listener = listener
        self._interrupts = interrupts
        self._note = note
        self._remember = remember
        self._began = self._remembered = time.monotonic()
        self._places = limits.others + sum(run.places for run in runs)
        self._at_rest = limits.others_trial_seconds + sum(run.trial_seconds for run in runs)
        self._failed = limits.others_failed + sum(run.failed for run in runs)
        self._queue: list[tuple[int, int, EntityRun]] = []
        self._active: dict[EntityRun, None] = {}
        """Those of which a trial runs."""
        self._idle: dict[EntityRun, None] = {}
        """Those that are open, of which none runs; the one that has been idle longest comes first."""
        self._held: deque[EntityRun] = deque()
        """Those that could start a trial, had the budget a place for it."""
        self._most_open = min(_MOST_OPEN, files_left(limits.parallel, FILES_OF_STORE) // FILES_OF_STORE)
        for run in runs:
            self._push(run)

    @property
    def seconds(self) -> float:
        """How long all runs took together."""
        return self._limits.seconds + time.monotonic() - self._began

    def run(self) -> End:
        """Runs trials until nothing is left to do."""
        try:
            with self._listener.open():
                end = self._loop()
                self._stop(end)
                self._conclude(end)
                return end
        except OSError:
            for run in (*self._active, *self._idle):
                run.check_place()
            raise
        finally:
            with ExitStack() as all_of_them:  # also those after one that raises
                for run in self._runs:
                    all_of_them.callback(run.close)

    def _loop(self) -> End:
        while True:
            end = self._over()
            if end is not None:
                return end
            self._fill()
            self._settle()
            if not self._active:
                return self._over() or ("SharedBudget" if self._held else "Completed")
            attend(self._listener, self._longest())
            self._review()

    def _over(self) -> End | None:
        limits = self._limits
        if self._interrupts.count:
            return "Interrupted"
        if limits.max_failed is not None and self._failed >= limits.max_failed:
            return "MaxFailedReached"
        if limits.max_cost is not None and limits.max_cost.over(self._facts()):
            return "MaxCostReached"
        return "WallClock" if limits.wall_clock is not None and self.seconds >= limits.wall_clock else None

    def _longest(self) -> float | None:
        """Returns how long to wait at most: until time may end a study, or all of them."""
        left = [run.engine.seconds_left() for run in self._active]
        if self._limits.max_cost is not None:
            left.append(self._limits.max_cost.seconds_left(self._facts()))
        if self._limits.wall_clock is not None:
            left += [self._limits.wall_clock - self.seconds, _MOST_FORGOTTEN]
        return min((seconds for seconds in left if seconds is not None), default=None)

    def _facts(self) -> StudyFacts:
        """Returns how long the trials of all entities took, and how many run: what their cost is made of."""
        seconds = self._at_rest + sum(run.trial_seconds for run in self._active)
        return StudyFacts(Histories("", minimize=True), (), seconds, len(self._listener))

    # -- starting ----------------------------------------------------------------------------------------------

    def _push(self, run: EntityRun) -> None:
        if not run.queued:
            run.queued = True
            heapq.heappush(self._queue, (run.taken, run.index, run))

    def _fill(self) -> None:
        """Starts trials until as many run as allowed, always of the entity that has had the fewest.

        A trial that starts again is not one that its entity has had: the order is as if its first try had not been.
        """
        most = self._limits.max_trials
        # A study that reaches its goal leaves the places of trials that it stops to others.
        free = 0 if most is None else max(0, most - self._places)
        for _ in range(min(free, len(self._held))):
            self._push(self._held.popleft())
        while self._queue and len(self._listener) < self._limits.parallel and self._over() is None:
            *_, run = heapq.heappop(self._queue)
            run.queued = False
            if run.outcome is not None:
                continue
            more = most is None or self._places < most
            if not more and not run.is_open and not run.unfinished:
                self._held.append(run)
                continue
            self._at_rest -= 0.0 if run in self._active else run.trial_seconds
            started = run.start(more=more)
            self._recount(run)
            self._idle.pop(run, None)
            if started:
                if run.engine.running:  # else it has ended at once
                    self._active[run] = None
                self._push(run)
            if run not in self._active:
                self._at_rest += run.trial_seconds
            if not started and not run.engine.running:
                self._no_start(run, more=more)

    def _no_start(self, run: EntityRun, *, more: bool) -> None:
        """Takes a study that runs nothing and starts nothing: it is over, or what it would start has no place."""
        reason = run.engine.over()
        if reason is None and more:
            run.engine.end_paused()
            reason = run.engine.over()
        if reason is not None:
            self._end(run, reason)
        elif more:
            self._push(run)
        else:
            self._held.append(run)
            self._rest(run)

    def _recount(self, run: EntityRun) -> None:
        places, failed = run.places, run.failed
        run.recount()
        self._places += run.places - places
        self._failed += run.failed - failed

    # -- ending ------------------------------------------------------------------------------------------------

    def _review(self) -> None:
        """Looks at the studies of which a trial ran: it may have ended, and the study too."""
        for run in list(self._active):
            self._recount(run)
            if run.ending is None:
                run.ending = run.engine.over()
                if run.ending is not None:
                    run.engine.stop(run.ending)
            if not run.engine.running:
                del self._active[run]
                self._at_rest += run.trial_seconds
                if run.ending is not None:
                    self._end(run, run.ending)
                    continue
                run.engine.settle()
                self._rest(run)
            if run.ending is None:
                self._push(run)

    def _rest(self, run: EntityRun) -> None:
        """Stops the clock of a study of which nothing runs, and closes the files of one if too many are open."""
        run.rest()
        self._idle[run] = None
        while len(self._idle) > self._most_open:
            oldest = next(iter(self._idle))
            del self._idle[oldest]
            oldest.release()

    def _end(self, run: EntityRun, reason: Reason) -> None:
        self._idle.pop(run, None)
        places = run.places
        run.conclude(reason)
        self._places += run.places - places

    def _settle(self) -> None:
        """Writes ended trials to the disk."""
        for run in self._active:
            run.engine.settle()
        if time.monotonic() - self._remembered > _BETWEEN_STATES:
            self._remember(self.seconds)
            self._remembered = time.monotonic()

    def _stop(self, end: End) -> None:
        """Asks all running trials to end, and waits for them; a second interrupt kills them."""
        self._settle()
        for run in self._active:
            if run.ending is None:
                run.ending = _reason(end)
                run.engine.stop(run.ending)
        if self._active and end == "Interrupted":
            grace = max(run.grace for run in self._active)
            count = len(self._listener)
            self._note(f"stopping {count} trials, which may take {grace:g} s; Ctrl-C again kills them")
        while self._active:
            if self._interrupts.count > (1 if end == "Interrupted" else 0):
                self._listener.kill()
            attend(self._listener)
            self._settle()
            self._review()

    def _conclude(self, end: End) -> None:
        for run in self._runs:
            if run.is_open:
                self._end(run, _reason(end))


def _reason(end: End) -> Reason:
    """Returns what ended a study that the end of all has ended."""
    return "Interrupted" if end == "Interrupted" else "SharedBudget"
