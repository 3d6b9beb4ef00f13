from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml
from places import ROOT

from kftune.errors import UsageError, YamlError
from kftune.pipeline import Pipeline
from kftune.project import Project
from kftune.spec.kind import PIPELINE_KEYS, PROJECT_KEYS, STUDY_KEYS, kind_of, kind_of_file
from kftune.study import Study

SPEC: dict[str, object] = {"objective": {}, "algorithm": {}, "parameters": [], "trialTemplate": {}}
KATIB = "kubeflow.org/v1beta1"
STUDY = {"name": "x", "hparams": "a:B", "objective": {"metric": "loss"}, "step": {"command": ["x"]}}
PIPELINE = {"name": "x", "steps": {"a": {"kind": "train"}}}


@pytest.mark.parametrize(("keys", "model"), [(STUDY_KEYS, Study), (PIPELINE_KEYS, Pipeline), (PROJECT_KEYS, Project)])
def test_the_keys_are_those_of_the_model(keys, model):
    assert set(keys) == set(model.model_fields)


def renamed(value: Mapping[str, object], **names: str) -> dict[str, object]:
    return {names.get(key, key): inner for key, inner in value.items()}


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (STUDY, "study"),
        (renamed(STUDY, hparams="hparam"), "study"),
        (renamed(STUDY, hparams="Hparams", objective="objectve", step="steps"), "study"),
        ({**STUDY, "hparams": {"lr": 0.1}}, "study"),
        ({key: value for key, value in STUDY.items() if key != "hparams"}, "study"),
        ({key: value for key, value in STUDY.items() if key != "step"}, "study"),
        ({"name": "x", "objectives": [{"metric": "loss"}], "step": {"command": ["x"]}}, "study"),
        ({"objectives": [{"metric": "loss"}], "hparams": "a:B"}, "study"),
        (renamed({**STUDY, "objective": [{"metric": "loss"}]}, hparams="hparam", objective="objectivs"), "study"),
        ({"name": "x", "objectives": ["grow", "win"]}, "other"),
        ({"name": "x", "hparams": "Lstm"}, "study"),
        ({"hparams": "a:B", "search": {}}, "study"),
        ({"hparams": "a:B", "objective": {}, "step": {}}, "study"),
        ({"hparams": "a:B", "objective": {}, "steps": {}, "name": "x"}, "study"),
        ({"objective": "x", "metrics": [], "algorithm": "tpe", "budget": 3}, "study"),
        ({"apiVersion": "kftune/v1", "kind": "Study", **STUDY}, "study"),
        (PIPELINE, "pipeline"),
        (renamed(PIPELINE, steps="step"), "pipeline"),
        (renamed(PIPELINE, steps="stpes"), "pipeline"),
        ({"kind": "Pipeline", **PIPELINE}, "pipeline"),
        ({"name": "x", "steps": {}}, "pipeline"),
        ({"steps": {"a": {}}}, "pipeline"),
        ({"name": "x", "steps": []}, "pipeline"),
        ({"name": "x", "parameters": {}, "loops": {}, "schedule": {}}, "pipeline"),
        ({"name": "x", "namespace": "a", "claims": {}}, "project"),
        ({"name": "x", "namespce": "a", "overlay": {}}, "project"),
        ({"name": "x", "files": [], "claims": {}, "overlays": {}}, "project"),
        # Files of others.
        ({"steps": []}, "other"),
        ({"name": "bert", "steps": 1000, "lr": 0.1}, "other"),
        ({"kind": "Task", "steps": {}}, "other"),
        ({"name": "ci", "on": "push", "jobs": {"test": {"steps": []}}}, "other"),
        (
            {"program": "train.py", "metric": {"name": "loss"}, "parameters": {}, "name": "s"},
            "other",
        ),
        ({"objective": "binary:logistic", "hparams": {"eta": 0.1}}, "other"),
        ({"name": "env", "channels": ["conda-forge"], "dependencies": []}, "other"),
        ({"name": "x", "hparams": "hparams.yaml"}, "other"),
        ({"name": "x"}, "other"),
        ({}, "other"),
        ([], "other"),
        ("text", "other"),
        (None, "other"),
        ({"kind": ["x"], "apiVersion": {}, 3: {}}, "other"),
    ],
)
def test_the_keys_of_a_document_decide_which_of_our_files_it_is(value, kind):
    assert kind_of(value).name == kind


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"apiVersion": KATIB, "kind": "Experiment"}, "an Experiment"),
        ({"apiVersion": KATIB, "kind": "Experiment", "metadata": {}, "spec": SPEC}, "an Experiment"),
        ({"apiVersion": KATIB, "kind": "Trial", "metadata": {}}, "a Katib Trial"),
        ({"apiVersion": KATIB, "kind": "Suggestion", "metadata": {}}, "a Katib Suggestion"),
        ({"apiVersion": KATIB, "kind": "Notebook", "metadata": {}}, "a Notebook"),
        ({"apiVersion": "argoproj.io/v1alpha1", "kind": "Experiment", "metadata": {}}, "an Argo Experiment"),
        ({"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {}}, "an Argo Workflow"),
        ({"apiVersion": "optimizer.kubeflow.org/v1", "kind": "OptimizationJob", "spec": SPEC}, "an OptimizationJob"),
        ({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}, "data": {}}, "a ConfigMap"),
        ({"apiVersion": "kubeflow.org/v1", "kind": "PyTorchJob", "metadata": {}}, "a PyTorchJob"),
        ({"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}, "a Kustomization"),
        ({"apiVersion": "tekton.dev/v1", "kind": "Task", "steps": {"a": {"kind": "x"}}}, "a Task"),
        ({"components": {}, "deploymentSpec": {}, "pipelineInfo": {}, "root": {}}, "a KFP spec"),
        ({"platforms": {"kubernetes": {"deploymentSpec": {}}}}, "a KFP spec"),
    ],
)
def test_an_object_is_of_katib_or_of_others(value, text):
    kind = kind_of(value)
    assert (str(kind), kind.problem) == (text, "")


@pytest.mark.parametrize(
    ("header", "taken_for", "problem"),
    [
        ({"apiVersion": KATIB, "kind": "Experimnt"}, "Experiment", "kind is 'Experimnt'; did you mean 'Experiment'?"),
        ({"apiVersion": KATIB, "kind": "experiment"}, "Experiment", "kind is 'experiment'; did you mean 'Experiment'?"),
        ({"apiVersion": KATIB, "kind": "Trail"}, "Trial", "kind is 'Trail'; did you mean 'Trial'?"),
        ({"apiVersion": KATIB, "knd": "Experiment"}, "Experiment", "the key 'knd' is unknown; did you mean 'kind'?"),
        ({"apiVersion": KATIB}, "Experiment", "kind is missing; write kind: Experiment"),
        ({"apiVersion": KATIB, "kind": None}, "Experiment", "kind is missing; write kind: Experiment"),
        (
            {"apiVersion": "kubeflow.org/v1beta2", "kind": "Experiment"},
            "Experiment",
            "apiVersion is 'kubeflow.org/v1beta2'; did you mean 'kubeflow.org/v1beta1'?",
        ),
        (
            {"apiVersion": "kubeflow.org/v1beta2", "kind": "Trial"},
            "Trial",
            "apiVersion is 'kubeflow.org/v1beta2'; did you mean 'kubeflow.org/v1beta1'?",
        ),
        (
            {"apiVersion": "kubeflw.org/v1beta1", "kind": "Experiment"},
            "Experiment",
            "apiVersion is 'kubeflw.org/v1beta1'; did you mean 'kubeflow.org/v1beta1'?",
        ),
        (
            {"apiVersion": "v1beta1", "kind": "Experiment"},
            "Experiment",
            "apiVersion is 'v1beta1'; did you mean 'kubeflow.org/v1beta1'?",
        ),
        ({"kind": "Experiment"}, "Experiment", "apiVersion is missing; write apiVersion: kubeflow.org/v1beta1"),
        (
            {"apiversion": KATIB, "kind": "Experiment"},
            "Experiment",
            "the key 'apiversion' is unknown; did you mean 'apiVersion'?",
        ),
        (
            {"apiVersion": "kubeflow.org/v1beta2", "kind": "Experimnt"},
            "Experiment",
            "apiVersion is 'kubeflow.org/v1beta2'; did you mean 'kubeflow.org/v1beta1'? "
            "kind is 'Experimnt'; did you mean 'Experiment'?",
        ),
    ],
)
def test_an_invalid_object_of_katib_names_what_it_was_taken_for(header, taken_for, problem):
    kind = kind_of({**header, "metadata": {"name": "x"}, "spec": {}})
    assert (kind.object, kind.problem) == (taken_for, f"this looks like a Katib {taken_for}, but {problem}")


def test_an_unknown_kind_in_katibs_group_names_the_known_ones():
    assert kind_of({"apiVersion": KATIB, "kind": "Job"}).problem == (
        "this looks like an object of Katib, but Katib has no kind 'Job'; known: Experiment, Suggestion, Trial"
    )


@pytest.mark.parametrize("value", [SPEC, {"spec": SPEC}, {"kind": "Exp", "spec": SPEC}])
def test_the_spec_of_an_experiment_is_taken_for_one(value):
    assert kind_of(value).name == "Experiment"
    assert "apiVersion is missing" in kind_of(value).problem


@pytest.mark.parametrize("path", sorted(ROOT.glob("manifests/**/*.yaml")), ids=lambda path: path.name)
def test_what_is_rendered_is_an_object_and_valid(path: Path):
    kinds = [kind_of(document) for document in yaml.safe_load_all(path.read_text())]
    assert [kind.problem for kind in kinds] == [""] * len(kinds)
    assert {kind.name for kind in kinds} <= {"Experiment", "Kubernetes object", "other"}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("name: x\nhparams: a:B\n---\napiVersion: v1\nkind: ConfigMap\n", "study"),
        ("apiVersion: v1\nkind: ConfigMap\n---\napiVersion: kubeflow.org/v1beta1\nkind: Experiment\n", "Experiment"),
        ("kind: List\nitems:\n- {apiVersion: kubeflow.org/v1beta1, kind: Experiment}\n", "Experiment"),
        ("apiVersion: kubeflow.org/v1beta1\nkind: Experiment\nspec: {a: 1, a: 2}\n", "Experiment"),
        ('{"name": "x", "hparams": "a:B"}', "study"),
        ("\ufeffname: x\nhparams: a:B\n", "study"),
        ("", "other"),
    ],
)
def test_the_most_telling_document_decides_what_a_file_is(tmp_path: Path, text: str, name: str):
    (tmp_path / "file.yaml").write_text(text)
    assert kind_of_file(tmp_path / "file.yaml")[0].name == name


