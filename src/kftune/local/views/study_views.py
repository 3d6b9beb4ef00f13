"""Which view a run gets: a live table in a terminal, else plain lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

from kftune.local.views.study_plain import PlainView

if TYPE_CHECKING:
    from kftune.local.views.study_live import LiveView


def view_for(out: TextIO, hints: Sequence[str] = ()) -> LiveView | PlainView:
    """The view for an output: a context manager that is called with each event.

    Args:
        out: Where to show.
        hints: Commands to offer at the end, such as ``kftune best study.yaml``.
    """
    if not out.isatty():
        return PlainView(out, hints)
    try:
        # rich costs more start-up than the rest of a run, and is an extra.
        from kftune.local.views.study_live import LiveView  # noqa: PLC0415
    except ImportError:
        return PlainView(out, hints)
    return LiveView(out, hints)
