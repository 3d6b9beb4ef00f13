"""Reads the output folder of a training, without torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kftune import json_input
from kftune.errors import HparamsError

_SUMMARY = ("epochs", "best", "history", "versions")


def missing(path: Path) -> HparamsError:
    """Returns the error for a file that a finished training would have written."""
    return HparamsError(
        f"a training writes hparams.json and model.pt after its first epoch, and summary.json at the end, "
        f"but {path} is missing"
    )


def read_json(path: Path) -> dict[str, Any]:
    """Returns the mapping in a JSON file.

    Raises:
        HparamsError: The file is missing, or contains something else.
    """
    try:
        found = json_input.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise missing(path) from error
    except ValueError as error:
        raise HparamsError(f"{path} must contain JSON, but does not: {error}") from error
    if not isinstance(found, dict):
        raise HparamsError(f"{path} must contain a JSON mapping, but contains {found!r}")
    return found


def read_summary(folder: Path) -> dict[str, Any]:
    """Returns the summary of a training that ended with at least one epoch.

    Raises:
        HparamsError: The training has not ended, had no epoch, or did not write this folder.
    """
    path = folder / "summary.json"
    found = read_json(path)
    lacking = next((key for key in _SUMMARY if not found.get(key)), None)
    if lacking is not None:
        raise HparamsError(f"{path} must be the summary of a training with at least one epoch, but has no {lacking!r}")
    if not (folder / "model.pt").is_file():
        raise missing(folder / "model.pt")
    return found
