"""Writes and loads the output folder of a training. A kill at any moment leaves each file complete or absent.

``hparams.json``   the hyperparameters, in the form that `Hparams.from_dict` takes
``model.pt``       the best epoch's weights and what else a prediction needs; loads with ``weights_only=True``
``summary.json``   how training ended, its epochs, the best epoch, and the baselines

The same hyperparameters, readings and versions give the same bytes.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError  # only the error; nothing is unpickled here
from typing import Any

import torch

from kftune.errors import HparamsError
from kftune.files import replacing, write_text
from kftune.hparams import Hparams
from kftune.training.folder import missing, read_json


def start_output(folder: Path, hparams: Hparams) -> None:
    """Prepares `folder` for a new training and removes the output of an earlier one.

    Args:
        folder: The output folder; created when missing.
        hparams: The hyperparameters of the new training.

    Raises:
        OSError: The folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # First, so that even after a kill no model is left with the hyperparameters of another one.
    for name in ("model.pt", "summary.json"):
        (folder / name).unlink(missing_ok=True)
    write_json(folder / "hparams.json", hparams.to_dict())


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Writes a JSON file in one step.

    Args:
        path: The file.
        value: Its content.
    """
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def save_model(folder: Path, state: Mapping[str, Any]) -> None:
    """Writes ``model.pt`` in one step.

    Args:
        folder: The output folder.
        state: Tensors, numbers, text, and dicts and lists of them.
    """
    save_state(folder / "model.pt", state)


def save_state(path: Path, state: Mapping[str, Any]) -> None:
    """Writes a file of torch in one step.

    Args:
        path: The file.
        state: Tensors, numbers, text, and dicts and lists of them.
    """
    # Into memory first, because torch.save writes the name of a file into it.
    buffer = io.BytesIO()
    torch.save(dict(state), buffer)
    with replacing(path) as file:
        file.buffer.write(buffer.getbuffer())


def load_model(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Loads the hyperparameters and the state from a training's output folder.

    Raises:
        HparamsError: The folder contains no finished epoch, or other files.
    """
    hparams = read_json(folder / "hparams.json")
    path = folder / "model.pt"
    if not path.exists():
        raise missing(path)
    return hparams, load_state(path)


def load_state(path: Path) -> dict[str, Any]:
    """Loads what `save_state` wrote. It runs no code from the file.

    Raises:
        HparamsError: It is another file.
    """
    rule = f"{path} must contain the weights of a training and nothing else"
    if not zipfile.is_zipfile(path):
        raise HparamsError(f"{rule}, but torch.save did not write it")
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (UnpicklingError, RuntimeError, ValueError) as error:
        raise HparamsError(f"{rule}, but: {str(error).partition(chr(10))[0]}") from error
    return state
