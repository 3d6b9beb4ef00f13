"""The process that trains: its device, its place among other processes, its folder, and how it is told to stop."""

from __future__ import annotations

import math
import os
import signal
from collections.abc import Callable, Iterator
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
    """One training process, of one or more that share the work.

    Attributes:
        device: Where tensors live. Environment: KFTUNE_DEVICE, else CUDA when there is a device.
        rank: This process among all, 0 first. Environment: RANK, set by torchrun.
        world_size: How many processes there are. Environment: WORLD_SIZE.
        output_dir: Where checkpoint and summary go. Environment: KFTUNE_OUTPUT_DIR, else ``output``.
        data_dir: Where the readings are, None for those that come with kftune. Environment: KFTUNE_DATA.
        stop_signal: The signal that asked this process to stop, 0 for none.
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
        """Whether this process is the one that reports and writes."""
        return self.rank == 0

    @property
    def stops_now(self) -> bool:
        """Whether to stop without asking the other processes, because there are none."""
        return self.stop_signal != 0 and self.world_size == 1

    def total(self, values: Tensor) -> Tensor:
        """The sum of `values` over all processes."""
        if self.world_size > 1:
            distributed.all_reduce(values)
        return values

    def agree_to_stop(self) -> None:
        """Sets `stopped` in all processes when one of them was asked to stop; all must call it together."""
        asked = torch.tensor(float(self.stop_signal != 0), device=self.device)
        self.stopped = self.total(asked).item() > 0

    def check_batch_size(self, batch_size: int) -> None:
        """Makes sure that a batch has something for each process.

        Raises:
            HparamsError: It has not.
        """
        if batch_size < self.world_size:
            raise HparamsError(
                f"batch_size is shared by all processes and must give each a window, but is {batch_size} "
                f"for {self.world_size} processes; raise it, or start fewer processes"
            )

    def share(self, indices: Tensor) -> Tensor:
        """This process's part of `indices`."""
        return indices[self.rank :: self.world_size]


@contextmanager
def start_process(seed: int) -> Iterator[Process]:
    """Seeds everything, joins the other processes when there are some, and listens to stop signals.

    Raises:
        UsageError: KFTUNE_DEVICE names no device that there is.
    """
    # cuBLAS repeats its results only with a fixed workspace, which it reads when CUDA starts.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(seed)
    _keep_threads_in_quota()
    process = Process(
        device=_device(),
        rank=int(os.environ.get("RANK", "0")),
        world_size=int(os.environ.get("WORLD_SIZE", "1")),
        output_dir=Path(os.environ.get("KFTUNE_OUTPUT_DIR") or "output"),
        data_dir=Path(data_dir) if (data_dir := os.environ.get("KFTUNE_DATA")) else None,
    )
    previous = {number: signal.signal(number, _note_in(process)) for number in STOP_SIGNALS}
    if process.world_size > 1:
        distributed.init_process_group("nccl" if process.device.type == "cuda" else "gloo")
    try:
        yield process
    finally:
        if process.world_size > 1:
            distributed.destroy_process_group()
        for number, handler in previous.items():
            signal.signal(number, handler)


def _note_in(process: Process) -> Callable[[int, FrameType | None], None]:
    def note(number: int, _frame: FrameType | None) -> None:
        process.stop_signal = number

    return note


def _keep_threads_in_quota() -> None:
    """Lets torch use no more CPU threads than the container may; torch counts the whole machine's cores.

    OMP_NUM_THREADS, which torch reads itself, has the last word.

    Source: Linux cgroup v2, ``cpu.max``: microseconds of CPU time allowed, or ``max``, and the period.
    """
    if os.environ.get("OMP_NUM_THREADS"):
        return
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
    except OSError:  # no cgroup v2, so no quota to know of
        return
    if quota != "max":
        torch.set_num_threads(min(torch.get_num_threads(), math.ceil(int(quota) / int(period))))


def _device() -> torch.device:
    name = os.environ.get("KFTUNE_DEVICE") or ("cuda" if torch.cuda.is_available() else "cpu")
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
            f"set KFTUNE_DEVICE=cpu, or start at most one process a device"
        )
    torch.cuda.set_device(index)
    return torch.device("cuda", index)
