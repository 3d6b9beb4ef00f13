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


_SQLITE = "sqlite:///"


def a_source(text: str) -> Path:
    """Returns the path of what has trials, for the `type` of an argument; of ``sqlite:///x.db`` that of the file.

    Raises:
        ArgumentTypeError: The text is empty, the address of a database on a server, or not whole.
    """
    scheme, mark, _ = text.partition("://")
    if mark and not text.startswith(_SQLITE):
        raise argparse.ArgumentTypeError(
            f"kftune reads no {scheme} server; copy the study into a file: "
            f"optuna.copy_study(from_study_name=NAME, from_storage={text!r}, to_storage='sqlite:///study.db')"
        )
    if text.startswith("katib:") and text.endswith("/"):  # which a path would lose
        raise argparse.ArgumentTypeError(f"an Experiment on a cluster is katib:NAMESPACE/NAME, but got {text!r}")
    return a_path(text.removeprefix(_SQLITE))


def a_count(text: str) -> int:
    """Returns a number of things, for the `type` of an argument.

    Raises:
        ArgumentTypeError: It is none, or below 1.
    """
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"must be a whole number from 1, but is {text!r}")
    return int(text)
