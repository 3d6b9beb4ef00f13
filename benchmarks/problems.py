"""What the search benchmarks minimize: 12 functions and the recorded tables. Each peer's environment imports this.

The ranges of Ackley's and Griewank's functions have their optimum outside of the middle, where some samplers start.
"""

from __future__ import annotations

import csv
import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

Point = Mapping[str, Any]
TABLES = Path(__file__).resolve().parent / "tables"


class Float(NamedTuple):
    low: float
    high: float
    log: bool = False


class Int(NamedTuple):
    low: int
    high: int
    log: bool = False


class Choice(NamedTuple):
    options: tuple[str, ...]


Range = Float | Int | Choice


@dataclass(frozen=True)
class Problem:
    """Something to minimize.

    Attributes:
        name: Its name in the tables.
        space: Name -> what is searched.
        value: Returns the value of a point; the point may have inactive names.
        optimum: The least value.
        when: Name -> another name and the values of it for which this one is active.
        noise: The standard deviation of what a search is told; it is judged by the value without it.
        curves: For a recorded table, the loss after each epoch for each point, by the texts of its values.
    """

    name: str
    space: Mapping[str, Range]
    value: Callable[[Point], float]
    optimum: float
    when: Mapping[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)
    noise: float = 0.0
    curves: Mapping[tuple[str, ...], tuple[float, ...]] = field(default_factory=dict)

    def told(self, value: float, seed: int, number: int) -> float:
        """Returns the value that a search is told for a trial."""
        if not self.noise:
            return value
        return value + random.Random(f"{seed}:{number}").gauss(0, self.noise)

    def active(self, name: str, point: Point) -> bool:
        """Returns whether the condition of a name holds."""
        if name not in self.when:
            return True
        parent, values = self.when[name]
        return point.get(parent) in values

    def curve(self, point: Point) -> tuple[float, ...]:
        """Returns the recorded losses of a point."""
        return self.curves[tuple(str(point[name]) for name in self.space)]


def _box(dimensions: int, low: float, high: float) -> dict[str, Range]:
    return {f"x{number}": Float(low, high) for number in range(1, dimensions + 1)}


def _numbers(point: Point) -> list[float]:
    return [float(point[f"x{number}"]) for number in range(1, len(point) + 1)]


# ------------------------------------------------------------------ functions of numbers
# Source: Surjanovic and Bingham, Virtual Library of Simulation Experiments, www.sfu.ca/~ssurjano


def branin(point: Point) -> float:
    x, y = _numbers(point)
    b, c, t = 5.1 / (4 * math.pi**2), 5 / math.pi, 1 / (8 * math.pi)
    return (y - b * x**2 + c * x - 6) ** 2 + 10 * (1 - t) * math.cos(x) + 10


_HARTMANN_ALPHA = (1.0, 1.2, 3.0, 3.2)
_HARTMANN_A = (
    (10, 3, 17, 3.5, 1.7, 8),
    (0.05, 10, 17, 0.1, 8, 14),
    (3, 3.5, 1.7, 10, 17, 8),
    (17, 8, 0.05, 10, 0.1, 14),
)
_HARTMANN_P = (
    (0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886),
    (0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991),
    (0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650),
    (0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381),
)


def hartmann6(point: Point) -> float:
    x = _numbers(point)
    total = 0.0
    for alpha, row, center in zip(_HARTMANN_ALPHA, _HARTMANN_A, _HARTMANN_P, strict=True):
        total -= alpha * math.exp(-sum(a * (v - p) ** 2 for a, v, p in zip(row, x, center, strict=True)))
    return total


def rosenbrock(point: Point) -> float:
    x = _numbers(point)
    return sum(100 * (after - v**2) ** 2 + (v - 1) ** 2 for v, after in pairwise(x))


def ackley(point: Point) -> float:
    x = _numbers(point)
    squares = sum(v**2 for v in x) / len(x)
    waves = sum(math.cos(2 * math.pi * v) for v in x) / len(x)
    return -20 * math.exp(-0.2 * math.sqrt(squares)) - math.exp(waves) + 20 + math.e


