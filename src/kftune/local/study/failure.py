"""Explains how a trial or step ended: its state, and why it failed, with the last lines of its log."""

from __future__ import annotations

import signal
from pathlib import Path

from kftune.containers.ending import readable
from kftune.local.processes.process import TrialProcess
from kftune.local.study.plan import Reader, StudyPlan
from kftune.results.records import State

_TAIL = 1 << 12
_LAST_LINES = 5
LONGEST_LINE = 200


def end_state(plan: StudyPlan, process: TrialProcess, reader: Reader, log: Path) -> tuple[State, str]:
    """Returns the state of a trial that did not end with its study, and why it did not succeed.

    Success is exit code 0 and a value of the objective.

    Args:
        plan: The study.
        process: The trial's process, which has ended.
        reader: What it reported.
        log: What it printed.

    Source: katib, a trial without its objective is MetricsUnavailable (pkg/controller.v1beta1/trial).
    """
    if reader.stop and not process.timed_out:
        return "EarlyStopped", reader.stop
    failed = why_failed(process, log, plan.limit_name) or reader.why_failed()
    if failed:
        return "Failed", failed
    unavailable = reader.why_unavailable(log)
    return ("MetricsUnavailable", unavailable) if unavailable else ("Succeeded", "")


def why_failed(process: TrialProcess, log: Path, limit_name: str) -> str:
    """Returns why a process failed, or an empty text if it did not.

    Args:
        process: The process, which has ended.
        log: What it printed.
        limit_name: What its file calls the time limit.
    """
    if process.timed_out:
        return f"ran longer than {limit_name} ({process.timeout:g} s) and was stopped{last_lines(log)}"
    if process.returncode:
        return f"{(process.explain or _exit_text)(process.returncode)}{last_lines(log)}"
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
        text += "; a shell ends so when it does not find a program"
    return text


def last_lines(log: Path) -> str:
    """Returns the last lines of a log, to append to a message."""
    lines = [line for line in readable(end_of(log, _TAIL)).splitlines() if line.strip()][-_LAST_LINES:]
    if not lines:
        return "; it printed nothing"
    shown = (line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE - 1]}…" for line in lines)
    return "; its last lines:\n" + "\n".join(f"  {line}" for line in shown)


def end_of(log: Path, size: int) -> bytes:
    """Returns the last bytes of a log.

    Args:
        log: The file.
        size: How many, at most.
    """
    with log.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - size))
        return file.read()
