"""What `kftune cost` prints: one table for all, one for the parts of a pipeline, and what is behind the numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kftune.cli.table import indented, table
from kftune.cost import Estimate, Line
from kftune.cost.estimate import Total, total
from kftune.cost.times import Times
from kftune.spec.prices import PRICES_FILE, cores, gibibytes, gpu_kind

_UNKNOWN, _NO_BOUND = "unknown", "no bound"


def text(estimate: Estimate) -> str:
    """Returns an estimate as text."""
    parts = [estimate.name, indented(table(["", "expected", "at most"], [*_sums(estimate)]))]
    if len(estimate.lines) > 1:
        parts += ["\nparts:", indented(table(["part", "runs", "pods", "time", "cost", "at most"], [*_rows(estimate)]))]
    parts += ["\ntimes:", *(f"  {line.name}: {time_text(line)}" for line in estimate.lines)]
    parts += ["\neach pod asks for:", *(f"  {line.name}: {asked(line)}" for line in estimate.lines)]
    told = f"there is no {PRICES_FILE} beside the file or above" if estimate.table is None else estimate.table.path
    parts.append(f"\nprices: {told}")
    for engine, kinds in estimate.objects.items():
        parts.append(f"objects ({engine}): {sum(kinds.values())}: {_counted(kinds)}")
    for title, lines in (("not known", estimate.all_unknown), ("not counted", estimate.not_counted)):
        parts += [f"\n{title}:", *(f"  {line}" for line in lines)] if lines else []
    return "\n".join(parts)


def short(estimate: Estimate) -> str:
    """Returns the cost of an estimate with a price table, as a part of a line."""
    currency = "" if estimate.table is None else f" {estimate.table.prices.currency}"
    expected, most = _known(estimate.expected, "cost"), _bound(estimate.most, "cost")
    return f"expected {expected}, at most {most}{currency}".replace(f"at most {_NO_BOUND}", _NO_BOUND)


def _sums(estimate: Estimate) -> Iterator[list[str]]:
    expected, most = estimate.expected, estimate.most
    for name, label in (("cpu_hours", "CPU hours"), ("memory_gib_hours", "memory, GiB hours")):
        yield [label, _known(expected, name), _bound(most, name)]
    kinds = {**(expected.known.gpu_hours or {}), **(most.known.gpu_hours or {})}
    kinds |= {gpu_kind(line.resources): 0.0 for line in estimate.lines if line.resources.gpu}
    for kind in kinds:
        yield [f"GPU hours, {kind}", _known(expected, "gpu_hours", kind), _bound(most, "gpu_hours", kind)]
    currency = "" if estimate.table is None else f", {estimate.table.prices.currency}"
    yield [f"cost{currency}", _known(expected, "cost"), _bound(most, "cost")]
    for engine, objects in estimate.objects.items():
        yield [f"pods ({engine})", str(objects.get("Pod", 0)), ""]


def _known(found: Total, name: str, kind: str = "") -> str:
    value = _value(found, name, kind)
    if name in found.complete:
        return amount(value)
    return f"at least {amount(value)}" if value else _UNKNOWN


def _bound(found: Total, name: str, kind: str = "") -> str:
    if name in found.complete:
        return amount(_value(found, name, kind))
    # All times have an end, so what is missing is a price, or what a pod asks for.
    return _UNKNOWN if "node_hours" in found.complete else _NO_BOUND


def _value(found: Total, name: str, kind: str) -> float:
    value: Any = getattr(found.known, name)
    return float(value.get(kind, 0.0) if kind else value)


def amount(value: float | None) -> str:
    """Returns hours or money: two digits after the point, more for what is below 1."""
    if value is None:
        return _UNKNOWN
    return f"{value:.2f}" if value >= 1 or not value else f"{value:.3g}"


def _rows(estimate: Estimate) -> Iterator[list[str]]:
    for line in estimate.lines:
        runs = _UNKNOWN if line.runs is None else str(line.runs)
        cost = [amount(line.expected.cost), _bound(total([line.most]), "cost")]
        yield [line.name, runs, str(line.pods), duration(line.times.mean), *cost]


def time_text(line: Line) -> str:
    """Returns the time of a trial or step, and where it is from."""
    longest = "no longest time" if line.longest is None else f"at most {duration(line.longest)}"
    tries = "" if line.tries == 1 else ", any number of tries" if line.tries is None else f", {line.tries} tries"
    return f"{_source(line.times)}; {longest}{tries}"


def _source(times: Times) -> str:
    if times.mean is None:
        return _UNKNOWN
    if times.source == "given":
        return f"{duration(times.mean)}, given by {times.where}"
    if times.median is None or times.least is None or times.longest is None:
        return f"{duration(times.mean)}, measured in {times.where}"
    return (
        f"{duration(times.mean)}, the mean of {times.number} in {times.where} (median {duration(times.median)}, from "
        f"{duration(times.least)} to {duration(times.longest)})"
    )


def asked(line: Line) -> str:
    """Returns what a pod asks for."""
    wanted = line.resources
    cpu, memory = cores(wanted), gibibytes(wanted)
    told = [
        "unknown cores" if cpu is None else f"{cpu:g} core{'' if cpu == 1 else 's'}",
        "unknown memory" if memory is None else f"{memory:g} GiB",
        *([f"{wanted.gpu} {gpu_kind(wanted)}"] if wanted.gpu else []),
    ]
    price = "" if line.rate.value is None else f", {amount(line.rate.value)} an hour"
    return f"{', '.join(told)}{price}"


def duration(seconds: float | None) -> str:
    """Returns a time in its largest unit of which it has one or more."""
    if seconds is None:
        return _UNKNOWN
    unit, name = next(((size, name) for size, name in ((3600, "h"), (60, "min")) if seconds >= size), (1, "s"))
    return f"{seconds / unit:.3g} {name}"


def _counted(kinds: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in kinds.items())
