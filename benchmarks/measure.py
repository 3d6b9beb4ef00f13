"""Measures kftune and its peers in turn, in the same run. The result is the median of the paired ratios.

This process stays small (no pydantic, no YAML): a child starts with its parent's peak memory, so the memory of this
process would be the lower limit of every peak.
"""

from __future__ import annotations

import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

ROOT = Path(__file__).resolve().parent.parent
HERE = ROOT / "benchmarks"
PYTHON = sys.executable
KFTUNE = str(Path(PYTHON).with_name("kftune"))

# Without settings such as PYTHONDONTWRITEBYTECODE: installed packages have cached bytecode, so kftune gets it too.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}

T = TypeVar("T")
Argv = Sequence[str | Path]


class BenchmarkError(Exception):
    """A side failed or gave a wrong result."""


class Cost(NamedTuple):
    """Time and memory of a finished process."""

    seconds: float
    peak_mib: float
    """The largest process, not the sum; values below about 11 MiB cannot be measured."""


class Costs(NamedTuple):
    """Time and memory of each run of a command."""

    seconds: list[float]
    peaks_mib: list[float]


@dataclass(frozen=True)
class Comparison:
    """One line of the table: kftune and one peer, round by round."""

    ours: str
    peer: str
    unit: str
    our_values: Sequence[float]
    peer_values: Sequence[float]
    goal: float

    @property
    def ratios(self) -> list[float]:
        """kftune's value divided by the peer's, for each round."""
        return [ours / theirs for ours, theirs in zip(self.our_values, self.peer_values, strict=True)]

    @property
    def ratio(self) -> float:
        """The median of the paired ratios."""
        return statistics.median(self.ratios)

    @property
    def quartiles(self) -> tuple[float, float]:
        """The first and third quartile of the paired ratios."""
        return quartiles(self.ratios)

    @property
    def passed(self) -> bool:
        """Whether the ratio meets the goal."""
        return self.ratio <= self.goal


class Skipped(NamedTuple):
    """A line of the table that cannot be measured here."""

    ours: str
    peer: str
    reason: str


@dataclass(frozen=True)
class Search:
    """One line of the table: what several sides found, with one value a seed; the first side is kftune's.

    Lower values are better. A side wins a pair of runs, one of each side, if its value is lower; a tie is half a win.

    Attributes:
        what: What is searched.
        sides: Name -> what it found with each seed.
        curves: Name -> the median over the seeds after each trial, for a picture.
    """

    what: str
    sides: Mapping[str, Sequence[float]]
    curves: Mapping[str, Sequence[float]] = field(default_factory=dict)

    @property
    def wins(self) -> dict[str, float]:
        """For each peer, the share of all pairs that kftune wins."""
        (_, ours), *peers = self.sides.items()
        return {name: _share_of_wins(ours, theirs) for name, theirs in peers}

    @property
    def least(self) -> float:
        """The share of wins below which kftune is worse beyond noise: one-sided, 1 %.

        Source: Mann and Whitney (1947): the variance of the statistic for two samples of one distribution.
        """
        count = min(map(len, self.sides.values()))
        return 0.5 - statistics.NormalDist().inv_cdf(0.99) * math.sqrt((2 * count + 1) / (12 * count * count))

    @property
    def passed(self) -> bool:
        """Whether kftune is not worse than any peer, beyond noise."""
        return all(share >= self.least for share in self.wins.values())


Line = Comparison | Search | Skipped


def _share_of_wins(ours: Sequence[float], theirs: Sequence[float]) -> float:
    won = sum((mine < other) + (mine == other) / 2 for mine in ours for other in theirs)
    return won / (len(ours) * len(theirs))


def quartiles(values: Sequence[float]) -> tuple[float, float]:
    """Returns the first and third quartile."""
    first, _, third = statistics.quantiles(values, n=4, method="inclusive")
    return first, third


def in_turn(rounds: int, *sides: Callable[[], T], warm_up: bool = True) -> list[list[T]]:
    """Calls the sides one after the other, `rounds` times.

    Args:
        rounds: How many figures each side gives.
        sides: Functions that return one figure each.
        warm_up: Whether to call each side once before, to fill the caches of files and of bytecode.

    Returns:
        The figures of each side.
    """
    if warm_up:
        for side in sides:
            side()
    figures: list[list[T]] = [[] for _ in sides]
    for _ in range(rounds):
        for side, found in zip(sides, figures, strict=True):
            found.append(side())
    return figures


