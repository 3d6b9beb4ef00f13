"""The committed manifests are what `pipelines/` renders to, and the engines' own models take them whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from argo_as_run import lint
from argo_traps import traps
from hera.workflows import models
from kubeflow_katib_api.models import V1beta1Experiment
from places import ROOT

from kftune import yaml_text
from kftune.katib.crd.objects import judge_object
from kftune.render import render
from kftune.study import load_study

# Those of overlays are built and compared in tests/project/test_sets.py.
MANIFESTS = [path for path in sorted((ROOT / "manifests").rglob("*.katib.yaml")) if "overlays" not in path.parts]
ARGO = sorted((*(ROOT / "manifests").glob("*/base/*.argo.yaml"), *(ROOT / "manifests").glob("*/*.argo.yaml")))


def _source_of(manifest: Path, target: str) -> Path:
    parts = manifest.parent.relative_to(ROOT / "manifests").parts
    folder = ROOT.joinpath("pipelines", *(part for part in parts if part != "base"))
    return folder / manifest.name.replace(f".{target}.yaml", ".yaml")


def _id(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _documents(manifest: Path) -> list[Any]:
    return [*yaml_text.load_all(manifest.read_text(encoding="utf-8"))]


def test_there_are_manifests() -> None:
    assert MANIFESTS
    assert ARGO


@pytest.mark.parametrize("manifest", MANIFESTS, ids=_id)
def test_a_manifest_is_what_its_study_renders_to(manifest: Path) -> None:
    assert _documents(manifest) == render(load_study(_source_of(manifest, "katib")), "katib").documents


@pytest.mark.parametrize("manifest", MANIFESTS, ids=_id)
def test_katibs_own_model_takes_a_manifest_and_loses_no_key(manifest: Path) -> None:
    for experiment in _documents(manifest):
        taken = V1beta1Experiment.model_validate(experiment)
        assert taken.model_dump(by_alias=True, exclude_none=True, mode="json") == experiment


def _run_of(manifest: Path) -> Path:
    """The Workflow beside a manifest, or beside its set: it is created and not applied."""
    folder = manifest.parents[1] if manifest.parent.name == "base" else manifest.parent
    return folder / manifest.name.replace(".argo.", ".argo-run.")


@pytest.mark.parametrize("manifest", ARGO, ids=_id)
def test_argo_takes_a_manifest_and_loses_no_key(manifest: Path) -> None:
    text = f"{manifest.read_text()}---\n{_run_of(manifest).read_text()}"
    assert lint(text) is None
    assert traps(text) == []
    for document in yaml_text.load_all(text):
        assert isinstance(document, dict)
        assert judge_object(document).applied
        model: Any = getattr(models, document["kind"])
        taken = model.model_validate(document)
        assert taken.model_dump(by_alias=True, exclude_none=True, mode="json") == document
