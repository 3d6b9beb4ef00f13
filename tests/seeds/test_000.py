"""Seed 000, a class of hyperparameters in a pipeline for SageMaker: each item that `docs/seeds.md` says works."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from foreign_scripts import GUIDE, foreign_study, script_in
from katib_as_run import run_trial, substituted
from local_study import log_of, trials_in
from pydantic import Field, field_validator, validator
from seed_project import SAGEMAKER_PROJECT, kftune, write

from kftune import Hparams, yaml_text
from kftune.errors import HparamsError
from kftune.hparams import ModelHyperparameters
from kftune.pipeline import pipeline_from_dict
from kftune.render import render, render_pipeline


class MyModelHyperparameters(ModelHyperparameters):
    """A net with hidden layers of one width."""

    learning_rate: float = Field(0.01, description="Step size")
    num_epochs: int = Field(10, description="Passes over the data")
    batch_size: int = Field(32, description="Examples per step")
    hidden_layers: int = Field(2, description="Depth")
    hidden_units: int = Field(128, description="Width")
    dropout_rate: float = Field(0.5, description="Share of the units that is left out")

    @field_validator("learning_rate")
    @classmethod
    def positive(cls, value: float) -> float:
        if not value > 0:
            raise ValueError("Learning rate must be positive")
        return value


class BasePipelineConfig(Hparams):
    """What all steps share."""

    instance_type: str = "ml.m5.xlarge"
    instance_count: int = 1


class MyModelTrainingConfig(BasePipelineConfig):
    """A training step."""

    job_type: str = "training"
    hyperparameters: MyModelHyperparameters = Field(default_factory=MyModelHyperparameters)


TEXTS = {
    "learning_rate": "0.01",
    "num_epochs": "10",
    "batch_size": "32",
    "hidden_layers": "2",
    "hidden_units": "128",
    "dropout_rate": "0.5",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write(tmp_path, SAGEMAKER_PROJECT)


def listed(project: Path) -> dict[str, dict[str, str]]:
    return {entry["class_name"]: entry for entry in json.loads(kftune(project, "registry", "list", "--format", "json"))}


# -- the class ---------------------------------------------------------------------------------------------------


def test_the_base_class_has_its_name_here_too():
    assert ModelHyperparameters is Hparams
    assert MyModelHyperparameters().to_assignments() == TEXTS


def test_a_value_of_another_type_is_refused():
    with pytest.raises(HparamsError, match="num_epochs: must be a valid integer"):
        MyModelHyperparameters.from_dict({"num_epochs": "many"})
    with pytest.raises(HparamsError, match="did you mean 'hidden_units'"):
        MyModelHyperparameters.from_dict({"hidden_unit": 64})


@pytest.mark.parametrize("value", [0, -0.1])
def test_the_validator_refuses_in_its_own_words(value: float):
    with pytest.raises(HparamsError, match="learning_rate: Learning rate must be positive"):
        MyModelHyperparameters(learning_rate=value)
    with pytest.raises(HparamsError, match="learning_rate: Learning rate must be positive"):
        MyModelHyperparameters.from_args([f"--learning-rate={value}"])


def class_as_in_pydantic_1() -> type[ModelHyperparameters]:
    class Old(ModelHyperparameters):
        learning_rate: float = 0.01

        @validator("learning_rate")
        def positive(cls, value: float) -> float:  # noqa: N805  # as pydantic 1 has it
            if not value > 0:
                raise ValueError("Learning rate must be positive")
            return value

    return Old


def test_the_validator_of_pydantic_1_works_with_a_warning_of_pydantic():
    with pytest.warns(DeprecationWarning, match="@validator"):
        old = class_as_in_pydantic_1()
    assert old.from_args(["--learning-rate=0.5"])["learning_rate"] == 0.5
    with pytest.raises(HparamsError, match="Learning rate must be positive"):
        old.from_dict({"learning_rate": 0})


def test_descriptions_are_in_help_and_manifest(project: Path):
    assert "Share of the units that is left out (default 0.5)" in MyModelHyperparameters.help_text()
    kftune(project, "render", "study.yaml", "--out", "build")
    experiment: Any = yaml_text.load_file(project / "build" / "study.katib.yaml")
    parameters = experiment["spec"]["trialTemplate"]["trialParameters"]
    assert [each["description"] for each in parameters] == ["Step size", "Width"]


def test_values_are_read_back_from_every_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    made = MyModelHyperparameters(learning_rate=1e-05, hidden_units=64)
    (tmp_path / "values.yaml").write_text(made.to_yaml())
    (tmp_path / "values.json").write_text(json.dumps(made.to_dict()))
    monkeypatch.setenv("APP_LEARNING_RATE", "1e-05")
    monkeypatch.setenv("APP_HIDDEN_UNITS", "64")
    assert MyModelHyperparameters.from_yaml(tmp_path / "values.yaml") == made
    assert MyModelHyperparameters.from_yaml(tmp_path / "values.json") == made
    assert MyModelHyperparameters.from_args(made.to_args()) == made
    assert MyModelHyperparameters.from_args([], env_prefix="APP_") == made
    assert MyModelHyperparameters.from_assignments(made.to_assignments()) == made


# -- the registry ------------------------------------------------------------------------------------------------


def test_the_dict_of_the_document_is_the_registry_of_a_project(project: Path):
    assert listed(project)["MyModelHyperparameters"] == {
        "class_name": "MyModelHyperparameters",
        "module_path": "src.pipeline_steps.hyperparameters_mymodel",
        "model_type": "mymodel",
        "description": "A net with hidden layers",
    }
    assert "MyModelHyperparameters  ok     6 fields" in kftune(project, "registry", "check")
    assert "Share of the units that is left out" in kftune(project, "registry", "show", "mymodel")


def test_a_class_is_imported_when_it_is_needed_and_no_sooner(project: Path):
    module = project / "src" / "pipeline_steps" / "hyperparameters_mymodel.py"
    module.write_text("raise RuntimeError('imported')\n")
    assert listed(project)["MyModelHyperparameters"]["model_type"] == "mymodel"
    assert f"{module}:1" in kftune(project, "registry", "show", "mymodel", status=2)


def test_two_classes_cannot_have_one_model_type(project: Path):
    table = project / "src" / "pipeline_registry" / "hyperparameter_registry.py"
    table.write_text(
        f'{table.read_text()}\nHYPERPARAMETER_REGISTRY["Other"] = {{"module_path": "m", "model_type": "lstm"}}\n'
    )
    assert "each model_type must belong to one class, but 'lstm'" in kftune(project, "registry", "list", status=2)


def test_an_entry_that_is_not_one_is_named(project: Path):
    table = project / "src" / "pipeline_registry" / "hyperparameter_registry.py"
    table.write_text(table.read_text().replace('"model_type": "mymodel",', '"model_typ": "mymodel",'))
    message = "HYPERPARAMETER_REGISTRY: MyModelHyperparameters: an entry has class_name, module_path, model_type"
    assert message in kftune(project, "registry", "list", status=2)


def test_a_name_that_is_not_registered_is_answered_with_a_near_one(project: Path):
    assert "did you mean 'mymodel'?" in kftune(project, "registry", "show", "mymodle", status=2)


# -- the training step -------------------------------------------------------------------------------------------


def test_a_config_has_the_hyperparameters_as_a_group():
    config = MyModelTrainingConfig()
    assert (config.job_type, config.instance_type, config.instance_count) == ("training", "ml.m5.xlarge", 1)
    assert config.hyperparameters == MyModelHyperparameters()
    assert MyModelTrainingConfig.from_args(["--hyperparameters.hidden-units=64"]).hyperparameters.hidden_units == 64


def test_a_step_gets_every_value_as_a_text(tmp_path: Path):
    step = {
        "kind": "train",
        "instance_type": "ml.m5.xlarge",
        "instance_count": 1,
        "image": "registry.example/mymodel:1",
        "command": ["python", "train.py"],
        "arguments": {"names": "dashes"},
        "hparams": MyModelHyperparameters,
        "values": {"hidden_units": 64},
    }
    pipeline = pipeline_from_dict({"name": "mine", "steps": {"train": step}}, [tmp_path])
    (workflow,) = render_pipeline(pipeline, "argo").documents
    (container,) = [each["container"] for each in workflow["spec"]["templates"] if "container" in each]
    texts = {each["name"].removeprefix("train_"): each["value"] for each in workflow["spec"]["arguments"]["parameters"]}
    assert texts == {**TEXTS, "hidden_units": "64"}
    assert "--hidden-units={{inputs.parameters.hidden_units}}" in container["args"]
    assert container["resources"]["requests"] == {"cpu": "4", "memory": "16Gi"}
    assert "--hidden-units" in json.dumps(render_pipeline(pipeline, "kfp").documents)


def test_fields_that_steps_share_are_written_once(tmp_path: Path):
    shared = {"image": "registry.example/mymodel:1", "instance_type": "ml.m5.xlarge"}
    steps: dict[str, Any] = {name: {"kind": "container", "command": ["true"]} for name in ("a", "b")}
    pipeline = pipeline_from_dict({"name": "mine", "defaults": shared, "steps": steps}, [tmp_path])
    (workflow,) = render_pipeline(pipeline, "argo").documents
    containers = [each["container"] for each in workflow["spec"]["templates"] if "container" in each]
    assert [(each["image"], each["resources"]["requests"]["cpu"]) for each in containers] == [
        ("registry.example/mymodel:1", "4")
    ] * 2


# -- the script --------------------------------------------------------------------------------------------------


def test_the_script_is_tuned_as_it_is(project: Path):
    kftune(project, "run", "study.yaml", "--plain")
    folder = project / "runs" / "mymodel"
    trials = trials_in(folder)
    assert [trial.state for trial in trials] == ["Succeeded"] * 3
    for trial in trials:
        given = json.loads(log_of(folder, trial).partition("given ")[2].splitlines()[0])
        assert given == {"num_epochs": 10, "batch_size": 32, "hidden_layers": 2, "dropout_rate": 0.5, **trial.point}


def test_the_script_reads_its_values_as_katib_runs_it(tmp_path: Path):
    step = {"image": "i", "command": script_in(tmp_path, GUIDE), "arguments": {"names": "dashes"}}
    search = {"learning_rate": {"choice": [0.01, 1e-05]}, "hidden_units": {"choice": [64, 128]}}
    study = foreign_study((), {}, hparams=MyModelHyperparameters, search=search, step=step)
    job = substituted(render(study).documents[0], {"learning_rate": "1e-05", "hidden_units": "64"})
    received: Any
    received, _ = run_trial(job["spec"]["template"]["spec"]["containers"][0], tmp_path)
    assert received == {**MyModelHyperparameters().to_dict(), "learning_rate": 1e-05, "hidden_units": 64}


def test_class_and_study_are_written_from_the_script(project: Path):
    script = (project / "dockers/mymodel/train.py").read_text()
    kftune(project, "new", "hparams", "net", "--from", "dockers/mymodel/train.py")
    assert kftune(project, "lint", "net_study.yaml").endswith("\n1 study; 1 Experiment: 1 ok\n")
    kftune(project, "run", "net_study.yaml", "--plain", "budget.max_trials=2")
    shown = json.loads(kftune(project, "registry", "show", "net_hparams:NetHparams", "--format", "json"))
    assert {field["name"]: field["default_text"] for field in shown["fields"]} == TEXTS
    assert (project / "dockers/mymodel/train.py").read_text() == script


def test_the_files_of_a_new_model_are_written_with_a_test(tmp_path: Path):
    kftune(tmp_path, "new", "hparams", "mymodel")
    files = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*") if path.is_file())
    assert files == [
        "pipelines/mymodel/mymodel_hparams.py",
        "pipelines/mymodel/study.yaml",
        "pipelines/mymodel/train.py",
        "tests/test_mymodel.py",
    ]


# -- traps -------------------------------------------------------------------------------------------------------


def test_lint_says_that_the_script_has_dashes(project: Path):
    study = project / "study.yaml"
    study.write_text(study.read_text().replace("  arguments: {names: dashes}\n", ""))
    assert "write step.arguments.names: dashes" in kftune(project, "lint", "study.yaml", status=1)


def test_lint_compares_the_defaults_of_class_and_script(project: Path):
    script = project / "dockers/mymodel/train.py"
    script.write_text(script.read_text().replace("default=32", "default=64"))
    assert "KT405" in kftune(project, "lint", "study.yaml", status=1)


def test_booleans_lists_and_null_have_a_text():
    class Net(ModelHyperparameters):
        bidirectional: bool = False
        layers: tuple[int, ...] = (1,)
        dropout: float | None = None

    made = Net(bidirectional=True, layers=(64, 32))
    assert made.to_assignments() == {"bidirectional": "true", "layers": "[64, 32]", "dropout": "null"}
    assert Net.from_args(["--bidirectional=True", "--layers=[64, 32]", "--dropout=null"]) == made
