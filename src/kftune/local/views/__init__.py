"""Shows a run: live tables in a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TextIO

from kftune.local.views.view import View

__all__ = ["View", "pipeline_view", "study_view"]


def study_view(out: TextIO, hints: Sequence[str] = (), *, plain: bool = False) -> View:
    """Returns the view of a study: a live table in a terminal, otherwise plain lines.

    Args:
        out: Where to show.
        hints: Commands to offer at the end, such as ``kftune best study.yaml``.
        plain: Whether a terminal gets plain lines too.
    """
    if out.isatty() and not plain:
        with suppress(ImportError):  # rich is an extra, and takes longer to import than the rest of a run
            from kftune.local.views.study_live import LiveStudyView  # noqa: PLC0415

            return LiveStudyView(out, hints)
    from kftune.local.views.study_plain import PlainStudyView  # noqa: PLC0415

    return PlainStudyView(out, hints)


def pipeline_view(out: TextIO, *, plain: bool = False) -> View:
    """Returns the view of a pipeline: a live table in a terminal, otherwise plain lines.

    Args:
        out: Where to show.
        plain: Whether a terminal gets plain lines too.
    """
    if out.isatty() and not plain:
        with suppress(ImportError):  # as above
            from kftune.local.views.pipeline_live import LivePipelineView  # noqa: PLC0415

            return LivePipelineView(out)
    from kftune.local.views.pipeline_plain import PlainPipelineView  # noqa: PLC0415

    return PlainPipelineView(out)
