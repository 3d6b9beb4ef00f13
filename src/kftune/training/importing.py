"""Surrounds an import of torch or Lightning."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from kftune.errors import MissingExtraError

_EXTRAS = {"torch": "train", "pytorch_lightning": "lightning"}


@contextmanager
def torch_import() -> Iterator[None]:
    """Surrounds an import of torch or Lightning: hides torch's warning about numpy, and names a missing extra."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Failed to initialize NumPy", UserWarning)
            yield
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get(error.name or "")
        if extra is None:
            raise
        raise MissingExtraError(extra, str(error.name)) from error
