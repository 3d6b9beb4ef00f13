"""Names the part of a training that refuses its hyperparameters."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kftune.errors import HparamsError, UnknownNameError, YamlError


@contextmanager
def raised_as(kind: type[HparamsError]) -> Iterator[None]:
    """Raises the errors of a function, or of a `with` block, about values and files as errors of one class.

    Args:
        kind: The class.
    """
    try:
        yield
    except (HparamsError, UnknownNameError, YamlError) as error:
        raise kind(str(error)) from error
