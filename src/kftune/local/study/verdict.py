"""How a trial ended: its state as Katib has them, and why it did not succeed, in words that help."""

from __future__ import annotations

import re
import signal
from pathlib import Path

from kftune.local.processes.process import TrialProcess
from kftune.local.study.plan import Plan, Reader
from kftune.results.records import State

_TAIL = 1 << 12
_LAST_LINES = 5
LONGEST_LINE = 200
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")


def judge(plan: Plan, process: TrialProcess, reader: Reader, log: Path) -> tuple[State, str]:
    """The state of a trial that ended by itself or by its time limit, and what is to be said about it.

    Success is exit code 0 and a value of the objective.

    Source: katib, a trial without its objective is MetricsUnavailable (pkg/controller.v1beta1/trial).
    """
    failed = why_failed(process, log, plan.limit_name) or reader.why_failed()
    if failed:
        return "Failed", failed
    unavailable = reader.why_unavailable(log)
    return ("MetricsUnavailable", unavailable) if unavailable else ("Succeeded", "")


def why_failed(process: TrialProcess, log: Path, limit_name: str) -> str:
    """Why a process that has ended has failed; empty when it has not."""
    if process.timed_out:
        return f"ran longer than {limit_name} ({process.timeout:g} s) and was stopped{last_lines(log)}"
    if process.returncode:
        return f"{(process.exit_text or _exit_text)(process.returncode)}{last_lines(log)}"
    return ""


def _exit_text(code: int) -> str:
    number = -code if code < 0 else code - 128
    try:
        name = signal.Signals(number).name if number > 0 else ""
    except ValueError:
        name = ""
    if code < 0:
        text = f"was ended by {name or f'signal {number}'}"
    else:
        text = f"exit code {code}{f' (128 + {name})' if name else ''}"
    if name == "SIGKILL":
        text += "; the machine may have run out of memory"
    if code == 127:
        text += "; a shell says so when it does not find a program"
    return text


def last_lines(log: Path) -> str:
    """What a log ends with, to be put behind a message."""
    lines = [line for line in readable(end_of(log, _TAIL)).splitlines() if line.strip()][-_LAST_LINES:]
    if not lines:
        return "; it printed nothing"
    shown = (line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE - 1]}…" for line in lines)
    return "; its last lines:\n" + "\n".join(f"  {line}" for line in shown)


def end_of(log: Path, size: int) -> bytes:
    """The last bytes of a log."""
    with log.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - size))
        return file.read()


def readable(text: bytes) -> str:
    """Text for a terminal: no control characters; of a line that was overwritten in place, its parts as lines."""
    return _CONTROL.sub("", text.decode("utf-8", "replace").replace("\r", "\n"))
