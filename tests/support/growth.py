"""What work costs, measured so that a busy machine changes nothing: calls, or time beside an input half as large."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import TypeVar

Input = TypeVar("Input")

_TRIES = 5
# Twice the input costs twice the time; four times the time would be quadratic.
_MOST_FACTOR = 3.0
# Below this, the fixed costs and the clock decide.
_SMALL_SECONDS = 0.05


def is_linear(work: Callable[[Input], object], half: Input, whole: Input) -> bool:
    """Whether the work grows in proportion to its input.

    Args:
        work: What is measured, in CPU time of this process.
        half: An input of half the size.
        whole: The input.

    Returns:
        Whether one of a few tries stays below three times the cost of the half.
    """
    return any(_seconds(work, whole) <= _MOST_FACTOR * _seconds(work, half) + _SMALL_SECONDS for _ in range(_TRIES))


def _seconds(work: Callable[[Input], object], given: Input) -> float:
    begin = time.process_time()
    work(given)
    return time.process_time() - begin


def calls_of(work: Callable[[], object]) -> int:
    """The number of function calls that the work makes, those into C included."""
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
