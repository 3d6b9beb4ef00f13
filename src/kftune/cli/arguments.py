"""Types of command-line arguments that several commands share."""

from __future__ import annotations

import argparse
from pathlib import Path


def a_path(text: str) -> Path:
    """Returns a path, for the `type` of an argument.

    Raises:
        ArgumentTypeError: The text is empty; Python would take it for the current folder.
    """
    if not text:
        raise argparse.ArgumentTypeError("a path must not be empty; write . for the current folder")
    return Path(text)