def process(argv: Argv, *, piped: Path | None = None) -> Cost:
    """Runs a command to its end and discards its output.

    Args:
        argv: The command; it runs in the root of the repository.
        piped: A file that `cat` sends to its standard input through a pipe; None for no input.

    Raises:
        BenchmarkError: It failed.
    """
    with tempfile.TemporaryFile() as errors:
        started = time.perf_counter()
        source = subprocess.Popen(["cat", piped], stdout=subprocess.PIPE) if piped else None
        child = subprocess.Popen(
            [str(word) for word in argv],
            cwd=ROOT,
            env=ENVIRONMENT,
            stdin=source.stdout if source else subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
        if source and source.stdout:
            source.stdout.close()
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - started
        child.returncode = os.waitstatus_to_exitcode(status)
        if source:
            source.wait()
        if child.returncode != 0:
            errors.seek(0)
            raise BenchmarkError(_failed(argv, child.returncode, errors.read().decode(errors="replace")))
    return Cost(seconds, usage.ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024))


def processes_in_turn(rounds: int, *commands: Argv, piped: Path | None = None, warm_up: bool = True) -> list[Costs]:
    """Runs each command in each round, as `process` does."""
    sides = [partial(process, argv, piped=piped) for argv in commands]
    return [
        Costs([cost.seconds for cost in found], [cost.peak_mib for cost in found])
        for found in in_turn(rounds, *sides, warm_up=warm_up)
    ]


def output(argv: Argv) -> str:
    """Returns the output of a command.

    Raises:
        BenchmarkError: It failed.
    """
    words = [str(word) for word in argv]
    done = subprocess.run(
        words, cwd=ROOT, env=ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise BenchmarkError(_failed(argv, done.returncode, done.stderr))
    return done.stdout


def figures(argv: Argv) -> dict[str, float]:
    """Returns the figures that a command measures itself and prints as JSON on its last line."""
    found: dict[str, float] = json.loads(output(argv).splitlines()[-1])
    return found


def same_output(*commands: Argv) -> None:
    """Checks that all sides give the same result.

    Raises:
        BenchmarkError: They do not.
    """
    first, *others = [output(argv) for argv in commands]
    for argv, other in zip(commands[1:], others, strict=True):
        if other != first:
            difference = f"{_shown(commands[0])} prints\n{first}\nand {_shown(argv)}\n{other}"
            raise BenchmarkError(f"the sides must give the same result, but {difference}")


class Worker:
    """A process that repeats one piece of work in chunks (`benchmarks.worker`), to measure work inside a process.

    Each side has its own worker, with its own packages; the workers answer in turn.
    """

    def __init__(self, argv: Argv) -> None:
        self._argv = argv
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  # open as long as the process runs
        self._process = subprocess.Popen(
            [str(word) for word in argv],
            cwd=ROOT,
            env=ENVIRONMENT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )

    def chunk(self) -> float:
        """Returns the microseconds that one call takes, the mean of a chunk.

        Raises:
            BenchmarkError: The process failed.
        """
        assert self._process.stdin
        assert self._process.stdout
        try:
            self._process.stdin.write("\n")
            self._process.stdin.flush()
            return float(self._process.stdout.readline())
        except (BrokenPipeError, ValueError):
            code = self._process.wait()
            self._errors.seek(0)
            raise BenchmarkError(_failed(self._argv, code, self._errors.read().decode(errors="replace"))) from None

    def close(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.communicate()
        self._errors.close()


def chunks_in_turn(rounds: int, *commands: Argv) -> list[list[float]]:
    """Returns the microseconds per call of each worker command. Chunks are short, so each round has three."""
    workers = [Worker(argv) for argv in commands]
    try:
        return in_turn(3 * rounds, *(worker.chunk for worker in workers))
    finally:
        for worker in workers:
            worker.close()


def _failed(argv: Argv, code: int, errors: str) -> str:
    return f"{_shown(argv)} must succeed, but exited with {code}:\n{errors.strip()[-2000:]}"


def _shown(argv: Argv) -> str:
    return " ".join(map(str, argv))
