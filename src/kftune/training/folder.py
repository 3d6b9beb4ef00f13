"""What a training left in its output folder, read without torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kftune.errors import HparamsError

_SUMMARY = ("circuit", "epochs", "best", "history", "windows", "versions")


def missing(path: Path) -> HparamsError:
    """The error for a file that a finished training would have left."""
    return HparamsError(
        f"the folder of a training holds hparams.json and model.pt once an epoch is done, and summary.json at the "
        f"end, but {path} is missing"
    )


def read_json(path: Path) -> dict[str, Any]:
    """A JSON file that holds a mapping.

    Raises:
        HparamsError: It is missing, or holds something else.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise missing(path) from error
    except ValueError as error:
        raise HparamsError(f"{path} must hold JSON, but does not: {error}") from error
    if not isinstance(found, dict):
        raise HparamsError(f"{path} must hold a JSON mapping, but holds {found!r}")
    return found


def read_summary(folder: Path) -> dict[str, Any]:
    """How the training that wrote `folder` ended, with at least one epoch.

    Raises:
        HparamsError: It has not ended, had no epoch, or something else wrote the folder.
    """
    path = folder / "summary.json"
    found = read_json(path)
    lacking = next((key for key in _SUMMARY if not found.get(key)), None)
    if lacking is not None:
        raise HparamsError(f"{path} must be what a training with an epoch or more has left, but has no {lacking!r}")
    if not (folder / "model.pt").is_file():
        raise missing(folder / "model.pt")
    return found
