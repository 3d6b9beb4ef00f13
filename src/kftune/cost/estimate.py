"""`Estimate`: what the parts of a study or pipeline take and cost, and their sums."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from kftune.cost.times import Times
from kftune.spec.container import Resources
from kftune.spec.prices import PriceTable, Rate, cores, gibibytes, gpu_kind

FORMAT = "kftune.cost/1"
"""The format of the JSON; it changes when the meaning of a key changes."""

_HOUR = 3600.0


class Amounts(NamedTuple):
    """What pods use and cost. None is unknown."""

    node_hours: float | None = None
    """Hours of all pods together."""
    cpu_hours: float | None = None
    memory_gib_hours: float | None = None
    gpu_hours: Mapping[str, float] | None = None
    """By the kind of accelerator."""
    cost: float | None = None


@dataclass(frozen=True, kw_only=True)
class Line:
    """Pods of one kind that do the same: the trials of a study, or a step of a pipeline.

    Attributes:
        name: What they are.
        runs: How many trials or runs of the step there are; None if only a run knows it.
        tries: How often each of them starts at most; None without a limit.
        pods: The pods of each.
        resources: What each pod asks for.
        times: How long one takes.
        longest: The longest time of one try in seconds, with the time to end; None without a limit.
        rate: What one pod costs for an hour.
        unknown: What is not known of them.
    """

    name: str
    runs: int | None
    tries: int | None
    pods: int
    resources: Resources
    times: Times
    longest: float | None
    rate: Rate
    unknown: tuple[str, ...] = ()

    @property
    def expected(self) -> Amounts:
        """What all of them take if each takes the mean time."""
        return self._amounts(self.times.mean, 1)

    @property
    def most(self) -> Amounts:
        """What all of them take if each reaches its limits."""
        return self._amounts(self.longest, self.tries)

    def _amounts(self, seconds: float | None, tries: int | None) -> Amounts:
        asked = self.resources
        gpu = {gpu_kind(asked): 0.0} if asked.gpu else {}
        if self.runs == 0:
            return Amounts(0.0, 0.0, 0.0, gpu, 0.0)
        if seconds is None or tries is None or self.runs is None:
            return Amounts(gpu_hours=None if asked.gpu else {}, cost=0.0 if self.rate.value == 0 else None)
        hours = self.runs * tries * self.pods * seconds / _HOUR
        return Amounts(
            node_hours=hours,
            cpu_hours=_times(hours, cores(asked)),
            memory_gib_hours=_times(hours, gibibytes(asked)),
            gpu_hours=dict.fromkeys(gpu, hours * asked.gpu),
            cost=_times(hours, self.rate.value),
        )


def _times(hours: float, amount: float | None) -> float | None:
    return None if amount is None else hours * amount


class Total(NamedTuple):
    """A sum, of which parts may be unknown."""

    known: Amounts
    """The sum of what is known; no field is None."""
    complete: frozenset[str]
    """The fields in which every part is known."""

    def value(self, name: str) -> Any:
        """Returns a field; None if a part of it is unknown."""
        return getattr(self.known, name) if name in self.complete else None


def total(parts: Iterable[Amounts]) -> Total:
    """Returns the sum of amounts."""
    numbers = dict.fromkeys(("node_hours", "cpu_hours", "memory_gib_hours", "cost"), 0.0)
    gpu: Counter[str] = Counter()
    complete = {*Amounts._fields}
    for part in parts:
        for name in numbers:
            value = getattr(part, name)
            numbers[name] += value or 0.0
            if value is None:
                complete.discard(name)
        if part.gpu_hours is None:
            complete.discard("gpu_hours")
        for kind, hours in (part.gpu_hours or {}).items():
            gpu[kind] += hours  # type: ignore[assignment]  # a Counter also adds floats
    return Total(Amounts(**numbers, gpu_hours=dict(gpu)), frozenset(complete))


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What a study or a pipeline takes.

    Attributes:
        name: Its name.
        lines: Its parts.
        objects: Engine on a cluster -> kind of object -> how many there are, with one try for each pod.
        table: The price table; None without one.
        limit: The limit of the cost that it has itself; None without one.
        unknown: What is not known beyond the lines.
        not_counted: What it also costs or makes, and nobody can know from the files.
    """

    name: str
    lines: tuple[Line, ...]
    objects: Mapping[str, Mapping[str, int]]
    table: PriceTable | None
    limit: float | None = None
    unknown: tuple[str, ...] = ()
    not_counted: tuple[str, ...] = ()

    @property
    def expected(self) -> Total:
        """What all parts take together, if each takes its mean time."""
        return total(line.expected for line in self.lines)

    @property
    def most(self) -> Total:
        """What all parts take at most."""
        return total(line.most for line in self.lines)

    @property
    def all_unknown(self) -> tuple[str, ...]:
        """Everything that is not known, each once."""
        return tuple(dict.fromkeys(self._unknown()))

    def _unknown(self) -> Iterator[str]:
        yield from self.unknown
        for line in self.lines:
            yield from (f"{line.name}: {text}" for text in line.unknown)
        for line in self.lines:
            if self.table is not None:
                yield from (f"{line.name}: {text}" for text in line.rate.missing)

    def over(self, limit: float) -> str:
        """Returns why the cost may exceed a limit; empty if it cannot.

        Args:
            limit: The limit, in the currency of the prices.
        """
        expected, most = self.expected.known.cost or 0.0, self.most.value("cost")
        if expected > limit:
            least = "" if "cost" in self.expected.complete else "at least "
            return f"it is expected to cost {least}{expected:.2f}, above the limit of {limit:g}"
        if most is None:
            return f"nothing says that it costs no more than the limit of {limit:g}: its cost has no upper bound"
        return f"it may cost {most:.2f}, above the limit of {limit:g}" if most > limit else ""

    def to_dict(self) -> dict[str, Any]:
        """Returns everything as JSON values; docs/guides/cost.md documents the keys."""
        return {
            "format": FORMAT,
            "name": self.name,
            "currency": None if self.table is None else self.table.prices.currency,
            "prices": None if self.table is None else str(self.table.path),
            "expected": _total(self.expected),
            "most": _total(self.most),
            "parts": [_line(line) for line in self.lines],
            "objects": {engine: dict(kinds) for engine, kinds in self.objects.items()},
            "unknown": [*self.all_unknown],
            "not_counted": [*self.not_counted],
        }


def _total(found: Total) -> dict[str, Any]:
    return {name: found.value(name) for name in Amounts._fields}


def _line(line: Line) -> dict[str, Any]:
    return {
        "name": line.name,
        "runs": line.runs,
        "pods": line.pods,
        "tries": line.tries,
        "time": line.times._asdict(),
        "longest": line.longest,
        "per_hour": line.rate.value,
        "expected": line.expected._asdict(),
        "most": line.most._asdict(),
    }
