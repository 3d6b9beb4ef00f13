"""Which view a run gets: a live table in a terminal, else plain lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from kftune.local.views.pipeline_plain import PlainView

if TYPE_CHECKING:
    from kftune.local.views.pipeline_live import LiveView


def view_for(out: TextIO) -> LiveView | PlainView:
    """The view for an output: a context manager that is called with each event."""
    if not out.isatty():
        return PlainView(out)
    try:
        # rich costs more start-up than the rest of a run, and is an extra.
        from kftune.local.views.pipeline_live import LiveView  # noqa: PLC0415
    except ImportError:
        return PlainView(out)
    return LiveView(out)