def levy(point: Point) -> float:
    w = [1 + (v - 1) / 4 for v in _numbers(point)]
    middle = sum((v - 1) ** 2 * (1 + 10 * math.sin(math.pi * v + 1) ** 2) for v in w[:-1])
    end = (w[-1] - 1) ** 2 * (1 + math.sin(2 * math.pi * w[-1]) ** 2)
    return math.sin(math.pi * w[0]) ** 2 + middle + end


def styblinski_tang(point: Point) -> float:
    return sum(v**4 - 16 * v**2 + 5 * v for v in _numbers(point)) / 2


def log_goldstein_price(point: Point) -> float:
    """Goldstein and Price's function of the logarithms."""
    x, y = (math.log10(v) for v in _numbers(point))
    left = 1 + (x + y + 1) ** 2 * (19 - 14 * x + 3 * x**2 - 14 * y + 6 * x * y + 3 * y**2)
    right = 30 + (2 * x - 3 * y) ** 2 * (18 - 32 * x + 12 * x**2 + 48 * y - 36 * x * y + 27 * y**2)
    return left * right


def griewank(point: Point) -> float:
    x = _numbers(point)
    waves = math.prod(math.cos(v / math.sqrt(number)) for number, v in enumerate(x, start=1))
    return 1 + sum(v**2 for v in x) / 4000 - waves


# ------------------------------------------------------------------ mixed and conditional


