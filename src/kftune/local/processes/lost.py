"""Tells what ended a process: something outside, as the loss of a node ends a pod, or the want of memory."""

from __future__ import annotations

import re
from pathlib import Path

from kftune.local.processes.process import TrialProcess

_COUNTERS = Path("/proc/vmstat")
_OUT_OF_MEMORY = re.compile(rb"^oom_kill (\d+)$", re.MULTILINE)


class LossWatch:
    """Watches a process that starts now.

    A kill for want of memory is a failure of the program: it needs more than the machine, or its container, has. Its
    exit code is that of any SIGKILL, and podman does not tell it apart, but the kernel counts such kills. So SIGKILL
    counts as a loss only if the kernel has killed nothing for want of memory meanwhile; elsewhere than on Linux, never.
    """

    def __init__(self) -> None:
        self._before = _killed_for_memory()

    def lost(self, process: TrialProcess) -> str:
        """Returns the signal by which something outside ended a process; empty if nothing did.

        Args:
            process: The process, which has ended.
        """
        if process.cut_short or process.returncode is None:
            return ""
        name = process.endings.get(process.returncode, "")
        if name == "SIGKILL" and (self._before is None or self._before != _killed_for_memory()):
            return ""
        return name

    def ran_out_of_memory(self, process: TrialProcess) -> bool:
        """Whether a process was ended by SIGKILL while the kernel killed some process for want of memory.

        Args:
            process: The process, which has ended.
        """
        code = process.returncode
        return code is not None and process.endings.get(code) == "SIGKILL" and self.memory_ran_out()

    def memory_ran_out(self) -> bool:
        """Whether the kernel has killed some process for want of memory since the start."""
        return self._before is not None and self._before != _killed_for_memory()


def why_lost(name: str) -> str:
    """Returns why a process that was lost did not succeed.

    Args:
        name: The signal that ended it.
    """
    return f"was ended from outside by {name}"


def _killed_for_memory() -> int | None:
    """Returns how many processes the kernel has killed for want of memory; None where it does not tell.

    Source: Linux 4.13, mm/oom_kill.c: OOM_KILL counts those of the machine and of all control groups.
    """
    try:
        found = _OUT_OF_MEMORY.search(_COUNTERS.read_bytes())
    except OSError:
        return None
    return None if found is None else int(found[1])
