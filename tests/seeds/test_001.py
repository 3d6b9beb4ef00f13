"""Seed 001, a tuner of SageMaker over YOLO: each item that `docs/seeds.md` says works.

The script is a stand-in that prints the log of such a training, so that the trials take no time.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from inspect import getsource
from pathlib import Path
from typing import Any, Literal

import pytest
from local_study import one_trial, sh, trials_in
from places import ROOT
from seed_project import kftune, write

import kftune as kftune_package
from kftune import Choice, Hparam, Hparams, IntUniform, LogUniform, ReverseLogUniform, Uniform, yaml_text
from kftune.domains import domain_from_spec
from kftune.errors import MetricError, RunError, StudyError, YamlError
from kftune.local import run_study
from kftune.metrics.definition import MetricDefinition
from kftune.render import render
from kftune.study import Study, load_study, study_from_dict
from kftune.study.algorithms import KNOWN

METRIC_DEFINITIONS = {
    "yolo:recall": r"recall: ([0-9]*\.?[0-9]+)",
    "yolo:mAP_0.5": r"mAP@0\.5: ([0-9\.]+)",
    "yolo:mAP_0.5_0.95": r"mAP@0\.5:0\.95: ([0-9\.]+)",
    "yolo:precision": r"precision: ([0-9\.]+)",
    "yolo:train_loss": r"train/box_loss: ([0-9\.]+)",
    "yolo:val_loss": r"val/box_loss: ([0-9\.]+)",
}

TUNING: dict[str, Any] = {
    "name": "yolo-hpt-test",
    "hparams": "yolo_hparams:YoloHparams",
    "search": {
        "lr0": {"loguniform": [0.1, 0.2]},
        "batch": {"choice": [2, 4]},
        "optimizer": {"choice": ["SGD", "Adam"]},
    },
    "objective": {
        "metric": "yolo:mAP_0.5",
        "direction": "maximize",
        "regex": METRIC_DEFINITIONS["yolo:mAP_0.5"],
    },
    "metrics": [{"name": name, "regex": regex} for name, regex in METRIC_DEFINITIONS.items() if name != "yolo:mAP_0.5"],
    "algorithm": {"name": "bayesianoptimization", "seed": 1},
    "budget": {"max_trials": 6, "parallel": 2},
    "step": {"image": "registry.example/yolo:1", "command": ["python", "train.py"]},
}


class YoloHparams(Hparams):
    """What the stand-in takes, and one hyperparameter that is not searched."""

    lr0: float = Hparam(0.01, gt=0)
    batch: int = Hparam(16, ge=1)
    optimizer: Literal["SGD", "Adam", "AdamW"] = Hparam("SGD")
    momentum: float = Hparam(0.9, ge=0, lt=1)


PROJECT = {
    "yolo_hparams.py": "from typing import Literal\n\nfrom kftune import Hparam, Hparams\n\n\n"
    + getsource(YoloHparams),
    "train.py": """\
        from yolo_hparams import YoloHparams

        h = YoloHparams.from_args()
        for epoch in (1, 2, 3):
            print(f"epoch {epoch}  train/box_loss: {2 / epoch:.4f}  val/box_loss: {3 / epoch:.4f}")
            print(f"precision: {0.6 + epoch / 20:.3f}  recall: {0.5 + epoch / 20:.3f}")
            print(f"mAP@0.5: {0.5 + epoch / 10 - abs(h.lr0 - 0.15):.4f}")
            print(f"mAP@0.5:0.95: {0.2 + epoch / 10:.4f}")
    """,
    "study.yaml": yaml_text.dump(TUNING),
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write(tmp_path, PROJECT)


def study(**parts: Any) -> Study:
    """The study of the file, made here, with other parts."""
    return study_from_dict({**TUNING, "hparams": YoloHparams, **parts})


def printing(line: str, **parts: Any) -> Study:
    """The same study with trials that print one line."""
    return study(algorithm={"name": "random", "seed": 1}, step={"command": sh(f"echo '{line}'")}, **parts)


# -- the search space --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "domain"),
    [
        ({"uniform": [0.1, 0.2]}, Uniform(0.1, 0.2)),  # continuous, Linear
        ({"loguniform": [0.1, 0.2]}, LogUniform(0.1, 0.2)),  # continuous, Logarithmic
        ({"reverse_loguniform": [0.1, 0.2]}, ReverseLogUniform(0.1, 0.2)),  # continuous, ReverseLogarithmic
        ({"int": [1, 8]}, IntUniform(1, 8)),  # integer
        ({"int": [1, 8], "log": True}, IntUniform(1, 8, log=True)),  # integer, Logarithmic
        ({"choice": ["SGD", "Adam"]}, Choice("SGD", "Adam")),  # categorical
    ],
)
def test_each_type_and_scale_of_a_range_is_a_domain(form: dict[str, Any], domain: Any):
    assert domain_from_spec(form) == domain


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("ContinuousParameter", "write Uniform(low, high), or LogUniform(low, high)"),
        ("IntegerParameter", "write IntUniform(low, high)"),
        ("CategoricalParameter", "write Choice(value, ...)"),
    ],
)
def test_the_classes_of_sagemaker_are_answered_with_those_of_here(name: str, instead: str):
    with pytest.raises(AttributeError, match=re.escape(instead)):
        getattr(kftune_package, name)


def test_ranges_print_their_values():
    ranges = {name: domain_from_spec(form) for name, form in TUNING["search"].items()}
    assert str(ranges) == (
        "{'lr0': LogUniform(low=0.1, high=0.2), 'batch': Choice(2, 4), 'optimizer': Choice('SGD', 'Adam')}"
    )


def test_the_sample_ranges_and_metrics_are_a_study_of_the_detector():
    found = load_study(ROOT / "pipelines" / "yolo" / "study.yaml")
    assert found.space == {name: domain_from_spec(form) for name, form in TUNING["search"].items()}
    assert {found.objective.metric, *(metric.name for metric in found.metrics)} == set(METRIC_DEFINITIONS)
    assert (found.name, found.budget.max_trials, found.budget.parallel) == ("yolo-hpt-test", 6, 2)


def test_an_unknown_type_of_a_range_is_an_error_not_a_warning():
    with pytest.raises(StudyError, match=r"search.lr0: unknown domain 'continuous'; did you mean 'uniform'"):
        study(search={"lr0": {"continuous": [0.1, 0.2]}})


def test_a_scale_that_a_range_does_not_take_is_an_error():
    with pytest.raises(StudyError, match="unknown option of uniform 'scaling_type'"):
        study(search={"lr0": {"uniform": [0.1, 0.2], "scaling_type": "Logarithmic"}})


def test_all_hyperparameters_that_could_be_searched_are_listed(project: Path):
    shown = json.loads(kftune(project, "registry", "show", "yolo_hparams:YoloHparams", "--format", "json"))
    assert [field["name"] for field in shown["fields"]] == ["lr0", "batch", "optimizer", "momentum"]


# -- the objective and its metrics -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "algorithm",
    # The import of the one costs as much as all other tests here; the default run has it in tests/local.
    ["random", pytest.param("bayesianoptimization", marks=pytest.mark.nightly)],
)
def test_the_tuner_runs_with_the_values_of_the_document(project: Path, algorithm: str):
    kftune(project, "run", "study.yaml", "--plain", f"algorithm.name={algorithm}")
    trials = trials_in(project / "runs" / "yolo-hpt-test")
    assert [trial.state for trial in trials] == ["Succeeded"] * 6
    for trial in trials:
        assert 0.1 <= trial.point["lr0"] <= 0.2
        assert trial.point["batch"] in (2, 4)
        assert trial.objective == pytest.approx(0.8 - abs(trial.point["lr0"] - 0.15), abs=1e-4)
        latest = {name: float(value.latest) for name, value in trial.metrics.items() if name != "yolo:mAP_0.5"}
        assert latest == {
            "yolo:recall": 0.65,
            "yolo:mAP_0.5_0.95": 0.5,
            "yolo:precision": 0.75,
            "yolo:train_loss": 0.6667,
            "yolo:val_loss": 1.0,
        }


def test_the_six_metric_definitions_are_filters_of_katib():
    (experiment,) = render(study()).documents
    formats = experiment["spec"]["metricsCollectorSpec"]["source"]["filter"]["metricsFormat"]
    log = "precision: 0.7  recall: 0.6\nmAP@0.5: 0.62\nmAP@0.5:0.95: 0.31\ntrain/box_loss: 1.5\nval/box_loss: 1.25\n"
    found = {match[1]: match[2] for line in log.splitlines() for each in formats for match in re.finditer(each, line)}
    assert found == {
        "precision": "0.7",
        "recall": "0.6",
        "mAP@0.5": "0.62",
        "mAP@0.5:0.95": "0.31",
        "train/box_loss": "1.5",
        "val/box_loss": "1.25",
    }
    assert experiment["spec"]["objective"]["objectiveMetricName"] == "mAP@0.5"
    assert experiment["spec"]["objective"]["type"] == "maximize"


def test_a_direction_in_capitals_is_answered_with_the_one_to_write():
    with pytest.raises(
        StudyError, match="must be 'minimize' or 'maximize', but got 'Maximize'; did you mean 'maximize'"
    ):
        study(objective={"metric": "val_loss", "direction": "Maximize"})


def test_an_objective_without_the_prefix_of_its_definition_fails_with_the_reason(tmp_path: Path):
    objective = {"metric": "mAP_0.5", "direction": "maximize"}
    metrics = [{"name": name, "regex": regex} for name, regex in METRIC_DEFINITIONS.items()]
    trial = one_trial(
        printing("mAP@0.5: 0.62", objective=objective, metrics=metrics, budget={"max_trials": 1}), tmp_path
    )
    assert trial.state == "MetricsUnavailable"
    assert "the log has no mAP_0.5=<number>" in trial.message


def test_a_group_that_misreads_exponents_is_named_and_refused_with_strict(tmp_path: Path):
    misread = "the metric 'yolo:mAP_0.5': a value printed as 1e-05 is read as '1'"
    assert [note for note in render(study()).notes if misread in note]
    with pytest.raises(RunError, match=misread):
        run_study(study(step={"command": ["true"]}), tmp_path, strict=True)


def test_a_definition_has_exactly_one_group():
    assert MetricDefinition("yolo:recall", METRIC_DEFINITIONS["yolo:recall"]).pattern.search("recall: 0.5")
    with pytest.raises(MetricError, match="must have one group"):
        MetricDefinition("yolo:recall", "recall: [0-9.]+")


# -- strategy and budget -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("strategy", "algorithm"),
    [("Bayesian", "bayesianoptimization"), ("Random", "random"), ("Grid", "grid"), ("Hyperband", "hyperband")],
)
def test_each_strategy_is_an_algorithm(strategy: str, algorithm: str):
    with pytest.raises(StudyError, match=f"unknown algorithm '{strategy}'; did you mean '{algorithm}'"):
        study(algorithm={"name": strategy})
    assert algorithm in KNOWN


def test_jobs_and_name_of_the_tuner_are_those_of_the_experiment():
    (experiment,) = render(study()).documents
    assert experiment["metadata"]["name"] == "yolo-hpt-test"
    assert (experiment["spec"]["maxTrialCount"], experiment["spec"]["parallelTrialCount"]) == (6, 2)
    assert experiment["spec"]["algorithm"]["algorithmName"] == "bayesianoptimization"


def test_a_run_is_followed_from_another_process_and_goes_on_after_its_end(tmp_path: Path):
    run_study(printing("mAP@0.5: 0.62", budget={"max_trials": 2}), tmp_path)
    assert "2 Succeeded (at most 2)" in kftune(tmp_path, "status", ".")
    run_study(printing("mAP@0.5: 0.62", budget={"max_trials": 3}), tmp_path)
    assert [trial.number for trial in trials_in(tmp_path)] == [1, 2, 3]
    assert kftune(tmp_path, "best", ".", "--format", "args").startswith("--lr0=")


def test_a_run_is_stopped_and_goes_on(project: Path):
    script = project / "train.py"
    script.write_text(f"import time\n{script.read_text()}\ntime.sleep(60 * (h.batch == 4))\n")
    line = [sys.executable, "-m", "kftune", "run", "study.yaml", "--plain", "algorithm.name=grid", "search.lr0=null"]
    programs = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    with subprocess.Popen(line, cwd=project, env=programs, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        next(line for line in run.stdout if "batch=4" in line and "started" in line)
        run.send_signal(signal.SIGINT)
        run.communicate(timeout=30)
    assert run.returncode == 130
    script.write_text(script.read_text().replace("60 *", "0 *"))
    kftune(project, "run", "study.yaml", "--plain", "algorithm.name=grid", "search.lr0=null")
    assert {trial.state for trial in trials_in(project / "runs" / "yolo-hpt-test")} == {"Succeeded"}


def test_the_best_values_are_written_into_a_file_after_a_run(project: Path):
    write(project, {"config.yaml": "yolo: # used for training\n  lr0: 0.11\n  batch: 2\n  optimizer: SGD # for now\n"})
    changes = (
        "algorithm.name=grid",
        "search={lr0: {choice: [0.11, 0.15]}}",
        "values={batch: 2, optimizer: SGD}",
        "budget={max_trials: 2, parallel: 1}",
    )
    kftune(project, "run", "study.yaml", "--plain", *changes, "apply={to: config.yaml, at: yolo}")
    assert (project / "config.yaml").read_text() == (
        "yolo: # used for training\n  lr0: 0.15\n  batch: 2\n  optimizer: SGD # for now\n"
    )


# -- traps -------------------------------------------------------------------------------------------------------


def test_a_file_that_holds_python_is_not_read_as_yaml(project: Path):
    (project / "config.yaml").write_text('tuning_config = {\n    "tuning": {\n    "max_jobs": 6,\n    }\n}\n')
    with pytest.raises(YamlError, match=r"config.yaml:2:\d+: "):
        yaml_text.load_file(project / "config.yaml")
    with pytest.raises(YamlError, match=r"config.yaml:2:\d+: "):
        load_study(project / "config.yaml")


@pytest.mark.parametrize(
    ("part", "key", "here"),
    [
        ("budget", "max_jobs", "max_trials"),
        ("budget", "max_parallel_jobs", "parallel"),
        ("objective", "objective_type", "direction"),
        ("objective", "objective_metric", "metric"),
        ("objective", "Regex", "regex"),
    ],
)
def test_a_key_that_nothing_reads_is_an_error(part: str, key: str, here: str):
    with pytest.raises(StudyError, match=f"has no key '{key}'; did you mean '{here}'"):
        study(**{part: {**TUNING[part], key: 6}})


@pytest.mark.parametrize(
    ("key", "here"),
    [
        ("hyperparameter_ranges", "search"),
        ("metric_definitions", "metrics"),
        ("strategy", "algorithm"),
    ],
)
def test_an_argument_of_the_tuner_is_answered_with_the_key_of_a_study(key: str, here: str):
    with pytest.raises(StudyError, match=f"Study has no key '{key}'; did you mean '{here}'"):
        study(**{key: {}})


def test_a_study_starts_from_the_trials_of_another_job(project: Path):
    few = ("run", "study.yaml", "--plain", "algorithm.name=random", "budget.max_trials=3")
    kftune(project, *few)
    kftune(project, *few, "name=next", "--start-from=runs/yolo-hpt-test")
    best = sorted(trials_in(project / "runs" / "yolo-hpt-test"), key=lambda trial: -(trial.objective or 0.0))
    assert [trial.point for trial in trials_in(project / "runs" / "next")] == [trial.point for trial in best]
