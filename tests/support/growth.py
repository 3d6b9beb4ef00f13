"""Measures work independently of the load of the machine: by calls, or by time relative to half the input."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import TypeVar

Input = TypeVar("Input")

_TRIES = 5
# Linear work takes twice the time for twice the input, quadratic work four times.
_MOST_FACTOR = 3.0
# Below this, fixed costs and the clock dominate.
_SMALL_SECONDS = 0.05


def is_linear(work: Callable[[Input], object], half: Input, whole: Input) -> bool:
    """Whether the work grows in proportion to its input.

    Args:
        work: The work to measure, in CPU time of this process.
        half: An input of half the size.
        whole: The input.

    Returns:
        Whether one of a few tries takes less than three times the time of the half.
    """
    return any(_seconds(work, whole) <= _MOST_FACTOR * _seconds(work, half) + _SMALL_SECONDS for _ in range(_TRIES))


def _seconds(work: Callable[[Input], object], given: Input) -> float:
    gc.freeze()  # what other tests have left is not searched for garbage meanwhile, which takes longer than the work
    try:
        begin = time.process_time()
        work(given)
        return time.process_time() - begin
    finally:
        gc.unfreeze()


def calls_of(work: Callable[[], object]) -> int:
    """Returns the number of function calls that the work makes, including calls into C."""
    count = 0

    def note(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count
