"""What a training leaves in its output folder; every file is whole or absent, whenever the process is killed.

``hparams.json``   the hyperparameters, as `Hparams.from_dict` takes them
``model.pt``       the best epoch's weights and what else a prediction needs; loads with ``weights_only=True``
``summary.json``   how training ended, and its best epoch beside the baselines
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from kftune.errors import HparamsError
from kftune.hparams import Hparams


def start_output(folder: Path, hparams: Hparams) -> None:
    """Makes `folder` the output of a new training: nothing of an earlier one stays.

    Raises:
        OSError: The folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # First: a model of other hyperparameters must not lie beside the new ones, not even after a kill in between.
    for name in ("model.pt", "summary.json"):
        (folder / name).unlink(missing_ok=True)
    write_json(folder / "hparams.json", hparams.to_dict())


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Writes a JSON file in one step."""
    text = json.dumps(value, indent=2, allow_nan=False) + "\n"
    _replace(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def save_model(folder: Path, state: Mapping[str, Any]) -> None:
    """Writes ``model.pt`` in one step.

    Args:
        folder: The output folder.
        state: Tensors, numbers, text, and dicts and lists of them.
    """
    _replace(folder / "model.pt", lambda temporary: torch.save(dict(state), temporary))


def load_model(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The hyperparameters and the state that a training left in its output folder.

    Raises:
        HparamsError: The folder holds no finished epoch.
    """
    try:
        hparams = json.loads((folder / "hparams.json").read_text(encoding="utf-8"))
        state = torch.load(folder / "model.pt", map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise HparamsError(
            f"an output folder holds hparams.json and model.pt once an epoch is done, but {error.filename} is missing"
        ) from error
    return hparams, state


def _replace(path: Path, write: Callable[[Path], object]) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        write(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
