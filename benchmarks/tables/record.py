"""Trains every point of a space and writes the losses as a table. A stopped recording goes on where it was."""

from __future__ import annotations

import csv
import itertools
import math
import multiprocessing
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

HERE = Path(__file__).resolve().parent
EPOCHS = 27
"""A power of 3, so that successive halving by 3 has full rungs: 1, 3, 9, 27."""
NO_LOSS = 1e6
"""Written from the epoch on whose loss is not finite, or is greater."""

Point = dict[str, str]
Train = Callable[[Point], Sequence[float]]


def record(name: str, values: Mapping[str, Sequence[object]], train: Train) -> None:
    """Writes `NAME.csv`: a line for each point, with its values and the loss after each epoch to five digits.

    Args:
        name: The table.
        values: The values of each hyperparameter.
        train: Returns the losses of a point; there may be fewer than `EPOCHS`.
    """
    # Many small models on few cores: a second thread only waits.
    os.environ["OMP_NUM_THREADS"] = "1"
    path = HERE / f"{name}.csv"
    names = list(values)
    points = [dict(zip(names, map(str, point), strict=True)) for point in itertools.product(*values.values())]
    if not path.exists():
        path.write_text(",".join([*names, *map(str, range(1, EPOCHS + 1))]) + "\n", encoding="utf-8")
    with path.open(newline="", encoding="utf-8") as lines:
        done = {tuple(row[name] for name in names) for row in csv.DictReader(lines)}
    left = [point for point in points if tuple(point.values()) not in done]
    with multiprocessing.get_context("spawn").Pool() as pool, path.open("a", encoding="utf-8") as out:
        for point, losses in zip(left, pool.imap(partial(_trained, train), left), strict=True):
            out.write(",".join([*point.values(), *losses]) + "\n")
            out.flush()


def _trained(train: Train, point: Point) -> list[str]:
    losses = [loss if math.isfinite(loss) else NO_LOSS for loss in train(point)]
    losses += [NO_LOSS] * (EPOCHS - len(losses))
    return [f"{min(loss, NO_LOSS):.5g}" for loss in losses]