def test_a_project_file_is_known_by_its_name_where_its_keys_do_not_tell(tmp_path: Path):
    for name in ("project.yaml", "other.yaml"):
        (tmp_path / name).write_text("name: x\nnamespace: y\n")
    assert kind_of_file(tmp_path / "project.yaml")[0].name == "project"
    assert kind_of_file(tmp_path / "other.yaml")[0].name == "other"


@pytest.mark.parametrize("text", ["name: [x\n", "name: x\nhparams: a:B\nname: y\n"])
def test_text_that_is_not_yaml_is_an_error_with_its_place(tmp_path: Path, text: str):
    (tmp_path / "file.yaml").write_text(text)
    with pytest.raises(YamlError, match=r"file\.yaml:\d+:\d+: "):
        kind_of_file(tmp_path / "file.yaml")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("train.py", "train.py is a Python script, not YAML; give the study that runs it"),
        ("TRAIN.PY", "TRAIN.PY is a Python script, not YAML"),
        ("n.ipynb", "n.ipynb is a notebook, not YAML"),
        ("study.toml", "study.toml is a .toml file, not YAML; give a study, pipeline or Experiment"),
    ],
)
def test_the_name_of_a_file_that_is_not_yaml_is_enough(name: str, message: str, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path(name).touch()
    with pytest.raises(UsageError, match=f"^{message}"):
        kind_of_file(Path(name))
