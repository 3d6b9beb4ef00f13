"""How a trial ended: its state as Katib has them, and why it did not succeed, in words that help."""

from __future__ import annotations

import difflib
import re
import signal
from pathlib import Path

from kftune.errors import near_names
from kftune.local.process import TrialProcess
from kftune.metrics import Reducer
from kftune.results import Values
from kftune.results.records import State
from kftune.study import Study

_TAIL = 1 << 12
_LAST_LINES = 5
_LONGEST_LINE = 200
_SEARCHED = 1 << 20
_NAME_AND_NUMBER = re.compile(rb"(?<![^ \t\r\n\f])([!-<>-~]{1,100})=[+-]?[0-9.]")
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")


def judge(study: Study, process: TrialProcess, reducer: Reducer, log: Path) -> tuple[State, str]:
    """The state of a trial that ended by itself or by its time limit, and what is to be said about it.

    Success is exit code 0 and a value of the objective.

    Source: katib, a trial without its objective is MetricsUnavailable (pkg/controller.v1beta1/trial).
    """
    if process.timed_out:
        limit = study.budget.trial_timeout
        return "Failed", f"ran longer than trial_timeout ({limit:g} s) and was stopped{_last_lines(log)}"
    if process.returncode != 0:
        return "Failed", f"{_exit_text(process.returncode or 0)}{_last_lines(log)}"
    if reducer.result(study.objective.metric) is None:
        return "MetricsUnavailable", _why_unavailable(study, reducer, log)
    return "Succeeded", ""


def values_of(reducer: Reducer) -> dict[str, Values]:
    """What a trial reported, as it is stored."""
    return {name: Values(*reduced) for name, reduced in reducer.results.items()}


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


def _last_lines(log: Path) -> str:
    lines = [line for line in _readable(_end_of(log, _TAIL)).splitlines() if line.strip()][-_LAST_LINES:]
    if not lines:
        return "; it printed nothing"
    shown = (line if len(line) <= _LONGEST_LINE else f"{line[: _LONGEST_LINE - 1]}…" for line in lines)
    return "; its last lines:\n" + "\n".join(f"  {line}" for line in shown)


def _why_unavailable(study: Study, reducer: Reducer, log: Path) -> str:
    name = study.objective.metric
    refused = {text: count for (metric, text), count in reducer.refused.items() if metric == name}
    if refused:
        total = sum(refused.values())
        times = "once" if total == 1 else f"{total} times"
        texts = ", ".join(text or "an empty text" for text in list(refused)[:3])
        return (
            f"the objective {name!r} was reported {times}, but never as a finite number ({texts}); a loss that is not "
            f"finite often means too large a learning rate"
        )
    if study.objective.regex is not None:
        return f"no line of the log matches the objective's regex {study.objective.regex!r}{_last_lines(log)}"
    end = _end_of(log, _SEARCHED)
    never = f"exit code 0, but the objective was never reported: the log has no {name}=<number>"
    if not end.strip():
        return f"{never}; it is empty"
    names = sorted({found.decode("ascii") for found in _NAME_AND_NUMBER.findall(end)})
    near = near_names(name, names) or _same_ending(name, names)
    if near:
        return f"{never}; it has {', '.join(f'{found}=' for found in names[:10])}; {near}"
    similar = _line_with(name, end)
    if similar:
        return f"{never}; it has the line {similar!r}, which is no metric line; print {name}=<number>, or give a regex"
    listed = f"; it has {', '.join(f'{found}=' for found in names[:10])}" if names else ""
    return f"{never}{listed}; report it with kftune.report({_call(name)}), or print {name}=<number>"


def _same_ending(name: str, names: list[str]) -> str:
    """``loss`` for ``val_loss``, ``val/loss`` for ``val_loss``: too far apart for difflib, near for people."""
    letters = re.sub(r"[^a-z0-9]", "", name.lower())
    near = [found for found in names if _close(re.sub(r"[^a-z0-9]", "", found.lower()), letters)]
    return f"did you mean {' or '.join(map(repr, near[:3]))}?" if near else ""


def _close(one: str, other: str) -> bool:
    ends = one.endswith(other) or other.endswith(one)
    return bool(one and other) and (ends or difflib.SequenceMatcher(None, one, other).ratio() >= 0.8)


def _line_with(name: str, text: bytes) -> str:
    """The first line that has the name, however it is spelt, and a digit behind it."""
    words = re.compile(rb"(?i)\b" + re.escape(name).replace("_", "[-_ /]").encode() + rb"\b")
    for line in text.split(b"\n"):
        found = words.search(line)
        if found and re.search(rb"[0-9]", line[found.end() :]):
            return _readable(line).strip()[:_LONGEST_LINE]
    return ""


def _call(name: str) -> str:
    return f"{name}=..." if name.isidentifier() else f"{{{name!r}: ...}}"


def _end_of(log: Path, size: int) -> bytes:
    with log.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - size))
        return file.read()


def _readable(text: bytes) -> str:
    """Text for a terminal: no control characters; of a line that was overwritten in place, its parts as lines."""
    return _CONTROL.sub("", text.decode("utf-8", "replace").replace("\r", "\n"))
