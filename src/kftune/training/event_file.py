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

from kftune.katib.trial.event_files import framed


class EventFile:
    """The file ``FOLDER/events.out.tfevents.…`` of one training; it is made with the first metrics.

    Args:
        folder: The folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path: Path | None = None

    def add(self, step: int, metrics: Mapping[str, float]) -> None:
        """Writes metrics.

        Args:
            step: The step or the epoch that they belong to.
            metrics: Name -> value.

        Raises:
            OSError: The folder cannot be written.
        """
        events = [_event(step, b"".join(_value(name, value) for name, value in metrics.items()))]
        if self._path is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            name = f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}.{os.getpid()}.{time.time_ns()}"
            self._path = self._folder / name
            # Source: TensorBoard's writer: the first event says the version.
            events.insert(0, _field(1, time.time()) + _field(3, b"brain.Event:2"))
        with self._path.open("ab") as file:
            file.write(b"".join(map(framed, events)))


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
