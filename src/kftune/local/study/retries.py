"""Which trials run again: the unfinished ones of earlier runs, and each that `budget.retries` gives another try."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any, Literal, NamedTuple

from kftune.local.processes.lost import LossWatch, why_lost
from kftune.local.processes.process import TrialProcess
from kftune.local.samplers import Sampler, Suggestion
from kftune.local.study.failure import end_of, last_lines
from kftune.local.study.smaller import Smaller, halved
from kftune.results import FINISHED, Retried, Trial
from kftune.results.records import NOT_RETRIED, UNSUCCESSFUL
from kftune.study.retries import RetryLimits

Kind = Literal["failed", "lost", "out_of_memory"]

# The last lines in which the error that ended a program is looked for, and the most bytes of them.
_ERROR_LINES, _ERROR_BYTES = 20, 1 << 14
_OUT_OF_MEMORY = re.compile(
    rb"\bOutOfMemoryError\b"  # torch, on all devices; CuPy; Java
    rb"|\b(?:CUDA|cuda|HIP|hip|ROCm|MPS|XPU)\b[^\n]{0,60}\bout of memory\b"
    rb"|\bcudaMalloc\b[^\n]{0,60}\bout of memory\b|\bCUDA_ERROR_OUT_OF_MEMORY\b|\bcudaErrorMemoryAllocation\b"
    rb"|\bCU(?:BLAS|DNN)_STATUS_ALLOC_FAILED\b"
    rb"|\bRESOURCE_EXHAUSTED: Out of memory\b"  # JAX
    rb"|\bResourceExhaustedError\b|\bOOM when allocating tensor\b"  # TensorFlow
    rb"|\bDefaultCPUAllocator: (?:can't allocate|not enough) memory\b"
    rb"|^MemoryError\b|\b_ArrayMemoryError\b"  # Python, NumPy
    rb"|\bstd::bad_alloc\b",
    re.MULTILINE,
)
# What torchrun, torch's DataLoader, multiprocessing and shells print about a process that was killed.
_KILLED = re.compile(rb"\bSIGKILL\b|\b[Ss]ignal:? (?:9|Killed)\b|^Killed\b|\bexitcode\s*: -9\b", re.MULTILINE)


class Ended(NamedTuple):
    """A try of a trial that has failed."""

    process: TrialProcess
    watch: LossWatch | None
    """What `Retries.watch` returned when it started."""
    log: Path
    """What it printed."""
    message: str
    """Why it failed."""


class Retry(NamedTuple):
    """Another try of a trial."""

    kind: Kind
    """What it was that ended the try before."""
    message: str
    """The same in words."""
    suggestion: Suggestion | None
    """Other values than before; None for the same."""


class Retries:
    """The trials of a run that start again, and how often each has been.

    Args:
        limits: How often a trial may start again.
        smaller: How values get smaller when memory runs out; None if they do not.
        sampler: What proposes values.
        trials: The trials of earlier runs.
        failed_too: Whether trials that failed, or reported no objective, run again.
    """

    def __init__(
        self,
        limits: RetryLimits,
        smaller: Smaller | None,
        sampler: Sampler,
        trials: Collection[Trial] = (),
        *,
        failed_too: bool = False,
    ) -> None:
        self._limits = limits
        self._smaller = smaller
        self._sampler = sampler
        self._waiting = deque(trial for trial in trials if runs_again(trial, failed_too=failed_too))
        known = (trial for trial in trials if trial.retried != NOT_RETRIED)
        self._retried = {
            trial.number: _of_next_run(trial)
            for trial in known
            if trial.goes_on or runs_again(trial, failed_too=failed_too)
        }
        self._known: set[int] = set()
        self.numbers = frozenset(trial.number for trial in self._waiting)
        """The trials of earlier runs that run again."""

    def __len__(self) -> int:
        return len(self._waiting)

    def next(self) -> tuple[Trial, Suggestion]:
        """Returns the next trial that starts again, and what it tries."""
        trial = self._waiting.popleft()
        suggestion = Suggestion(trial.point, trial.assignment, trial.point)
        smaller = self.of(trial.number).smaller
        if any(trial.point.get(name) != value for name, value in smaller.items()):
            suggestion = self._sampler.suggestion({**trial.point, **smaller})
            self._sampler.claim(suggestion)
        if trial.number in self._known:  # the sampler still waits for its end
            self._known.remove(trial.number)
        else:
            self._sampler.repeat(trial.number, suggestion.drawn)
        return trial, suggestion

    def of(self, number: int) -> Retried:
        """Returns why a trial was started again so far."""
        return self._retried.get(number, NOT_RETRIED)

    def promoted(self, number: int, position: int) -> None:
        """Notes that a trial goes on after it has waited.

        Args:
            number: The trial.
            position: What it had reached.
        """
        self._retried[number] = self.of(number)._replace(promoted=position)

    def watch(self) -> LossWatch | None:
        """Returns a watch for a process that starts now; None if nothing starts again."""
        return LossWatch() if any(self._limits[:3]) else None

    def after(self, number: int, suggestion: Suggestion, ended: Ended) -> Retry | str:
        """Returns another try of a trial that has failed, which is counted, or why it has none.

        Args:
            number: The trial.
            suggestion: Its values.
            ended: How it ended.
        """
        if ended.watch is None or ended.process.cut_short or not ended.process.returncode:
            return ended.message
        kind, message = _kind(ended, ended.watch)
        retried = self.of(number)
        used: int = getattr(retried, kind)
        if used >= getattr(self._limits, kind):
            return message
        changed: Suggestion | None = None
        if kind == "out_of_memory" and self._smaller is not None:
            found = self._halved(self._smaller, suggestion)
            if isinstance(found, str):
                return f"{found}: {message}"
            changed, value = found, found.point[self._smaller.name]
            name, before = self._smaller.name, suggestion.point[self._smaller.name]
            retried = retried._replace(
                proposed={name: before, **retried.proposed}, smaller={**retried.smaller, name: value}
            )
            message = f"starts again with {name}={value} in place of {before}: {message}"
        counted: dict[str, Any] = {kind: used + 1, "promoted": 0}  # it starts from the beginning
        self._retried[number] = retried._replace(**counted)
        return Retry(kind, message if changed else f"starts again: {message}", changed)

    def add(self, trial: Trial, retry: Retry) -> None:
        """Lets a trial start again.

        Args:
            trial: The trial, as it is stored.
            retry: Its next try.
        """
        self._waiting.append(trial)
        if retry.suggestion is None:
            self._known.add(trial.number)
        else:
            # The algorithm learns from the values that run only.
            self._sampler.tell(trial.number, None)

    def notes(self) -> list[str]:
        """Returns what the user should know when the study is over: which failed trials did not run again."""
        left = [trial.name for trial in self._waiting if trial.state in FINISHED]
        if not left:
            return []
        return [f"{len(left)} failed trial(s) have not run again, from {left[0]}, because the run ended before"]

    def _halved(self, smaller: Smaller, before: Suggestion) -> Suggestion | str:
        """Returns the next smaller values of a trial, or why there are none."""
        name = smaller.name
        if name not in before.point:
            return f"no smaller {name} is tried, since the trial has none"
        value, skipped = before.point[name], False
        while (value := halved(smaller.domain, value)) is not None:
            suggestion = self._sampler.suggestion({**before.point, name: value})
            refused = smaller.refuses(suggestion.point)
            if refused:
                return f"{name}={value} is not tried, since {refused}"
            if self._sampler.claim(suggestion):
                return suggestion
            skipped = True
        if skipped:
            return f"other trials have all smaller values of {name}"
        return f"{name}={before.point[name]} is the lowest"


def runs_again(trial: Trial, *, failed_too: bool) -> bool:
    """Whether a trial of an earlier run runs again.

    Args:
        trial: The trial.
        failed_too: Whether it does if it failed, or reported no objective.
    """
    return (trial.state not in FINISHED and not trial.goes_on) or (failed_too and trial.state in UNSUCCESSFUL)


def unfinished(trials: Iterable[Trial], *, failed_too: bool) -> list[Trial]:
    """Returns trials as the algorithm of a new run sees them: one that runs again has no end.

    One that goes on has the value with which it paused: the algorithm hears of each trial once.

    Args:
        trials: The trials of earlier runs.
        failed_too: Whether trials that failed, or reported no objective, run again.
    """
    return [
        trial._replace(state="EarlyStopped")
        if trial.goes_on
        else trial._replace(state="Running")
        if runs_again(trial, failed_too=failed_too)
        else trial
        for trial in trials
    ]


def retry_note(trials: Iterable[Trial]) -> str:
    """Returns what ``--retry-failed`` does.

    Args:
        trials: The trials of earlier runs.
    """
    failed = [trial.name for trial in trials if trial.state in UNSUCCESSFUL]
    if not failed:
        return "--retry-failed has no effect: no trial of an earlier run has failed or lacks its objective"
    return f"{len(failed)} trial(s) that failed or lack the objective run again with the same values, from {failed[0]}"


def _of_next_run(trial: Trial) -> Retried:
    """Returns the counts of a trial that runs again: new ones if it has finally failed."""
    if trial.state not in FINISHED:
        return trial.retried
    return trial.retried._replace(failed=0, lost=0, out_of_memory=0, promoted=0)


def _kind(ended: Ended, watch: LossWatch) -> tuple[Kind, str]:
    """Returns what ended a failed trial, and says so."""
    lost = watch.lost(ended.process)
    if lost:
        return "lost", f"{why_lost(lost)}{last_lines(ended.log)}"
    if watch.ran_out_of_memory(ended.process) or says_out_of_memory(ended.log, kernel_killed=watch.memory_ran_out()):
        return "out_of_memory", f"ran out of memory: {ended.message}"
    return "failed", ended.message


def says_out_of_memory(log: Path, *, kernel_killed: bool = False) -> bool:
    """Whether the last lines of a log have the error of a program that got no memory, of its machine or of a GPU.

    Args:
        log: The file.
        kernel_killed: Whether the kernel killed a process for want of memory meanwhile: then a program counts
            too that reports the end of one of its processes by SIGKILL, as torchrun does.
    """
    lines = b"\n".join(end_of(log, _ERROR_BYTES).splitlines()[-_ERROR_LINES:])
    return _OUT_OF_MEMORY.search(lines) is not None or (kernel_killed and _KILLED.search(lines) is not None)
