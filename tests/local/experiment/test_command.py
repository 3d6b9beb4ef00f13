"""`kftune run` and `kftune status` with an Experiment: which one, what is told, exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from kubeflow_katib_api.models import V1beta1Experiment
from local_experiment import experiment, python, sh
from local_study import trials_in

from kftune import yaml_text
from kftune.cli import main
from kftune.katib.go.reading import read


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def written(*values: dict[str, Any], name: str = "experiment.yaml") -> str:
    Path(name).write_text(yaml_text.dump_all(list(values)))
    return name


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_an_experiment_runs_beside_studies_and_its_results_are_found_by_its_file(capsys):
    place = written(experiment(sh("echo loss=$LR"), trials=2))
    code, out, _ = told(capsys, "run", place)
    assert code == 0
    assert out.splitlines()[0] == "small: minimize loss, random with seed 7, 2 trials"
    assert "[2/2] small-0002 Succeeded" in out
    assert [trial.name for trial in trials_in(Path("runs/small"))] == ["small-0001", "small-0002"]
    assert told(capsys, "best", place)[0] == 0
    assert told(capsys, "results", place, "--format", "csv")[0] == 0
    assert told(capsys, "logs", place, "1")[1].startswith("loss=")
    assert told(capsys, "status", place)[1].splitlines()[0] == "Experiment small: MaxTrialsReached"


@pytest.mark.parametrize(("form", "parse"), [("yaml", read), ("json", json.loads)])
def test_the_status_is_an_experiment_that_katib_s_client_reads(capsys, form, parse):
    place = written(experiment(sh("echo loss=$LR"), trials=2))
    told(capsys, "run", place)
    _, out, _ = told(capsys, "status", "runs/small", "-o", form)
    value: Any = parse(out)
    client = V1beta1Experiment.from_dict(value)
    assert client is not None
    assert client.status is not None
    assert client.status.trials_succeeded == 2
    best = json.loads(told(capsys, "best", "runs/small", "--format", "json")[1])["best"]
    assert client.status.current_optimal_trial.best_trial_name == best["name"]
    assert value["spec"]["objective"]["metricStrategies"] == [{"name": "loss", "value": "min"}], "with Katib's defaults"


def test_of_a_study_the_status_is_short(capsys):
    Path("study.yaml").write_text(
        "name: short\nhparams: local_study:Tiny\nobjective: {metric: loss, direction: minimize}\n"
        "budget: {max_trials: 2}\nstep: {command: [sh, -c, 'echo loss=1']}\n"
    )
    assert told(capsys, "run", "study.yaml")[0] == 0
    assert json.loads(told(capsys, "status", "study.yaml", "-o", "json")[1])["counts"] == {"Succeeded": 2}
    code, _, err = told(capsys, "run", "study.yaml", "--mount", "a=/tmp")
    assert (code, err) == (
        2,
        "kftune: --mount is for an Experiment, but study.yaml is a study\n",
    )


def test_what_a_cluster_refuses_does_not_run(capsys):
    place = written(experiment(trials=2, parallelTrialCount=3))
    code, _, err = told(capsys, "run", place)
    assert code == 2
    assert "a cluster rejects this Experiment, so it does not run here:" in err
    assert "KT107: spec.parallelTrialCount: should be less than or equal to spec.maxTrialCount" in err
    assert not Path("runs").exists()


def test_what_would_go_wrong_on_a_cluster_is_told_and_does_not_stop_the_run(capsys):
    place = written(experiment(python("print('loss=1')"), trials=1))
    code, out, _ = told(capsys, "run", place)
    assert code == 0
    assert "note: on a cluster (KT254, line" in out
    assert "the shell line has no quotes" in out
    code, _, err = told(capsys, "run", place, "--strict", "--dir", "runs/strict")
    assert code == 2
    assert "KT254" in err


def test_one_of_several_experiments_is_chosen_by_its_name(capsys):
    other = experiment(sh("echo loss=2"), trials=1)
    other["metadata"] = {"name": "other"}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team-a"}}
    place = written(namespace, experiment(trials=1), other)
    code, _, err = told(capsys, "run", place)
    assert (code, err) == (
        2,
        "kftune: experiment.yaml has several Experiments; select one with --name: small, other\n",
    )
    assert told(capsys, "run", place, "--name", "othr")[2] == (
        "kftune: experiment.yaml has no Experiment 'othr'; did you mean 'other'?\n"
    )
    assert told(capsys, "run", place, "--name", "other")[0] == 0
    assert Path("runs/other").exists()


def test_a_template_in_a_config_map_of_the_same_input_runs(capsys):
    one = experiment(sh("echo loss=$LR"), trials=1)
    trial = one["spec"]["trialTemplate"].pop("trialSpec")
    one["spec"]["trialTemplate"] |= {
        "configMap": {"configMapName": "templates", "configMapNamespace": "team-a", "templatePath": "job.yaml"},
        "successCondition": "a",
        "failureCondition": "b",
    }
    data = {"job.yaml": yaml_text.dump(trial)}
    metadata = {
        "name": "templates",
        "namespace": "team-a",
        "labels": {"katib.kubeflow.org/component": "trial-templates"},
    }
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
    assert told(capsys, "run", written(config_map, one))[0] == 0
    code, _, err = told(capsys, "run", written(one, name="alone.yaml"), "--dir", "runs/alone")
    assert code == 2
    assert "the trial template must be in the input, like the Experiment" in err


def test_counts_can_be_changed_for_one_run(capsys):
    place = written(experiment(trials=9))
    assert told(capsys, "run", place, "maxTrialCount=2")[0] == 0
    assert len(trials_in(Path("runs/small"))) == 2
    assert told(capsys, "run", place, "maxTrialCont=2")[2] == (
        "kftune: only maxTrialCount, parallelTrialCount, maxFailedTrialCount of an Experiment can be changed here, but "
        "got 'maxTrialCont=2'; did you mean 'maxTrialCount'?\n"
    )
    assert told(capsys, "run", place, "maxTrialCount=two")[0] == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--env", "A"], "--env takes NAME=VALUE, but got 'A'"),
        (["--mount", "data"], "--mount takes VOLUME=PATH or /CONTAINER/PATH=PATH, but got 'data'"),
        (["--mount", "data=nowhere"], "nowhere does not exist"),
    ],
)
def test_wrong_options_are_told(capsys, arguments, message):
    code, _, err = told(capsys, "run", written(experiment(trials=1)), *arguments)
    assert code == 2
    assert message in err


def test_a_seed_of_the_command_line_counts_before_the_setting(capsys):
    place = written(experiment(trials=2))
    told(capsys, "run", place, "--dir", "runs/a")
    told(capsys, "run", place, "--dir", "runs/b", "--seed", "7")
    told(capsys, "run", place, "--dir", "runs/c", "--seed", "8")
    first, second, third = ([t.assignment for t in trials_in(Path(f"runs/{name}"))] for name in "abc")
    assert first == second != third
