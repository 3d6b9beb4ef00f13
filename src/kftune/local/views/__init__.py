"""Shows a run: live tables in a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from typing import TextIO

from kftune.local.views.view import JsonView, View

__all__ = ["JsonView", "View", "entities_view", "pipeline_view", "study_view"]


def _is_redrawn(out: TextIO) -> bool:
    """Whether a table can be redrawn in place: not by a dumb terminal, nor in the cell of a notebook."""
    # Jupyter starts its kernels with the first variable, VS Code only with the second.
    notebook = "JPY_PARENT_PID" in os.environ or "matplotlib_inline" in os.environ.get("MPLBACKEND", "")
    return out.isatty() and os.environ.get("TERM", "dumb") not in ("", "dumb", "unknown") and not notebook


def study_view(out: TextIO, hints: Sequence[str] = (), *, plain: bool = False) -> View:
    """Returns the view of a study: a live table in a terminal, otherwise plain lines.

    Args:
        out: Where to show.
        hints: Commands to offer at the end, such as ``kftune best study.yaml``.
        plain: Whether a terminal gets plain lines too.
    """
    if not plain and _is_redrawn(out):
        with suppress(ImportError):  # rich is an extra, and takes longer to import than the rest of a run
            from kftune.local.views.study_live import LiveStudyView  # noqa: PLC0415

            return LiveStudyView(out, hints)
    from kftune.local.views.study_plain import PlainStudyView  # noqa: PLC0415

    return PlainStudyView(out, hints)


def entities_view(out: TextIO, hints: Sequence[str] = (), *, plain: bool = False) -> View:
    """Returns the view of a run for several entities: a live table in a terminal, otherwise plain lines.

    Args:
        out: Where to show.
        hints: Commands to offer at the end.
        plain: Whether a terminal gets plain lines too.
    """
    if not plain and _is_redrawn(out):
        with suppress(ImportError):  # as above
            from kftune.local.views.entities_live import LiveEntitiesView  # noqa: PLC0415

            return LiveEntitiesView(out, hints)
    from kftune.local.views.entities_plain import PlainEntitiesView  # noqa: PLC0415

    return PlainEntitiesView(out, hints)


def pipeline_view(out: TextIO, *, plain: bool = False) -> View:
    """Returns the view of a pipeline: a live table in a terminal, otherwise plain lines.

    Args:
        out: Where to show.
        plain: Whether a terminal gets plain lines too.
    """
    if not plain and _is_redrawn(out):
        with suppress(ImportError):  # as above
            from kftune.local.views.pipeline_live import LivePipelineView  # noqa: PLC0415

            return LivePipelineView(out)
    from kftune.local.views.pipeline_plain import PlainPipelineView  # noqa: PLC0415

    return PlainPipelineView(out)
