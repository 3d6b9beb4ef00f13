"""Writes metrics as TensorBoard reads them, without TensorBoard: one file of events with scalars.

`kftune.katib.trial.event_files` reads such files as Katib's TensorFlowEvent collector does.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only

from kftune.katib.trial.event_files import framed


class EventFiles(Logger):
    """A logger of Lightning that writes ``FOLDER/events.out.tfevents.…``.

    Args:
        folder: The folder.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self._file: BinaryIO | None = None

    @property
    def name(self) -> str:
        """The name of the logger."""
        return "tensorboard"

    @property
    def version(self) -> str:
        """Nothing: each training has a folder of its own."""
        return ""

    @property
    def save_dir(self) -> str:
        """The folder."""
        return str(self._folder)

    @rank_zero_only
    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Does nothing: hparams.json in the output folder has them.

        Args:
            params: The hyperparameters.
            *args: Nothing.
            **kwargs: Nothing.
        """

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Writes metrics.

        Args:
            metrics: Name -> value.
            step: The step that they belong to.
        """
        self._write(_event(step or 0, b"".join(_value(name, value) for name, value in metrics.items())))

    @rank_zero_only
    def save(self) -> None:
        """Hands what is written to the system."""
        if self._file is not None:
            self._file.flush()

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Closes the file.

        Args:
            status: How the training ended.
        """
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write(self, event: bytes) -> None:
        if self._file is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            name = f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}.{os.getpid()}.{time.time_ns()}"
            self._file = (self._folder / name).open("wb")
            # Source: TensorBoard's writer: the first event says the version.
            self._file.write(framed(_field(1, time.time()) + _field(3, b"brain.Event:2")))
        self._file.write(framed(event))
        self._file.flush()


# Source: tensorflow, core/util/event.proto and core/framework/summary.proto: numbers of the fields.
def _event(step: int, summary: bytes) -> bytes:
    return _field(1, time.time()) + b"\x10" + _varint(step) + _field(5, summary)


def _value(name: str, value: float) -> bytes:
    return _field(1, _field(1, name.encode()) + b"\x15" + struct.pack("<f", value))


def _field(number: int, value: bytes | float) -> bytes:
    """Returns a field of a message: bytes with their length, or a 64-bit number."""
    if isinstance(value, float):
        return bytes([number << 3 | 1]) + struct.pack("<d", value)
    return bytes([number << 3 | 2]) + _varint(len(value)) + value


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])
