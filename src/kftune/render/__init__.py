"""Rendering: a study or a pipeline as the manifests that run it elsewhere. Pure: same study, same dicts.

One module a target; each takes a study, or a pipeline, and gives a `Rendering`. Nothing here reads a clock, a cluster
or the environment, and nothing here talks to one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING

from kftune.errors import UnknownNameError
from kftune.render.katib import render_katib
from kftune.render.rendering import Rendering
from kftune.render.size import check_experiment
from kftune.study import Study

if TYPE_CHECKING:
    from kftune.pipeline import Pipeline

__all__ = ["PIPELINE_TARGETS", "TARGETS", "Rendering", "render", "render_pipeline"]

TARGETS: Mapping[str, Callable[[Study], Rendering]] = {"katib": render_katib}

PIPELINE_TARGETS: Mapping[str, str] = {
    "argo": "kftune.render.argo:render_argo",
    "kfp": "kftune.render.kfp:render_kfp",
    "kfp-objects": "kftune.render.kfp:render_kfp_objects",
}
"""Target -> what renders a pipeline for it, imported when it is asked for: whoever renders a study needs none of it."""


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
    rendering = renderer(study)
    rendering.notes.extend(check_experiment(rendering.documents[0]))
    return rendering


def render_pipeline(pipeline: Pipeline, target: str) -> Rendering:
    """The manifests that run a pipeline.

    Args:
        pipeline: What to run.
        target: What it is rendered for, one of `PIPELINE_TARGETS`.

    Raises:
        RenderError: The target cannot express the pipeline; the text names what, why and a way that works.
        UnknownNameError: There is no such target.
    """
    home = PIPELINE_TARGETS.get(target)
    if home is None:
        raise UnknownNameError("target", target, PIPELINE_TARGETS)
    module, _, name = home.partition(":")
    renderer: Callable[[Pipeline], Rendering] = getattr(import_module(module), name)
    return renderer(pipeline)
