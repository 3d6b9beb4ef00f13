"""What a training leaves in its output folder; every file is whole or absent, whenever the process is killed.

``hparams.json``   the hyperparameters, as `Hparams.from_dict` takes them
``model.pt``       the best epoch's weights and what else a prediction needs; loads with ``weights_only=True``
``summary.json``   how training ended, its epochs, and the best of them beside the baselines

The same hyperparameters, readings and versions give the same bytes.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from pickle import UnpicklingError  # only the error: nothing is unpickled here
from typing import Any

import torch

from kftune.errors import HparamsError
from kftune.hparams import Hparams
from kftune.training.folder import missing, read_json


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
    # Into memory first: a file's name would be written into it.
    buffer = io.BytesIO()
    torch.save(dict(state), buffer)
    _replace(folder / "model.pt", lambda temporary: temporary.write_bytes(buffer.getbuffer()))


def load_model(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The hyperparameters and the state that a training left in its output folder.

    Raises:
        HparamsError: The folder holds no finished epoch, or files of something else.
    """
    hparams = read_json(folder / "hparams.json")
    path = folder / "model.pt"
    rule = f"{path} must hold the weights of a training and nothing else"
    if not path.exists():
        raise missing(path)
    if not zipfile.is_zipfile(path):
        raise HparamsError(f"{rule}, but is no file that torch.save has written")
    try:
        return hparams, torch.load(path, map_location="cpu", weights_only=True)
    except (UnpicklingError, RuntimeError, ValueError) as error:
        raise HparamsError(f"{rule}, but: {str(error).partition(chr(10))[0]}") from error


def _replace(path: Path, write: Callable[[Path], object]) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        write(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
