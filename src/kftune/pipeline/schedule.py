"""The schedule of a pipeline."""

from __future__ import annotations

import re
import zoneinfo
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator

from kftune.pipeline.part import PipelinePart

_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day of the month", 1, 31), ("month", 1, 12), ("day of the week", 0, 6))
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_WORDS = ("@hourly", "@daily", "@weekly", "@monthly", "@yearly")
# Not in the data of every cluster, or not the same there (argo-workflows, issue 15653).
_UNSAFE_ZONES = frozenset(
    "CET EET MET WET EST HST MST EST5EDT CST6CDT MST7MDT PST8PDT localtime posixrules Factory".split()  # noqa: SIM905
)
# Where clocks change, they do so in these hours.
_CHANGING_HOURS = frozenset((1, 2, 3))
_PART = re.compile(r"(?P<first>\*|\w+)(?:-(?P<last>\w+))?(?:/(?P<step>[0-9]+))?")


def _cron(value: str) -> str:
    if value in _WORDS:
        return value
    fields = value.split()
    if len(fields) != len(_FIELDS):
        raise ValueError(
            f"cron is five fields (minute, hour, day of the month, month, day of the week) or one of "
            f"{', '.join(_WORDS)}, but {value!r} has {len(fields)}"
        )
    for text, (what, low, high) in zip(fields, _FIELDS, strict=True):
        for part in text.split(","):
            if not _numbers(part, low, high, _MONTHS if what == "month" else _DAYS if high == 6 else []):
                raise ValueError(
                    f"the {what} of a cron is *, numbers from {low} to {high}, ranges and steps (1-5, */15), "
                    f"but got {text!r}"
                )
    return " ".join(fields)


def _numbers(part: str, low: int, high: int, names: list[str]) -> range:
    """Returns the numbers that a part of a field stands for; none if it is not valid."""
    found = _PART.fullmatch(part)
    if found is None or (found["first"] == "*" and found["last"]):
        return range(0)
    ends = [end for end in (found["first"], found["last"]) if end not in (None, "*")]
    numbers = [
        names.index(end.lower()) + low if end.lower() in names else int(end) if end.isdigit() else -1 for end in ends
    ]
    step = int(found["step"] or 1)
    if not all(low <= number <= high for number in numbers) or numbers != sorted(numbers) or step == 0:
        return range(0)
    is_one = numbers and not found["last"] and not found["step"]
    first, last = (numbers or [low])[0], numbers[-1] if is_one or found["last"] else high
    return range(first, last + 1, step)


def _timezone(value: str) -> str:
    if value in _UNSAFE_ZONES or value.startswith(("posix/", "right/")):
        raise ValueError(
            f"a time zone is a name that every cluster has, such as Europe/Berlin or UTC, but got {value!r}"
        )
    try:
        zoneinfo.ZoneInfo("Europe/London")
    except zoneinfo.ZoneInfoNotFoundError:  # there are no time zones on this machine
        return value
    try:
        zoneinfo.ZoneInfo(value)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError) as error:
        raise ValueError(f"a time zone is a name such as Europe/Berlin or UTC, but got {value!r}") from error
    return value


class Schedule(PipelinePart):
    """The schedule of a pipeline."""

    cron: Annotated[str, AfterValidator(_cron)]
    """Five fields, as in ``30 4 * * 1-5``; Sunday is 0."""
    timezone: Annotated[str, AfterValidator(_timezone)] = "UTC"
    """The time zone of `cron`."""
    concurrency: Literal["allow", "forbid", "replace"] = "forbid"
    """What happens if the previous run has not ended: both run, the new one is skipped, or the old one is stopped."""
    suspend: bool = False
    """Whether it starts no runs until somebody resumes it (``argo cron resume NAME``)."""

    @property
    def clock_changes(self) -> str:
        """What happens to runs when the clocks change, if it meets that; source: argo-workflows, cron-workflows.md."""
        return (
            f"{self.cron!r} in {self.timezone} runs in the hours when clocks change: one run a year may be skipped, "
            f"and another run twice"
        )

    @property
    def meets_clock_changes(self) -> bool:
        """Whether it runs in single hours of the night in which the zone's clocks change."""
        fields = self.cron.split()
        if len(fields) != len(_FIELDS):
            return False
        hours = {hour for part in fields[1].split(",") for hour in _numbers(part, 0, 23, [])}
        if len(hours) == 24 or not hours & _CHANGING_HOURS:  # hours of a day
            return False
        try:
            zone = zoneinfo.ZoneInfo(self.timezone)
        except zoneinfo.ZoneInfoNotFoundError:
            return False
        return len({datetime(2026, month, 1, tzinfo=zone).utcoffset() for month in range(1, 13)}) > 1
