"""Renders a study or a pipeline as the manifests that run it on a cluster.

One module per target: it takes a study or a pipeline and returns a `Rendering`. Rendering is pure: the same study gives
the same dicts. Nothing here reads a clock, a cluster or the environment.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from kftune.errors import KftuneError, UnknownNameError, UsageError, no_such_file
from kftune.render.katib import render_katib
from kftune.render.rendering import Rendering, check_controls
from kftune.render.size import check_experiment
from kftune.study import Study
from kftune.study.each import refuse_entities

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


def render(what: Study | Pipeline | str | Path, target: str | None = None) -> Rendering:
    """Renders the manifests that run a study or a pipeline; ``kftune.render(...)`` is short for it.

    Args:
        what: A study, a pipeline, or the path of its file.
        target: One of `TARGETS` for a study, of `PIPELINE_TARGETS` for a pipeline. None is ``katib`` for a study; a
            pipeline has no default.

    Raises:
        RenderError: The target cannot express it; the message says what, why and what works.
        UnknownNameError: The target is unknown.
        StudyError: The file has an invalid study, or the study has entities.
        PipelineError: The file has an invalid pipeline.
        UsageError: It is neither, there is no such file, the target is for the other kind, or a pipeline has no target.
    """
    if not isinstance(what, Study):
        return _render_other(what, target)
    renderer = TARGETS.get("katib" if target is None else target)
    if renderer is None:
        raise _unknown(str(target), "study", TARGETS, PIPELINE_TARGETS)
    refuse_entities(what, "the target katib")
    rendering = renderer(what)
    check_controls(rendering)
    rendering.notes.extend(check_experiment(rendering.documents[0]))
    return rendering


def _render_other(what: object, target: str | None) -> Rendering:
    """Renders what is no study: a pipeline, or the file of either."""
    from kftune.pipeline import Pipeline, load_pipeline  # noqa: PLC0415 - a study needs none of it
    from kftune.spec.kind import kind_of_file  # noqa: PLC0415
    from kftune.study import load_study  # noqa: PLC0415

    if isinstance(what, str | Path):
        path = Path(what)
        if not path.is_file():
            raise no_such_file(path)
        kind, _ = kind_of_file(path)
        if kind.name not in ("study", "pipeline"):
            raise UsageError(f"render takes a study or a pipeline, but {path} is {kind}")
        return render(load_study(path) if kind.name == "study" else load_pipeline(path), target)
    if not isinstance(what, Pipeline):
        raise UsageError(f"render takes a study, a pipeline or the path of its file, but got {what!r:.80}")
    if target is None:
        raise UsageError(f"a pipeline has several targets, so name one: {', '.join(PIPELINE_TARGETS)}")
    return render_pipeline(what, target)


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
        raise _unknown(target, "pipeline", PIPELINE_TARGETS, TARGETS)
    module, _, name = home.partition(":")
    renderer: Callable[[Pipeline], Rendering] = getattr(import_module(module), name)
    rendering = renderer(pipeline)
    check_controls(rendering)
    return rendering


def _unknown(target: str, kind: str, known: Mapping[str, object], others: Mapping[str, object]) -> KftuneError:
    if target in others:
        return UsageError(f"{target} is no target of a {kind}; it is rendered for {' or '.join(known)}")
    return UnknownNameError("target", target, known)


class _Callable(ModuleType):
    """This module, which is called as the function that it has: ``kftune.render`` is a module and a function."""

    def __call__(self, what: Study | Pipeline | str | Path, target: str | None = None) -> Rendering:
        return render(what, target)


sys.modules[__name__].__class__ = _Callable
