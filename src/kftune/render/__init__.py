"""Rendering: a study as the manifests that run it elsewhere. Pure: same study, same dicts.

One module a target; each takes a study and gives a `Rendering`. Nothing here reads a clock, a cluster or the
environment, and nothing here talks to one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from kftune.errors import UnknownNameError
from kftune.render.katib import render_katib
from kftune.render.rendering import Rendering
from kftune.study import Study

__all__ = ["TARGETS", "Rendering", "render"]

TARGETS: Mapping[str, Callable[[Study], Rendering]] = {"katib": render_katib}


def render(study: Study, target: str = "katib") -> Rendering:
    """The manifests that run a study.

    Args:
        study: What to run.
        target: What it is rendered for, one of `TARGETS`.

    Raises:
        RenderError: The target cannot express the study; the text names what, why and a way that works.
        UnknownNameError: There is no such target.
    """
    renderer = TARGETS.get(target)
    if renderer is None:
        raise UnknownNameError("target", target, TARGETS)
    return renderer(study)
