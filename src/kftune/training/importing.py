"""Surrounds an import of torch."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from kftune.errors import MissingExtraError


@contextmanager
def torch_import() -> Iterator[None]:
    """Surrounds an import of torch: hides its warning about numpy, and names the extra when torch is missing."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Failed to initialize NumPy", UserWarning)
            yield
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise MissingExtraError("train", "torch") from error
