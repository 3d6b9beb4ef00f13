"""Whether an error says that memory ran out."""

from __future__ import annotations

import torch

# The last one is from oneDNN. Where memory is not its reason, a smaller batch does not help, and the error remains.
_WORDS = (
    *("out of memory", "allocate memory", "not enough memory", "bad_alloc", "ALLOC_FAILED"),
    "could not create a primitive",
)


def memory_problem(error: BaseException) -> str | None:
    """Returns the first line of an error that says that memory ran out; None for another error.

    Args:
        error: The error.
    """
    text = str(error).partition("\n")[0]
    known = isinstance(error, (MemoryError, torch.OutOfMemoryError))
    if known or (isinstance(error, RuntimeError) and any(word in str(error) for word in _WORDS)):
        return text or type(error).__name__
    return None
