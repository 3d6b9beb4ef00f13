"""kftune's reader, as a local run uses it: `python -m benchmarks.d_ours FILE`, or `-` for standard input."""

from __future__ import annotations

import os
import sys

from kftune.metrics.curves import MOST
from kftune.metrics.reduction import Reducer, reduce_file

NAMES = ("loss", "accuracy")


def live() -> Reducer:
    reducer = Reducer(NAMES, most=MOST)
    while chunk := os.read(0, 1 << 16):
        reducer.feed(chunk)
    reducer.close()
    return reducer


def main() -> None:
    reducer = live() if sys.argv[1] == "-" else reduce_file(sys.argv[1], NAMES)
    for name in NAMES:
        found = reducer.results[name]
        print(name, found.count, float(found.min), float(found.max), float(found.latest))


if __name__ == "__main__":
    main()
