"""What an epoch cost: time, memory, CPU, and GPU where there is one."""

from __future__ import annotations

import ctypes
import os
import time
from functools import cache
from pathlib import Path

import torch

_MIB = 2**20
_NVML_SUCCESS = 0


class Meter:
    """Measures an epoch of this process.

    Args:
        device: The device of the tensors.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._loads: list[int] = []
        self._begun = self._sampled = time.monotonic()
        self._cpu = _cpu_seconds()
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)

    def sample(self) -> None:
        """Notes the utilisation of the GPU, at most once a second; between two batches it costs nothing else."""
        now = time.monotonic()
        if self._device.type == "cuda" and now - self._sampled >= 1:
            self._sampled = now
            load = gpu_utilisation(self._device)
            self._loads += [] if load is None else [load]

    def read(self, examples: int, seconds: float) -> dict[str, float]:
        """Returns what the epoch cost so far, by name.

        Args:
            examples: The examples that it has learned from.
            seconds: How long that took; the rest of the epoch is validation.
        """
        passed = time.monotonic() - self._begun
        found = {
            "seconds": passed,
            "examples_per_second": examples / seconds if seconds > 0 else 0.0,
            "cpu_percent": 100 * (_cpu_seconds() - self._cpu) / passed if passed > 0 else 0.0,
            "rss_mib": _rss() / _MIB,
        }
        if self._device.type == "cuda":
            found["gpu_memory_mib"] = torch.cuda.max_memory_allocated(self._device) / _MIB
            if not self._loads:
                load = gpu_utilisation(self._device)
                self._loads += [] if load is None else [load]
            if self._loads:
                found["gpu_percent"] = sum(self._loads) / len(self._loads)
        return found


def _cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _rss() -> int:
    """Returns the resident memory of this process in bytes.

    Source: Linux, proc_pid_statm(5): the second number is resident pages.
    """
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGESIZE")
    except OSError:  # not Linux
        import resource  # noqa: PLC0415  # only where there is no /proc

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


class _Utilization(ctypes.Structure):
    _fields_ = (("gpu", ctypes.c_uint), ("memory", ctypes.c_uint))


def gpu_utilisation(device: torch.device) -> int | None:
    """Returns how busy a GPU was, in percent, as its driver says; None if the driver cannot be asked.

    Source: NVML, nvmlDeviceGetHandleByUUID and nvmlDeviceGetUtilizationRates: percent of time in which a kernel ran,
    over the last sample of 1/6 to 1 second.

    Args:
        device: The GPU.
    """
    library = _nvml()
    if library is None:
        return None
    handle, rates = ctypes.c_void_p(), _Utilization()
    name = f"GPU-{torch.cuda.get_device_properties(device).uuid}".encode()
    if library.nvmlDeviceGetHandleByUUID(name, ctypes.byref(handle)) != _NVML_SUCCESS:
        return None
    if library.nvmlDeviceGetUtilizationRates(handle, ctypes.byref(rates)) != _NVML_SUCCESS:
        return None
    return int(rates.gpu)


@cache
def _nvml() -> ctypes.CDLL | None:
    try:
        library = ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return None
    return library if library.nvmlInit_v2() == _NVML_SUCCESS else None