def func2c(point: Point) -> float:
    """Two choices of what is added. Source: Ru et al., CoCaBO (ICML 2020), Func-2C."""
    x, y = 2 * point["x1"], 2 * point["x2"]
    parts = {
        "rosenbrock": (100 * (y - x**2) ** 2 + (x - 1) ** 2) / 300,
        "camel": ((4 - 2.1 * x**2 + x**4 / 3) * x**2 + x * y + (-4 + 4 * y**2) * y**2) / 10,
        "beale": ((1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2 + (2.625 - x + x * y**3) ** 2) / 50,
    }
    return float(parts[point["first"]] + parts[point["second"].rstrip("23")])


def jenatton(point: Point) -> float:
    """A tree of choices. Source: Jenatton et al., BO with tree-structured dependencies (ICML 2017), section 5.1."""
    if point["a"] == "0":
        leaf = point["x4"] ** 2 + 0.1 if point["b"] == "0" else point["x5"] ** 2 + 0.2
        return float(leaf + point["r8"])
    leaf = point["x6"] ** 2 + 0.3 if point["c"] == "0" else point["x7"] ** 2 + 0.4
    return float(leaf + point["r9"])


_QUADRATIC_CENTER = (1.2, -0.7, 0.4, -1.6, 0.9)


def quadratic(point: Point) -> float:
    """An ellipsoid."""
    pairs = zip(_numbers(point), _QUADRATIC_CENTER, strict=True)
    return sum(number * (v - center) ** 2 for number, (v, center) in enumerate(pairs, start=1))


def network(point: Point) -> float:
    """Behaves as the loss of a network does: a valley of the learning rate that moves with optimizer and depth."""
    size = math.log2(point["units"]) + point["layers"] - 1
    if point["optimizer"] == "adam":
        best_rate, more = -3.0, 0.0
    else:
        best_rate, more = -1.0 + math.log10(1 - point["momentum"]), 0.05
    rate = math.log10(point["learning_rate"]) - best_rate + 0.2 * (point["layers"] - 3)
    decay = math.log10(point["weight_decay"]) + 4
    dropout = point["dropout"] - 0.1 * max(0.0, size - 8)
    return float(more + 1 - math.exp(-(rate**2)) + (size - 9) ** 2 / 40 + dropout**2 + 0.02 * decay**2)


FUNCTIONS = (
    Problem("Branin", {"x1": Float(-5, 10), "x2": Float(0, 15)}, branin, 0.39788735772973816),
    Problem("Hartmann, 6 numbers", _box(6, 0, 1), hartmann6, -3.322368011415515),
    Problem("Rosenbrock, 4 numbers", _box(4, -5, 10), rosenbrock, 0.0),
    Problem("Ackley, 5 numbers", _box(5, -15, 30), ackley, 0.0),
    Problem("Levy, 5 numbers", _box(5, -10, 10), levy, 0.0),
    Problem("Styblinski-Tang, 5 numbers", _box(5, -5, 5), styblinski_tang, -39.166165703771416 * 5),
    Problem(
        "Goldstein-Price, logarithmic",
        {"x1": Float(1e-2, 1e2, log=True), "x2": Float(1e-2, 1e2, log=True)},
        log_goldstein_price,
        3.0,
    ),
    Problem("Griewank, 5 integers", {f"x{n}": Int(-60, 100) for n in range(1, 6)}, griewank, 0.0),
    Problem(
        "Func-2C, mixed",
        {
            "first": Choice(("rosenbrock", "camel", "beale")),
            "second": Choice(("rosenbrock", "camel", "beale", "beale2", "beale3")),
            **_box(2, -1, 1),
        },
        func2c,
        -0.20632569,
    ),
    Problem(
        "Jenatton, conditional",
        {
            "a": Choice(("0", "1")),
            "b": Choice(("0", "1")),
            "c": Choice(("0", "1")),
            **{f"x{n}": Float(-1, 1) for n in range(4, 8)},
            "r8": Float(0, 1),
            "r9": Float(0, 1),
        },
        jenatton,
        0.1,
        when={
            "b": ("a", ("0",)),
            "c": ("a", ("1",)),
            "x4": ("b", ("0",)),
            "x5": ("b", ("1",)),
            "x6": ("c", ("0",)),
            "x7": ("c", ("1",)),
            "r8": ("a", ("0",)),
            "r9": ("a", ("1",)),
        },
    ),
    Problem("quadratic with noise, 5 numbers", _box(5, -2, 2), quadratic, 0.0, noise=1.0),
    Problem(
        "like a network: mixed, log, conditional",
        {
            "optimizer": Choice(("sgd", "adam")),
            "learning_rate": Float(1e-5, 1, log=True),
            "momentum": Float(0, 0.99),
            "weight_decay": Float(1e-6, 1e-1, log=True),
            "units": Int(16, 1024, log=True),
            "layers": Int(1, 6),
            "dropout": Float(0, 0.7),
        },
        network,
        0.0,
        when={"momentum": ("optimizer", ("sgd",))},
    ),
)


# ------------------------------------------------------------------ recorded tables

_TABLE_SPACES: dict[str, dict[str, Range]] = {
    "lstm": {
        "lstm_units_log2": Int(3, 6),
        "layers": Int(1, 2),
        "batch_size_log2": Int(4, 6),
        "learning_rate_step": Int(0, 9),
    },
    "digits": {
        "optimizer": Choice(("sgd", "momentum", "adam")),
        "activation": Choice(("relu", "tanh")),
        "layers": Int(1, 2),
        "units_log2": Int(3, 6),
        "batch_size_log2": Int(4, 6),
        "learning_rate_step": Int(0, 6),
    },
}


@cache
def table(name: str) -> Problem:
    """Returns a recorded table: the value of a point is its best loss over all epochs.

    Args:
        name: The file, without `.csv`.
    """
    space = _TABLE_SPACES[name]
    with (TABLES / f"{name}.csv").open(newline="", encoding="utf-8") as lines:
        _, *rows = csv.reader(lines)
    wide = len(space)
    curves = {tuple(row[:wide]): tuple(map(float, row[wide:])) for row in rows}

    def value(point: Point) -> float:
        return min(curves[tuple(str(point[one]) for one in space)])

    return Problem(f"table {name}", space, value, min(map(min, curves.values())), curves=curves)


def problems() -> dict[str, Problem]:
    """Returns all problems by name."""
    return {one.name: one for one in (*FUNCTIONS, *map(table, _TABLE_SPACES))}
