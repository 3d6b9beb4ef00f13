"""The process that trains: its device, its rank among other processes, its folders, and the signals that stop it."""

from __future__ import annotations

import math
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import torch
from torch import Tensor, distributed

from kftune.errors import HparamsError, UsageError

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@dataclass
class Process:
    """One training process, alone or one of several that share the work.

    Attributes:
        device: The device of all tensors. Environment: KFTUNE_DEVICE; default: CUDA when there is a device.
        rank: The number of this process, from 0. Environment: RANK, set by torchrun.
        world_size: The number of processes. Environment: WORLD_SIZE.
        output_dir: The folder of checkpoint and summary. Environment: KFTUNE_OUTPUT_DIR; default: ``output``.
        data_dir: The folder of the readings; None for those in kftune. Environment: KFTUNE_DATA.
        stop_signal: The signal that asked this process to stop; 0 for none.
        stopped: Whether all processes know that one was asked to stop.
    """

    device: torch.device
    rank: int
    world_size: int
    output_dir: Path
    data_dir: Path | None
    stop_signal: int = field(default=0, init=False)
    stopped: bool = field(default=False, init=False)

    @property
    def is_first(self) -> bool:
        """Whether this process reports and writes."""
        return self.rank == 0

    @property
    def stops_now(self) -> bool:
        """Whether to stop right away, because there is only this process."""
        return self.stop_signal != 0 and self.world_size == 1

    def total(self, values: Tensor) -> Tensor:
        """Returns the sum of `values` over all processes."""
        if self.world_size > 1:
            distributed.all_reduce(values)
        return values

    def agree_to_stop(self) -> None:
        """Sets `stopped` in all processes when one of them was asked to stop; all must call it together."""
        asked = torch.tensor(float(self.stop_signal != 0), device=self.device)
        self.stopped = self.total(asked).item() > 0

    def check_batch_size(self, batch_size: int) -> None:
        """Rejects a batch that has no window for some of the processes.

        Raises:
            HparamsError: The batch is smaller than the number of processes.
        """
        if batch_size < self.world_size:
            raise HparamsError(
                f"batch_size must be at least the number of processes, which share a batch, but is {batch_size} "
                f"for {self.world_size} processes; raise it, or start fewer processes"
            )

    def share(self, indices: Tensor) -> Tensor:
        """Returns this process's part of `indices`."""
        return indices[self.rank :: self.world_size]


@contextmanager
def start_process(seed: int, device: torch.device | None = None) -> Iterator[Process]:
    """Seeds all random numbers, joins the other processes if there are any, and handles stop signals.

    Args:
        seed: The seed.
        device: The device of all tensors; None takes that of KFTUNE_DEVICE.

    Raises:
        UsageError: KFTUNE_DEVICE is invalid, or the device does not exist.
    """
    # cuBLAS repeats its results only with a fixed workspace, which it reads when CUDA starts.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(seed)
    keep_threads_in_quota()
    process = Process(
        device=device or device_named(os.environ.get("KFTUNE_DEVICE")),
        rank=int(os.environ.get("RANK", "0")),
        world_size=int(os.environ.get("WORLD_SIZE", "1")),
        output_dir=Path(os.environ.get("KFTUNE_OUTPUT_DIR") or "output"),
        data_dir=Path(data_dir) if (data_dir := os.environ.get("KFTUNE_DATA")) else None,
    )

    def note(number: int, _frame: FrameType | None) -> None:
        process.stop_signal = number

    previous = {number: signal.signal(number, note) for number in STOP_SIGNALS}
    if process.world_size > 1:
        distributed.init_process_group("nccl" if process.device.type == "cuda" else "gloo")
    try:
        yield process
    finally:
        if process.world_size > 1:
            distributed.destroy_process_group()
        for number, handler in previous.items():
            signal.signal(number, handler)


def keep_threads_in_quota() -> None:
    """Limits torch to the CPU threads that the container may use; torch counts all cores of the machine.

    OMP_NUM_THREADS, which torch reads itself, takes precedence.

    Source: Linux cgroup v2, ``cpu.max``: microseconds of CPU time allowed, or ``max``, and the period.
    """
    if os.environ.get("OMP_NUM_THREADS"):
        return
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
    except OSError:  # no cgroup v2, so the quota is unknown
        return
    if quota != "max":
        torch.set_num_threads(min(torch.get_num_threads(), math.ceil(int(quota) / int(period))))


def device_named(name: str | None) -> torch.device:
    """Returns a device, and makes it the one of this process.

    Args:
        name: ``cpu``, ``cuda`` or ``cuda:N``; None or empty for CUDA when there is a device, otherwise the CPU.

    Raises:
        UsageError: There is no such device.
    """
    name = name or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UsageError(f"KFTUNE_DEVICE must be cpu, cuda or cuda:N, but is {name!r}") from error
    if device.type not in ("cpu", "cuda"):
        raise UsageError(f"KFTUNE_DEVICE must be cpu, cuda or cuda:N, but is {name!r}")
    if device.type == "cpu":
        return device
    _, _, number = name.partition(":")
    index = int(number or os.environ.get("LOCAL_RANK", "0"))
    if index >= torch.cuda.device_count():
        raise UsageError(
            f"{name!r} needs CUDA device {index}, but torch finds {torch.cuda.device_count()}; "
            f"set KFTUNE_DEVICE=cpu, or start at most one process per device"
        )
    torch.cuda.set_device(index)
    return torch.device("cuda", index)
