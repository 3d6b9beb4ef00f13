"""Hourly readings of sensor circuits: measured, generated, or from the user's own folder.

`docs/data.md` describes the source of the measured readings and how the others are generated.
"""

from __future__ import annotations

import csv
import math
import random
import re
import statistics
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import resources
from pathlib import Path

from kftune.errors import HparamsError
from kftune.files import write_text

HOUR = timedelta(hours=1)
MEASURED = "PLANT001/CIRCUIT01"
FAULT_LIMIT = 8.0
"""A reading further from the center than this many spreads is a fault (pipe shut, sensor dead)."""

_GENERATED_NAME = re.compile(r"PLANT\d{3}/CIRCUIT\d{2}")
_FOLDER_NAME = re.compile(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*")
_GENERATED_START = datetime(2022, 1, 3, tzinfo=UTC)  # a Monday
_STANDARD_NORMAL = statistics.NormalDist()


@dataclass(frozen=True)
class Circuit:
    """One circuit's readings, oldest first.

    Attributes:
        name: ``PLANT/CIRCUIT``.
        times: Local time of each reading, with its offset; full hours, some are missing.
        flow: Litres per second.
    """

    name: str
    times: tuple[datetime, ...]
    flow: tuple[float, ...]


@dataclass(frozen=True)
class Scale:
    """Center and spread of normal operation; outages do not change them.

    Attributes:
        center: The median, in litres per second.
        spread: The interquartile range as a standard deviation (of a normal distribution), in litres per second.
    """

    center: float
    spread: float

    @classmethod
    def of(cls, flow: Iterable[float]) -> Scale:
        """Returns the scale of some readings."""
        low, center, high = statistics.quantiles(flow, n=4)
        # The resolution of the meters, so that a constant circuit does not divide by zero.
        return cls(center, max((high - low) / 1.349, 0.01))

    def is_fault(self, flow: float) -> bool:
        """Whether a reading is too far from the center to be normal operation."""
        return abs(flow - self.center) > FAULT_LIMIT * self.spread


def load_circuit(name: str, folder: Path | None = None) -> Circuit:
    """Returns the readings of circuit `name`.

    Args:
        name: ``PLANT001/CIRCUIT01`` was measured; any other ``PLANTnnn/CIRCUITnn`` is generated from its name.
        folder: Folder with ``<name>.csv``, in the format of `read_circuit`; None for the circuits of kftune.

    Raises:
        HparamsError: The circuit does not exist, or its file cannot be read.
    """
    if folder is not None:
        if not _FOLDER_NAME.fullmatch(name):
            raise HparamsError(f"circuit: a name must be like PLANT001/CIRCUIT01, but got {name!r}")
        return read_circuit(name, folder / f"{name}.csv")
    if name == MEASURED:
        return _measured()
    if not _GENERATED_NAME.fullmatch(name):
        raise HparamsError(
            f"circuit: a name must be like {MEASURED} (three and two digits), but got {name!r}; "
            f"to train on your own readings, put them in a folder and name it in KFTUNE_DATA"
        )
    return generate_circuit(name)


def read_circuit(name: str, path: Path) -> Circuit:
    """Reads a circuit from a CSV file: a header line, then lines with an ISO time and litres per second.

    Args:
        name: The circuit's name.
        path: The file; its times have an offset.

    Raises:
        HparamsError: The file cannot be read, or a line is invalid.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise HparamsError(f"circuit: cannot read the readings of {name}: {error.strerror}: {path}") from error
    return _parse(name, text, str(path))


def write_circuit(circuit: Circuit, path: Path) -> None:
    """Writes readings in the format of `read_circuit`.

    Args:
        circuit: The readings.
        path: The file; its folder is created when missing.

    Raises:
        OSError: The file cannot be written.
    """
    lines = [f"{time.isoformat()},{flow!r}" for time, flow in zip(circuit.times, circuit.flow, strict=True)]
    write_text(path, "\n".join(["Time,Water flow [l/s]", *lines]) + "\n")


@cache
def _measured() -> Circuit:
    file = resources.files("kftune.training") / "water-flow.csv"
    return _parse(MEASURED, file.read_text(encoding="utf-8"), str(file))


def _parse(name: str, text: str, source: str) -> Circuit:
    rows = csv.reader(text.splitlines())
    next(rows, None)
    times: list[datetime] = []
    flow: list[float] = []
    for line, row in enumerate(rows, start=2):
        try:
            time, reading = datetime.fromisoformat(row[0]), float(row[1])
        except (ValueError, IndexError) as error:
            raise HparamsError(
                f"circuit: {source}:{line} must be a time and a reading such as "
                f"2022-03-20T11:00:00+01:00,100.59, but is {','.join(row)!r}"
            ) from error
        if time.tzinfo is None or not math.isfinite(reading) or (times and time <= times[-1]):
            raise HparamsError(
                f"circuit: {source}:{line} must have a time with an offset, later than the line above, and a finite "
                f"reading, but is {','.join(row)!r}"
            )
        times.append(time)
        flow.append(reading)
    return Circuit(name, tuple(times), tuple(flow))


def generate_circuit(name: str, *, seed: int = 0, days: int = 56) -> Circuit:
    """Generates a circuit; the same name and seed give the same readings.

    Its day is that of the measured circuit, shifted and mixed with a morning and an evening peak of demand. The
    circuits of a plant share level and weekend. The rhythm of a pump, a slow drift, noise with memory, outages and
    missing hours are added.

    Args:
        name: ``PLANTnnn/CIRCUITnn``; the plant and the circuit each decide part of the behaviour.
        seed: Another seed gives other circuits for all names.
        days: Days of readings.
    """
    # Random hashes a text with SHA-512, so the seed depends on neither platform nor PYTHONHASHSEED.
    plant = random.Random(f"{seed}:{name.partition('/')[0]}")
    level = _between(plant, 40.0, 160.0)
    weekend = _between(plant, 0.3, 1.0)
    rng = random.Random(f"{seed}:{name}")
    day = _day_shape(rng)
    swing = level * _between(rng, 0.01, 0.04)
    pump_hours, pump_share = _between(rng, 5.0, 11.0), _between(rng, 0.0, 0.6)
    drift = level * _between(rng, -0.02, 0.02) / (days * 24)
    noise = _noise(rng, memory=_between(rng, 0.5, 0.9), size=swing * _between(rng, 0.1, 0.4))
    lost = {int(days * 24 * rng.random()) for _ in range(days // 10)}
    outage = _outage_hours(rng, days)

    times, flow = [], []
    for hour in range(days * 24):
        time = _GENERATED_START + hour * HOUR
        demand = day[time.hour] * (weekend if time.weekday() >= 5 else 1.0)
        pump = pump_share * (1.0 if hour % pump_hours < pump_hours / 3 else -0.5)
        reading = level + swing * (demand + pump) + drift * hour + next(noise)
        if hour in lost:
            continue
        times.append(time)
        flow.append(round(0.24 * level if hour in outage else reading, 2))
    return Circuit(name, tuple(times), tuple(flow))


def _between(rng: random.Random, low: float, high: float) -> float:
    return low + (high - low) * rng.random()


def _day_shape(rng: random.Random) -> list[float]:
    """Returns 24 values around 0 with a range of about 2: the measured day, shifted, mixed with two peaks of demand."""
    shift, peaks = int(24 * rng.random()), _between(rng, 0.2, 1.0)
    morning, evening = _between(rng, 5.0, 9.0), _between(rng, 17.0, 21.0)
    bumps = [_bump(hour - morning) + 0.8 * _bump(hour - evening) for hour in range(24)]
    measured = _measured_day()
    mixed = [(1 - peaks) * measured[(hour - shift) % 24] + peaks * 2 * bumps[hour] for hour in range(24)]
    middle = statistics.fmean(mixed)
    return [value - middle for value in mixed]


def _bump(hours: float) -> float:
    return math.exp(-((hours / 2.5) ** 2))


@cache
def _measured_day() -> tuple[float, ...]:
    """Returns the measured circuit's mean by hour of the day, scaled to a range of 2."""
    circuit = _measured()
    scale = Scale.of(circuit.flow)
    by_hour: list[list[float]] = [[] for _ in range(24)]
    for time, flow in zip(circuit.times, circuit.flow, strict=True):
        if not scale.is_fault(flow):
            by_hour[time.hour].append(flow)
    means = [statistics.fmean(hour) for hour in by_hour]
    return tuple(2 * (mean - scale.center) / (max(means) - min(means)) for mean in means)


def _noise(rng: random.Random, *, memory: float, size: float) -> Iterator[float]:
    """Yields noise: each value is `memory` times the last one plus new noise; `size` is the standard deviation."""
    fresh = size * math.sqrt(1 - memory**2)
    value = 0.0
    while True:
        yield value
        value = memory * value + fresh * _STANDARD_NORMAL.inv_cdf(_between(rng, 1e-9, 1 - 1e-9))


def _outage_hours(rng: random.Random, days: int) -> set[int]:
    hours: set[int] = set()
    for _ in range(days // 20):
        start = int(days * 24 * rng.random())
        hours.update(range(start, start + 6 + int(10 * rng.random())))
    return hours
