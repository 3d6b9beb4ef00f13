"""The lower bound: the same children in sequence. `python -m benchmarks.c_raw N` prints seconds per trial."""

from __future__ import annotations

import json
import subprocess
import sys
from time import perf_counter

from benchmarks.c_child import CHILD


def main() -> None:
    count = int(sys.argv[1])
    started = perf_counter()
    for _ in range(count):
        done = subprocess.run(CHILD, stdout=subprocess.PIPE, check=True)
        assert done.stdout == b"loss=0.1\n"
    print(json.dumps({"trial": (perf_counter() - started) / count}))


if __name__ == "__main__":
    main()
