"""Renders a study or a pipeline as the manifests that run it on a cluster.

One module per target: it takes a study or a pipeline and returns a `Rendering`. Rendering is pure: the same study gives
the same dicts. Nothing here reads a clock, a cluster or the environment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING

from kftune.errors import UnknownNameError
from kftune.render.katib import render_katib
from kftune.render.rendering import Rendering, check_controls
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
"""Target -> the function that renders a pipeline, imported on first use: rendering a study needs none of them."""


def render(study: Study, target: str = "katib") -> Rendering:
    """Renders the manifests that run a study.

    Args:
        study: The study.
        target: One of `TARGETS`.

    Raises:
        RenderError: The target cannot express the study; the message says what, why and what works.
        UnknownNameError: The target is unknown.
    """
    renderer = TARGETS.get(target)
    if renderer is None:
        raise UnknownNameError("target", target, TARGETS)
    rendering = renderer(study)
    check_controls(rendering)
    rendering.notes.extend(check_experiment(rendering.documents[0]))
    return rendering


def render_pipeline(pipeline: Pipeline, target: str) -> Rendering:
    """Renders the manifests that run a pipeline.

    Args:
        pipeline: The pipeline.
        target: One of `PIPELINE_TARGETS`.

    Raises:
        RenderError: The target cannot express the pipeline; the message says what, why and what works.
        UnknownNameError: The target is unknown.
    """
    home = PIPELINE_TARGETS.get(target)
    if home is None:
        raise UnknownNameError("target", target, PIPELINE_TARGETS)
    module, _, name = home.partition(":")
    renderer: Callable[[Pipeline], Rendering] = getattr(import_module(module), name)
    rendering = renderer(pipeline)
    check_controls(rendering)
    return rendering
