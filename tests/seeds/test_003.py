"""Seed 003, a sweep of Azure ML over the LSTM of one circuit: each item that `docs/seeds.md` says works."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from local_study import Net, one_trial, sh, study, trials_in
from places import CIRCUITS
from seed_project import kftune
from stopping_examples import histories

import kftune as kftune_package
from kftune import Choice, LogUniform, yaml_text
from kftune.errors import DomainError, HparamsError, RunError, StudyError
from kftune.hparams.models.lstm import LstmHparams
from kftune.local import run_study
from kftune.render import render
from kftune.stopping import TrialRule
from kftune.study import Study, load_study
from kftune.training.data import load_circuit
from kftune.tuning import (
    compare_tuning_runs,
    generate_circuits_yaml_snippet,
    get_best_trial_results,
    submit_tuning_job,
)

# What the document searches, and how it ends trials.
SPACE = {
    "lstm_units": Choice(32, 64, 128, 256),
    "learning_rate": LogUniform(0.0001, 0.01),
    "epochs": Choice(30, 50, 100),
    "batch_size": Choice(16, 32, 64),
}
BANDIT = "stopping={bandit: {interval: 5, slack_factor: 0.1, delay: 10}}"
# Points of that space that train in seconds.
GOOD = {"lstm_units": 32, "learning_rate": 0.005, "epochs": 30, "batch_size": 64}
BAD = {**GOOD, "learning_rate": 0.0001}


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout


def circuits(*overrides: str) -> Study:
    return load_study(CIRCUITS / "study.yaml", overrides)


# -- the search space --------------------------------------------------------------------------------------------


def test_the_study_of_the_circuits_has_the_space_and_the_limits_of_the_document():
    found = circuits()
    assert found.space == SPACE
    assert (found.budget.max_trials, found.budget.parallel, found.algorithm.name) == (20, 3, "random")


def test_the_same_space_is_that_of_an_experiment():
    (experiment,) = render(circuits()).documents
    (rate,) = [each for each in experiment["spec"]["parameters"] if each["name"] == "learning_rate"]
    assert rate["feasibleSpace"] == {"distribution": "logUniform", "min": "0.0001", "max": "0.01"}


def test_bounds_that_are_exponents_are_refused():
    with pytest.raises(DomainError, match="bounds are values, not exponents"):
        LogUniform(-4, -2)
    with pytest.raises(StudyError, match="bounds are values, not exponents"):
        circuits("search.learning_rate={loguniform: [-4, -2]}")


def test_a_range_in_the_words_of_azure_is_answered_with_the_form_to_write():
    with pytest.raises(StudyError, match=r"did you mean \{loguniform: \[…\]\}"):
        circuits("search.learning_rate={type: loguniform, min_value: 0.0001, max_value: 0.01}")


# -- runs --------------------------------------------------------------------------------------------------------


@pytest.mark.nightly  # two trainings; docs/seeds.md has one of two epochs
def test_the_lstm_is_tuned_here_and_the_bandit_ends_a_bad_trial(tmp_path: Path):
    shutil.copytree(CIRCUITS, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("runs"))
    points = f"points={json.dumps([GOOD, BAD])}"
    small = ("budget.max_trials=2", "budget.parallel=1", "step.env.OMP_NUM_THREADS=1")
    kftune(tmp_path, "run", "study.yaml", "--plain", BANDIT, points, *small)
    good, bad = trials_in(tmp_path / "runs" / "circuits-lstm")
    assert (good.state, good.point, bad.state, bad.point) == ("Succeeded", GOOD, "EarlyStopped", BAD)
    assert bad.message.startswith("stopped early by bandit: at report ")
    assert "--learning_rate=0.005" in kftune(tmp_path, "best", "study.yaml", "--format", "args")
    # What the document says about versions: other ranges do not mix with these results.
    said = kftune(tmp_path, "run", "study.yaml", BANDIT, points, *small, "search.epochs={choice: [30]}", status=2)
    assert "space.epochs: was" in said


@pytest.mark.parametrize(
    ("reports", "value", "stops"),
    [(9, 9.0, False), (10, 1.1, False), (10, 1.2, True), (12, 1.2, False), (15, 1.2, True)],
)
def test_the_bandit_judges_from_the_tenth_report_on_and_then_each_fifth(reports: int, value: float, stops: bool):
    (rule,) = circuits(BANDIT).stopping
    assert isinstance(rule, TrialRule)
    assert bool(rule.judge(2, histories({1: [1.0] * 30, 2: [value] * reports}))) is stops


def test_the_settings_of_azure_are_answered_with_those_of_here():
    with pytest.raises(StudyError, match=r"'evaluation_interval'.* did you mean 'interval'"):
        circuits("stopping={bandit: {evaluation_interval: 5, slack_factor: 0.1}}")
    with pytest.raises(StudyError, match=r"'delay_evaluation'.* did you mean 'delay'"):
        circuits("stopping={bandit: {delay_evaluation: 10, slack_factor: 0.1}}")


@pytest.mark.parametrize(
    ("key", "here"),
    [("search_space", "search"), ("early_termination", "stopping"), ("sampling_algorithm", "algorithm")],
)
def test_a_section_of_a_sweep_is_answered_with_the_key_of_a_study(tmp_path: Path, key: str, here: str):
    (tmp_path / "study.yaml").write_text(f"{(CIRCUITS / 'study.yaml').read_text()}\n{key}: {{}}\n")
    with pytest.raises(StudyError, match=f"has no key '{key}'; did you mean '{here}"):
        load_study(tmp_path / "study.yaml")


@pytest.mark.parametrize(("key", "here"), [("max_total_trials", "max_trials"), ("max_concurrent_trials", "parallel")])
def test_a_limit_of_a_sweep_is_answered_with_one_of_the_budget(key: str, here: str):
    with pytest.raises(StudyError, match=f"'{key}'; did you mean '(budget.)?{here}'"):
        circuits(f"budget.{key}=3")


def test_bayesian_sampling_takes_a_loguniform_and_a_bandit():
    (experiment,) = render(circuits("algorithm.name=bayesianoptimization", BANDIT)).documents
    assert experiment["spec"]["algorithm"]["algorithmName"] == "bayesianoptimization"
    assert experiment["spec"]["earlyStopping"]["algorithmName"] == "kftune-bandit"


def test_one_trial_with_the_defaults_is_a_first_try(tmp_path: Path):
    first = one_trial(study(trials=1, points=[{}]), tmp_path)
    assert (first.state, first.point) == ("Succeeded", Net().to_dict())


def test_more_trials_go_on_with_the_same_study(tmp_path: Path):
    run_study(study(trials=2), tmp_path)
    run_study(study(trials=3), tmp_path)
    assert [(trial.number, trial.attempt) for trial in trials_in(tmp_path)] == [(1, 1), (2, 1), (3, 1)]


def test_the_same_numbers_of_trials_are_a_start():
    small = circuits("budget.max_trials=5", "search.epochs={choice: [30, 50]}", "search.lstm_units={choice: [32, 64]}")
    assert (small.budget.max_trials, small.space["epochs"], small.space["lstm_units"]) == (
        5,
        Choice(30, 50),
        Choice(32, 64),
    )


# -- circuits ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("circuit", ["PLANT001/CIRCUIT01", "PLANT001/CIRCUIT02"])
def test_a_circuit_has_its_values_in_the_file_of_circuits(circuit: str):
    found = LstmHparams.from_yaml(CIRCUITS / "circuits.yaml", key=circuit.replace("/", "."))
    assert found.circuit == circuit
    assert circuits(f"values.circuit={circuit}", "name=other").fixed["circuit"] == circuit


# The training is a formula here; a learning rate of 0.005 is the best one.
TUNED = """\
name: circuit01
hparams: LstmHparams
values: {circuit: PLANT001/CIRCUIT01, epochs: 30, batch_size: 32, lstm_units: 64}
search: {learning_rate: {choice: [0.001, 0.005]}}
objective: {metric: val_loss, direction: minimize}
algorithm: {name: grid}
budget: {max_trials: 2, parallel: 1}
step: {command: [sh, -c, 'case "$0 $*" in *learning_rate=0.005*) echo val_loss=0.25;; *) echo val_loss=0.5;; esac']}
"""
PLACE = "PLANT001/CIRCUIT01"


@pytest.fixture
def tuned(tmp_path: Path) -> Path:
    """A folder with a study that has run, with the values of the file as the first trial."""
    shutil.copy(CIRCUITS / "circuits.yaml", tmp_path)
    (tmp_path / "study.yaml").write_text(TUNED)
    kftune(tmp_path, "run", "study.yaml", "--plain", "--baseline-from", "circuits.yaml", "--at", PLACE)
    return tmp_path


def test_the_best_values_are_written_into_the_file_of_circuits_and_nothing_else(tuned: Path):
    before = (tuned / "circuits.yaml").read_text()
    said = kftune(tuned, "apply", "study.yaml", "--to", "circuits.yaml", "--at", PLACE, "--yes")
    assert "val_loss 0.25, baseline 0.5" in said
    wanted = before.replace("learning_rate: 0.001", "learning_rate: 0.005", 1)
    assert (tuned / "circuits.yaml").read_text() == wanted


def test_a_branch_has_the_change_and_the_text_of_a_pull_request(tuned: Path):
    git(tuned, "init", "--quiet", "--initial-branch=main")
    git(tuned, "config", "user.name", "Ada")
    git(tuned, "config", "user.email", "ada@example.com")
    git(tuned, "add", "circuits.yaml", "study.yaml")
    git(tuned, "commit", "--quiet", "--message=First")
    said = kftune(tuned, "apply", "study.yaml", "--to", "circuits.yaml", "--at", PLACE, "--yes", "--branch")
    assert "- learning_rate: 0.001 -> 0.005" in said
    assert "+    learning_rate: 0.005" in git(tuned, "show", "kftune/circuit01-plant001-circuit01")
    assert git(tuned, "branch", "--show-current") == "main\n"


def test_the_functions_of_the_helper_have_their_names_here(tmp_path: Path):
    (tmp_path / "study.yaml").write_text(TUNED)
    job = submit_tuning_job(tmp_path / "study.yaml")
    other = submit_tuning_job(
        tmp_path / "study.yaml",
        "name=circuit02",
        "values.circuit=PLANT001/CIRCUIT02",
        "search.learning_rate.choice=[0.001]",
    )
    best = get_best_trial_results(job)
    assert (best.value, best.hyperparameters) == (0.25, {"learning_rate": 0.005})
    snippet = generate_circuits_yaml_snippet(best, PLACE)
    values: Any = yaml_text.load(snippet)
    assert values["PLANT001"]["CIRCUIT01"]["learning_rate"] == 0.005
    assert kftune(tmp_path, "snippet", "study.yaml", "--at", PLACE) == snippet
    assert [row["study"] for row in compare_tuning_runs([other, job])] == ["circuit01", "circuit02"]


def test_the_best_values_and_those_of_the_file_can_be_compared():
    here = LstmHparams.from_yaml(CIRCUITS / "circuits.yaml", key="PLANT001.CIRCUIT01")
    best = here.override("learning_rate=0.005", "lstm_units=32")
    assert best.diff(here) == {"lstm_units": (32, 64), "learning_rate": (0.005, 0.001)}


# -- troubleshooting ---------------------------------------------------------------------------------------------


def test_data_that_is_missing_is_named_before_the_first_trial(tmp_path: Path):
    with pytest.raises(RunError, match=r"the step's data must be there, but .*nowhere is not"):
        run_study(circuits("step.data.path=nowhere"), tmp_path)


def test_a_circuit_that_does_not_exist_fails_with_the_reason_of_the_script():
    with pytest.raises(HparamsError, match=r"a name must be like PLANT001/CIRCUIT01 .* but got 'PLANT1/C1'"):
        load_circuit("PLANT1/C1")


def test_a_script_that_fails_shows_its_last_lines(tmp_path: Path):
    failed = one_trial(study(sh("echo the component has no data >&2; exit 3"), trials=1), tmp_path)
    assert (failed.state, failed.exit_code) == ("Failed", 3)
    assert "the component has no data" in failed.message


def test_ranges_that_do_not_fit_the_class_are_named():
    with pytest.raises(StudyError, match="a field must take every value of its search domain, but field lstm_units"):
        circuits("search.lstm_units={uniform: [32, 256]}")


def test_the_components_and_search_space_of_azure_are_no_study(tmp_path: Path):
    (tmp_path / "component.yaml").write_text("search_space:\n  lstm_units: {type: choice, values: [32, 64]}\n")
    with pytest.raises(StudyError, match="Study has no key 'search_space'; did you mean 'search'"):
        load_study(tmp_path / "component.yaml")


def test_what_the_trials_of_many_circuits_have_in_common_is_found(tmp_path: Path):
    for number in range(1, 7):
        circuit = f"PLANT001/CIRCUIT{number:02}"
        folder = tmp_path / "runs" / "circuits" / f"CIRCUIT{number:02}"
        options: Any = {"search": SPACE, "values": {"circuit": circuit}, "seed": number, "max_trials": 12}
        with kftune_package.ask_tell(
            LstmHparams, dir=folder, objective="val_loss", algorithm="random", **options
        ) as asked:
            for trial in asked:  # in place of a training
                far = abs(math.log10(trial.hparams.learning_rate) + 3)
                asked.tell(trial, val_loss=number + far + 1 / trial.hparams.lstm_units)
    shared = ("summarise", "--across", "runs/circuits", "--format", "json")
    found = json.loads(kftune(tmp_path, *shared).rpartition("}")[0] + "}")
    assert [each["label"] for each in found["entities"]] == [f"CIRCUIT{number:02}" for number in range(1, 7)]
    assert 0.0004 < found["defaults"]["values"]["learning_rate"] < 0.0025
    assert "learning_rate" in found["narrowed"]
