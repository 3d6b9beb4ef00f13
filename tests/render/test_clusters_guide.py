"""The examples of the guide about clusters render for Katib and Argo, and lint finds nothing else in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from document_blocks import blocks, whole
from places import ROOT

from kftune import yaml_text
from kftune.katib.crd.objects import judge_object
from kftune.lint import check
from kftune.pipeline import pipeline_from_dict
from kftune.render import render, render_pipeline
from kftune.study import Study

GUIDE = ROOT / "docs" / "guides" / "clusters.md"
EXAMPLES = [block.code for block in blocks(GUIDE) if block.language == "yaml"]
# A step of a pipeline has one node.
NOT_IN_PIPELINES = ("nodes", "procs_per_node")


def study_of(code: str) -> Study:
    study = whole(code)
    assert isinstance(study, Study)
    return study.replace(budget={"trial_timeout": "1h"})


def test_the_guide_has_ten_examples_and_one_in_kubernetes_own_words():
    assert len(EXAMPLES) == 11


@pytest.mark.parametrize("code", EXAMPLES)
def test_an_example_renders_for_katib_and_lint_finds_nothing_else(code: str, tmp_path: Path):
    documents = render(study_of(code)).documents
    (tmp_path / "study.katib.yaml").write_text(yaml_text.dump_all(documents))
    report = check([tmp_path / "study.katib.yaml"])
    # The advice against root is what an image that runs as root decides against.
    assert {finding.code for finding in report.findings} == ({"KT304"} if "run_as_non_root: false" in code else set())


@pytest.mark.parametrize("code", EXAMPLES)
def test_an_example_is_also_the_defaults_of_a_pipeline(code: str):
    given: Any = yaml_text.load(code)
    defaults = {"image": "registry.example/a:1", **given["step"]}
    resources = {key: value for key, value in defaults.pop("resources", {}).items() if key not in NOT_IN_PIPELINES}
    steps = {"train": {"kind": "container", "command": ["python", "train.py"]}}
    pipeline = pipeline_from_dict({"name": "a", "defaults": {**defaults, "resources": resources}, "steps": steps})
    for document in render_pipeline(pipeline, "argo").documents:
        verdict = judge_object(document)
        assert verdict.applied, verdict
