"""Finds the GPUs of this machine, and shares them."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from kftune.errors import RunError


class DevicePool:
    """GPUs that are taken and given back; no device is taken twice.

    Args:
        all: Every device.

    Attributes:
        all: Every device.
        free: The unused devices; the lowest are taken first.
    """

    def __init__(self, all: Sequence[str]) -> None:  # the attribute's name
        self.all = tuple(all)
        self.free = [*self.all]

    def pop(self, count: int) -> tuple[str, ...]:
        """Takes as many devices."""
        taken, self.free = self.free[:count], self.free[count:]
        return tuple(taken)

    def give_back(self, devices: Sequence[str]) -> None:
        """Takes back unused devices."""
        self.free = sorted((*self.free, *devices), key=self.all.index)


class SharedDevices(DevicePool):
    """The GPUs of this machine, shared among trials.

    Args:
        each: How many a trial asks for.
        gpus: The devices to share; None finds them, and an empty sequence lets trials run without.
        asked: What its file calls `each`.

    Attributes:
        used: Whether CUDA_VISIBLE_DEVICES is set for trials.

    Raises:
        RunError: There are too few.
    """

    def __init__(self, each: int, gpus: Sequence[str] | None, asked: str = "step.resources.gpu") -> None:
        self._each = each
        self.used = bool(each) or (gpus is not None and not gpus)
        super().__init__((find_gpus() if gpus is None else gpus) if each else ())
        if gpus is None and each > len(self.all):
            raise RunError(
                f"each trial needs {each} GPU(s) ({asked}), but here "
                f"{'is' if len(self.all) == 1 else 'are'} {len(self.all) or 'none'}; run it elsewhere, or without GPUs "
                f"(--gpus none)"
            )
        if gpus and each > len(self.all):
            raise RunError(f"each trial needs {each} GPUs ({asked}), but got {', '.join(gpus)}")

    def limit(self, wanted: int, notes: list[str]) -> int:
        """Returns how many trials can run at the same time.

        Args:
            wanted: How many should.
            notes: Gets a note if fewer can.
        """
        most = len(self.all) // self._each if self.all else wanted
        if most < wanted:
            notes.append(f"{most} of {wanted} trials at once: each has {self._each} of the {len(self.all)} GPUs here")
        return min(most, wanted)

    def take(self) -> tuple[str, ...]:
        """Takes the devices of one more trial."""
        return self.pop(self._each if self.all else 0)


def find_gpus() -> tuple[str, ...]:
    """Returns the GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        listed = [device.strip() for device in visible.split(",")]
        # CUDA stops reading at the first that is not a device.
        end = next((index for index, device in enumerate(listed) if device in ("", "-1")), len(listed))
        return tuple(listed[:end])
    # A container may have any of the machine's device files; CUDA numbers the ones it finds from 0.
    count = sum(1 for path in Path("/dev").glob("nvidia*") if re.fullmatch(r"nvidia\d+", path.name))
    return tuple(map(str, range(count)))
