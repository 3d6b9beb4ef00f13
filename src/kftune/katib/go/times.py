"""Reads and writes RFC 3339 timestamps as Go's `time` does.

Source: Go, time/format.go (Parse with the layout RFC3339Nano), time/time.go (Unix, Format).
"""

from __future__ import annotations

import re
from typing import NamedTuple

ZERO = "0001-01-01T00:00:00Z"
"""The zero `time.Time`, which means no timestamp."""

# Go accepts an hour of one digit, a comma before the fraction, and an offset of up to 24 hours and 60 minutes.
_TIME = re.compile(
    r"([0-9]{4})-(0[1-9]|1[0-2])-([0-9]{2})T([01]?[0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9])"
    r"(?:[.,]([0-9]+))?(?:Z|([-+])([01][0-9]|2[0-4]):([0-5][0-9]|60))"
)
_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_BILLION = 1_000_000_000


class Instant(NamedTuple):
    """A point in time; earlier ones are smaller."""

    seconds: int
    """Since 1970 in UTC."""
    nanoseconds: int
    """Nanoseconds of the next second, 0 to 999 999 999."""


def parse(text: str) -> Instant | None:
    """`time.Parse(time.RFC3339Nano, text)`, or None when Go rejects the text; digits beyond nanoseconds are dropped."""
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second = (int(found[group]) for group in range(1, 7))
    if not 1 <= day <= _DAYS[month - 1] + (month == 2 and _is_leap(year)):
        return None
    seconds = _days_until(year, month, day) * 86400 + hour * 3600 + minute * 60 + second
    if found[8]:
        offset = int(found[9]) * 3600 + int(found[10]) * 60
        seconds -= offset if found[8] == "+" else -offset
    return Instant(seconds, int((found[7] or "0")[:9].ljust(9, "0")))


def unix_text(seconds: int, nanoseconds: int) -> str:
    """`time.Unix(seconds, nanoseconds).UTC().Format(time.RFC3339Nano)`; a year may have more than four digits.

    Args:
        seconds: Seconds since 1970.
        nanoseconds: Nanoseconds to add; any number.
    """
    seconds += nanoseconds // _BILLION
    nanoseconds %= _BILLION
    days, rest = divmod(seconds, 86400)
    year, month, day = _date_of(days)
    sign = "-" if year < 0 else ""
    fraction = f".{nanoseconds:09}".rstrip("0") if nanoseconds else ""
    clock = f"{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"
    return f"{sign}{abs(year):04}-{month:02}-{day:02}T{clock}{fraction}Z"


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


# Years that begin in March end with their leap day, so that days count evenly. Python's own dates end in 9999.
def _days_until(year: int, month: int, day: int) -> int:
    """Returns the days from 1970-01-01."""
    year -= month <= 2
    return year * 365 + year // 4 - year // 100 + year // 400 + (153 * ((month + 9) % 12) + 2) // 5 + day - 719469


def _date_of(days: int) -> tuple[int, int, int]:
    """Returns year, month and day from the days since 1970-01-01."""
    era, day = divmod(days + 719468, 146097)
    year = (day - day // 1460 + day // 36524 - day // 146096) // 365
    day -= 365 * year + year // 4 - year // 100
    shifted = (5 * day + 2) // 153
    month = (shifted + 2) % 12 + 1
    return era * 400 + year + (month <= 2), month, day - (153 * shifted + 2) // 5 + 1
