"""Runs one side of a benchmark inside a process: repeats the same call, in chunks."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from time import perf_counter

CHUNK_SECONDS = 0.03


def serve(work: Callable[[], object]) -> None:
    """Answers each line on standard input with the microseconds per call, the mean over a chunk of calls.

    Garbage collection stays on. Earlier objects are frozen, so each side pays for its own garbage only.
    """
    work()
    loops = max(1, round(CHUNK_SECONDS / min(_seconds(work, 3) for _ in range(3))))
    gc.collect()
    gc.freeze()
    for _ in sys.stdin:
        print(_seconds(work, loops) * 1e6, flush=True)


def _seconds(work: Callable[[], object], loops: int) -> float:
    started = perf_counter()
    for _ in range(loops):
        work()
    return (perf_counter() - started) / loops
