"""`kftune.render` takes a study, a pipeline, or the path of the file of either."""

from __future__ import annotations

from typing import Any

import pytest
from places import CIRCUITS, ROOT

import kftune
from kftune.errors import UnknownNameError, UsageError
from kftune.pipeline import load_pipeline
from kftune.render import render, render_pipeline

STUDY, PIPELINE = CIRCUITS / "study.yaml", CIRCUITS / "pipeline.yaml"


@pytest.mark.parametrize("give", [kftune.load_study, str, lambda path: path])
@pytest.mark.parametrize("target", ["katib", None])
def test_a_study_is_rendered_for_katib(give: Any, target: str | None):
    assert kftune.render(give(STUDY), target) == render(kftune.load_study(STUDY))


@pytest.mark.parametrize("give", [load_pipeline, str])
def test_a_pipeline_is_rendered_for_its_target(give: Any):
    assert kftune.render(give(PIPELINE), "argo") == render_pipeline(load_pipeline(PIPELINE), "argo")


@pytest.mark.parametrize(
    ("what", "target", "error", "message"),
    [
        (STUDY, "argo", UsageError, "argo is no target of a study; it is rendered for katib"),
        (PIPELINE, "katib", UsageError, "katib is no target of a pipeline; it is rendered for argo or kfp"),
        (PIPELINE, None, UsageError, "a pipeline has several targets, so name one: argo, kfp, kfp-objects"),
        (STUDY, "katip", UnknownNameError, "unknown target 'katip'; did you mean 'katib'"),
        (CIRCUITS / "circuits.yaml", None, UsageError, "render takes a study or a pipeline, but .*circuits.yaml is"),
        (CIRCUITS / "studi.yaml", None, UsageError, r"there is no file .*studi\.yaml; did you mean .*study\.yaml"),
        (ROOT / "README.md", None, UsageError, "is a .md file, not YAML"),
        ({"name": "net"}, "katib", UsageError, "render takes a study, a pipeline or the path of its file, but got"),
    ],
)
def test_what_cannot_be_rendered_is_named(what: Any, target: str | None, error: type[Exception], message: str):
    with pytest.raises(error, match=message):
        kftune.render(what, target)
