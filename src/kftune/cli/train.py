"""Trains a model here, in this process: ``python -m kftune.training MODEL`` for people."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """Trains, or prints help or hyperparameters.

    Args:
        arguments: Model and hyperparameters; the class of the model reads them, so no parser of kftune does.
    """
    from kftune.training.__main__ import end_on_sigterm, main

    if os.getcwd() not in sys.path:  # noqa: PTH109  # as `python -m` adds it: modules of the project find each other
        sys.path.insert(0, os.getcwd())  # noqa: PTH109
    end_on_sigterm()
    return main(arguments, "kftune train")
