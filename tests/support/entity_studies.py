"""Entities in memory whose best values are known: each has a level, a scale and a small shift of its own."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from report_studies import recorded

from kftune.results.export import to_json, to_text
from kftune.results.trials import Recorded

SPACE = {
    "x": {"uniform": [0.0, 1.0]},
    "lr": {"loguniform": [1e-4, 1e-1]},
    "units": {"choice": [16, 32, 64]},
    "optimizer": {"choice": ["adam", "sgd", "rmsprop"]},
}
X, LR = 0.3, 10**-2.5
BEST = {"x": X, "lr": LR, "optimizer": "adam"}
"""The best values on average; the number of units does not matter."""
ODD = 0.9
"""Where x is best in an odd entity."""
_NOISE = 0.02


def height(point: Mapping[str, Any], x: float = X, lr: float = math.log10(LR)) -> float:
    """Returns how much worse than the best a point is, in an entity with its best at `x` and `lr`."""
    named = {"adam": 0.0, "sgd": 0.3, "rmsprop": 0.5}[point["optimizer"]]
    return float((point["x"] - x) ** 2 * 4 + (math.log10(point["lr"]) - lr) ** 2 / 2 + named)


def entities(
    count: int, trials: int, *, odd: int = 0, seed: int = 1, prefix: str = "e", **known: Any
) -> list[Recorded]:
    """Returns entities with random trials.

    Args:
        count: How many.
        trials: The number of trials of each.
        odd: How many of them have their best elsewhere; they come first.
        seed: Of all random numbers.
        prefix: What their names begin with.
        **known: What else is known of each study.
    """
    rng = random.Random(seed)
    found = []
    for number in range(count):
        level, scale = rng.gauss(0, 50), 10 ** rng.uniform(-2, 2)
        x = ODD if number < odd else X + rng.gauss(0, 0.05)
        lr = -2.5 + rng.gauss(0, 0.05)
        points = [
            {
                "x": rng.random(),
                "lr": 10 ** rng.uniform(-4, -1),
                "units": rng.choice([16, 32, 64]),
                "optimizer": rng.choice(["adam", "sgd", "rmsprop"]),
            }
            for _ in range(trials)
        ]
        values = [level + scale * (height(point, x, lr) + rng.gauss(0, _NOISE)) for point in points]
        found.append(recorded(points, values, name=f"{prefix}{number:03}", **{"space": SPACE, **known}))
    return found


def saved(folder: Path, given: list[Recorded]) -> list[Path]:
    """Writes each entity into a file; returns the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{each.meta.name}.json" for each in given]
    for path, each in zip(paths, given, strict=True):
        path.write_text(to_text(to_json(each)), encoding="utf-8")
    return paths
