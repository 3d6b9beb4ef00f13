"""Times as results have them: texts in UTC, such as ``2026-01-31T12:00:00.250Z``."""

from __future__ import annotations

from datetime import UTC, datetime


def moment(text: str | None) -> datetime | None:
    """Returns the time in a text; None without one, or if it is no time.

    Args:
        text: The text. Without a time zone it is UTC.
    """
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def seconds_of(text: str | None) -> float | None:
    """Returns the time in a text as seconds since 1970; None without one, or if it is no time.

    Args:
        text: The text. Without a time zone it is UTC.
    """
    found = moment(text)
    return None if found is None else found.timestamp()


def from_local(text: str | None) -> str | None:
    """Returns a time in the time zone of this machine as results have it; a text that is no such time as it is.

    Args:
        text: The text, such as ``2026-01-31 12:00:00``.
    """
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return text
    return text if found.tzinfo else found.astimezone(UTC).isoformat().replace("+00:00", "Z")
