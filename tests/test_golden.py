"""A study and a pipeline with every setting of a pod: each target's render is the committed one, and its engine's."""

from __future__ import annotations

from typing import Any

import pytest
from argo_as_run import lint
from argo_traps import traps
from golden_renders import GOLDEN, VARIANTS, documents
from hera.workflows import models
from kubeflow_katib_api.models import V1beta1Experiment

from kftune import yaml_text
from kftune.katib.crd.objects import is_known, judge_object
from kftune.lint import check
from kftune.pipeline.shared import SharedFields
from kftune.spec.pod import PodSettings
from kftune.study import load_study

STUDIES = [name for name in VARIANTS if name.startswith("study")]
ARGO = [name for name in VARIANTS if ".argo" in name]


def text_of(name: str) -> str:
    return (GOLDEN / "renders" / f"{name}.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", VARIANTS)
def test_a_render_is_the_committed_one(name: str):
    assert list(yaml_text.load_all(text_of(name))) == documents(VARIANTS[name])


def test_the_study_and_the_pipeline_have_every_setting_of_a_pod():
    study = load_study(GOLDEN / "study.yaml")
    pipeline: Any = yaml_text.load_file(GOLDEN / "pipeline.yaml")
    assert [*PodSettings.model_fields.keys() - study.step.model_fields_set] == []
    assert [*PodSettings.model_fields.keys() - pipeline["defaults"].keys()] == []
    assert PodSettings.model_fields.keys() <= SharedFields.model_fields.keys()


@pytest.mark.parametrize("name", STUDIES)
def test_katibs_model_loses_no_key_and_lint_finds_nothing(name: str):
    (experiment,) = documents(VARIANTS[name])
    taken = V1beta1Experiment.model_validate(experiment)
    assert taken.model_dump(by_alias=True, exclude_none=True, mode="json") == experiment
    assert [finding.code for finding in check([GOLDEN / "renders" / f"{name}.yaml"]).findings] == []


@pytest.mark.parametrize("name", STUDIES)
def test_the_api_server_stores_the_object_of_a_trial_and_drops_nothing(name: str):
    trial = documents(VARIANTS[name])[0]["spec"]["trialTemplate"]["trialSpec"]
    verdict = judge_object(trial, name="golden-1")
    assert not is_known(trial) or (verdict.stored and verdict.applied), verdict


@pytest.mark.parametrize("name", ARGO)
def test_argos_models_and_linter_take_it_whole(name: str):
    text = text_of(name)
    assert lint(text) is None
    assert traps(text) == []
    for document in documents(VARIANTS[name]):
        model = getattr(models, document["kind"])
        assert model.model_validate(document).model_dump(by_alias=True, exclude_none=True, mode="json") == document
        assert judge_object(document).applied
