"""The committed manifests are what `pipelines/` renders to, and Katib's own models take them whole."""

from __future__ import annotations

from pathlib import Path

import pytest
from kubeflow_katib_api.models import V1beta1Experiment

from kftune import yaml_text
from kftune.render import render
from kftune.study import load_study

ROOT = Path(__file__).parents[1]
MANIFESTS = sorted((ROOT / "manifests").rglob("*.katib.yaml"))


def _study_of(manifest: Path) -> Path:
    parts = manifest.parent.relative_to(ROOT / "manifests").parts
    folder = ROOT.joinpath("pipelines", *(part for part in parts if part != "base"))
    return folder / manifest.name.replace(".katib.yaml", ".yaml")


def _id(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_there_are_manifests() -> None:
    assert MANIFESTS


@pytest.mark.parametrize("manifest", MANIFESTS, ids=_id)
def test_a_manifest_is_what_its_study_renders_to(manifest: Path) -> None:
    assert [yaml_text.load_file(manifest)] == render(load_study(_study_of(manifest)), "katib").documents


@pytest.mark.parametrize("manifest", MANIFESTS, ids=_id)
def test_katibs_own_model_takes_a_manifest_and_loses_no_key(manifest: Path) -> None:
    experiment = yaml_text.load_file(manifest)
    taken = V1beta1Experiment.model_validate(experiment)
    assert taken.model_dump(by_alias=True, exclude_none=True, mode="json") == experiment
