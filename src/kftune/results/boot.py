"""The start of this machine: numbers of processes mean nothing after the next one."""

from __future__ import annotations

from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """Returns what tells this start of the machine from others; empty where the system has no such number.

    Source: Linux, drivers/char/random.c: a random UUID that is made once per start.
    """
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return ""
