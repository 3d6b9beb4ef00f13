"""Writes a log of a million lines, the same one every time: `python -m benchmarks.d_logs sparse|dense FILE`."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from pathlib import Path

LINES = 1_000_000
WORDS = (
    "loading",
    "batch",
    "from the cache",
    "worker",
    "finished shard",
    "no errors;",
    "queue is at",
    "device",
    "left",
)


def sparse(chance: random.Random) -> Iterator[str]:
    """Yields lines of which 5 % have metrics; the others are prose with timestamps."""
    for number in range(LINES):
        clock = f"2026-11-21T{number // 36000 % 24:02d}:{number // 600 % 60:02d}:{number // 10 % 60:02d}Z"
        if number % 20 == 0:
            yield f"{clock} epoch {number // 2000} loss={chance.random():.6f} accuracy={chance.random():.4f}\n"
        else:
            yield f"{clock} INFO trainer: {' '.join(chance.choices(WORDS, k=7))} {chance.randrange(10**6)}\n"


def dense(chance: random.Random) -> Iterator[str]:
    """Yields lines with five pairs each; two of the pairs are metrics to read."""
    for number in range(LINES):
        yield (
            f"step={number} loss={chance.random():.8f} accuracy={chance.random():.6f} "
            f"lr={chance.random() * 1e-3:.3e} throughput={chance.random() * 1000:.2f} images/s\n"
        )


def main() -> None:
    kind, path = sys.argv[1:]
    lines = {"sparse": sparse, "dense": dense}[kind]
    with Path(path).open("w", encoding="utf-8") as file:
        file.writelines(lines(random.Random(0)))


if __name__ == "__main__":
    main()
