"""Times as results have them."""

from __future__ import annotations

from datetime import datetime


def moment(text: str | None) -> datetime | None:
    """Returns the time in a text; None without one, or if it is no time.

    Args:
        text: Such as ``2026-01-31T12:00:00.000Z``. Without a zone it is local time, as Optuna's storages have it.
    """
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return found if found.tzinfo else found.astimezone()
