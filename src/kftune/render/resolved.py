"""Renders a pipeline whose images are resolved, without importing more of kfp than its compiler."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kftune.render import render_pipeline
from kftune.render.rendering import Rendering

if TYPE_CHECKING:  # the command line renders studies without the code for pipelines
    from kftune.pipeline import Pipeline


def render_resolved(pipeline: Pipeline, target: str) -> Rendering:
    """Renders a pipeline whose images are resolved; of kfp only the compiler is imported.

    Args:
        pipeline: The pipeline.
        target: One of `PIPELINE_TARGETS`.

    Raises:
        RenderError: The target cannot express the pipeline.
        MissingExtraError: kfp is not installed, and the target needs it.
    """
    if target.startswith("kfp"):
        from kftune.render.kfp.importing import import_without_clients  # noqa: PLC0415 - only for kfp

        import_without_clients()
    return render_pipeline(pipeline, target)
