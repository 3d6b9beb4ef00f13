"""The GPUs of this machine, and how trials share them."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from kftune.errors import RunError


class SharedDevices:
    """The GPUs here, shared out so that no two trials have the same one.

    Args:
        each: How many a trial asks for.
        gpus: The devices to share out; None finds them, and an empty sequence lets trials run without.
        asked: What its file calls `each`.

    Attributes:
        all: Every device.
        used: Whether trials are told which devices they may see.
        trials_at_once: How many trials the devices are enough for; None when they set no limit.

    Raises:
        RunError: There are too few.
    """

    def __init__(self, each: int, gpus: Sequence[str] | None, asked: str = "step.resources.gpu") -> None:
        self._each = each
        self.used = bool(each) or (gpus is not None and not gpus)
        self.all = tuple(find_gpus() if gpus is None else gpus) if each else ()
        self._free = list(self.all)
        if gpus is None and each > len(self.all):
            raise RunError(
                f"each trial needs {each} GPU(s) ({asked}), but here "
                f"{'is' if len(self.all) == 1 else 'are'} {len(self.all) or 'none'}; run it elsewhere, or without GPUs "
                f"(--gpus none)"
            )
        if gpus and each > len(self.all):
            raise RunError(f"each trial needs {each} GPUs ({asked}), but got {', '.join(gpus)}")
        self.trials_at_once = len(self.all) // each if self.all else None

    def limit(self, wanted: int, notes: list[str]) -> int:
        """How many of the wanted trials can run at once; a smaller number is noted."""
        if self.trials_at_once is None or self.trials_at_once >= wanted:
            return wanted
        notes.append(
            f"{self.trials_at_once} of {wanted} trials at once: each has {self._each} of the {len(self.all)} GPUs here"
        )
        return self.trials_at_once

    def take(self) -> tuple[str, ...]:
        """The devices of one more trial."""
        if not self.all:
            return ()
        taken, self._free = self._free[: self._each], self._free[self._each :]
        return tuple(taken)

    def give_back(self, devices: Sequence[str]) -> None:
        """Devices that a trial no longer uses; the lowest are taken first."""
        self._free = sorted((*self._free, *devices), key=self.all.index)


def find_gpus() -> tuple[str, ...]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        listed = [device.strip() for device in visible.split(",")]
        # CUDA itself stops reading at the first that is none.
        end = next((index for index, device in enumerate(listed) if device in ("", "-1")), len(listed))
        return tuple(listed[:end])
    # A container may hold any of the machine's device files; CUDA counts those that it finds from 0.
    count = sum(1 for path in Path("/dev").glob("nvidia*") if re.fullmatch(r"nvidia\d+", path.name))
    return tuple(map(str, range(count)))
