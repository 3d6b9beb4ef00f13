"""Lists of experiments run for real: names, failures, what runs again and what does not, and the results file."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from experiment_lists import LIST, command, environment, project, results, run, started, statuses

from kftune.cli import main
from kftune.local.processes.process_table import process_table
from kftune.results import open_results

PASSED = {"slow_and_sure": "completed", "broken": "failed", "slow": "completed"}


class Finished(NamedTuple):
    folder: Path
    run: subprocess.CompletedProcess[str]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    project(tmp_path)
    return tmp_path


def wait_for(what: Callable[[], object]) -> None:
    until = time.monotonic() + 60
    while not what():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A list that has run once."""
    folder = tmp_path_factory.mktemp("finished")
    project(folder)
    return Finished(folder, run(folder))


def test_a_list_runs_all_and_one_that_fails_does_not_end_it(finished: Finished):
    assert finished.run.returncode == 1, finished.run.stderr
    assert statuses(finished.folder) == PASSED
    assert started(finished.folder) == [*PASSED]
    found = results(finished.folder)
    assert found["experiments_completed"] == 2
    assert found["not_run"] == []
    assert found["best_result"] == found["all_results"][0]
    assert found["best_result"]["experiment_name"] == "slow_and_sure"


def test_results_have_the_keys_of_the_contract_and_metrics_named_by_the_value_that_counts(finished: Finished):
    first, failed, _ = results(finished.folder)["all_results"]
    assert list(first) == [
        *("experiment_name", "status", "training_time", "best_val_loss", "best_accuracy", "total_epochs"),
        *("error_message", "hyperparameters", "targets"),
    ]
    assert first["best_val_loss"] == pytest.approx(0.001 + 1 / 3)
    assert first["best_accuracy"] == pytest.approx(0.999)
    assert (first["total_epochs"], first["error_message"]) == (3, None)
    assert first["hyperparameters"]["optimizer.kind"] == "adam"
    assert failed["error_message"] == "exit code 1; its last lines:\n  the disk is on fire"
    assert (failed["best_val_loss"], failed["total_epochs"]) == (None, 0)


def test_each_experiment_says_which_targets_it_has_met(finished: Finished):
    first, failed, third = results(finished.folder)["all_results"]
    assert {each["name"]: each["met"] for each in first["targets"]} == {
        **{"val_loss": True, "accuracy": True, "training_time_per_epoch": True, "convergence_epochs": False}
    }
    assert {each["name"]: each["met"] for each in third["targets"]}["convergence_epochs"] is True
    assert not any(each["met"] for each in failed["targets"])
    assert "convergence_epochs not met (3)" in finished.run.stdout


def test_experiments_keep_their_names_in_folders_logs_and_commands(
    finished: Finished, capsys: pytest.CaptureFixture[str]
):
    out = finished.folder / "out"
    assert (out / "slow_and_sure" / "weights.txt").read_text() == "0.001"
    assert "the disk is on fire" in (out / "logs" / "broken.log").read_text()
    assert main(["logs", str(out), "broken"]) == 0
    assert "the disk is on fire" in capsys.readouterr().out
    assert main(["best", str(out)]) == 0
    assert "best of 3 trials of toys: slow_and_sure" in capsys.readouterr().out
    with open_results(out) as found:
        assert [trial.name for trial in found.trials()] == [*PASSED]
        assert found.folder.output("slow") == out / "slow"


@pytest.mark.nightly  # tests/seeds has the same from Python
def test_when_all_have_failed_there_is_no_best_result(folder: Path):
    assert run(folder, "--experiments", "broken").returncode == 1
    assert results(folder)["best_result"] is None
    assert results(folder)["experiments_completed"] == 0


def test_without_a_failure_the_exit_code_is_0(folder: Path):
    assert run(folder, "--experiments", "slow").returncode == 0
    assert statuses(folder) == {"slow": "completed"}


def test_what_has_finished_does_not_run_again(folder: Path):
    run(folder, "--experiments", "slow")
    run(folder)
    assert started(folder) == ["slow", "slow_and_sure", "broken"]
    assert statuses(folder) == PASSED
    run(folder, "--experiments", "slow_and_sure")
    assert started(folder) == ["slow", "slow_and_sure", "broken"]
    assert statuses(folder) == {"slow_and_sure": "completed"}


@pytest.mark.nightly
def test_failed_experiments_run_again_when_asked(folder: Path):
    run(folder)
    run(folder, "--retry-failed")
    assert started(folder) == [*PASSED, "broken"]
    assert (folder / "out" / "logs" / "broken.log.attempt1").exists()


def test_a_changed_experiment_runs_again_and_a_new_one_too(folder: Path):
    run(folder)
    text = LIST.replace("fails: true", "fails: false").replace("targets:", "  more: {lr: 0.003}\ntargets:")
    (folder / "list.yaml").write_text(text)
    done = run(folder)
    assert done.returncode == 0
    assert started(folder) == [*PASSED, "broken", "more"]
    assert "broken runs again: the experiment has changed in the list since it ran" in done.stdout
    assert statuses(folder) == {**PASSED, "broken": "completed", "more": "completed"}


@pytest.mark.nightly
def test_fresh_runs_all_again_and_keeps_the_earlier_results_aside(folder: Path):
    run(folder, "--experiments", "slow", "--results-file", "out/results.json")
    again = run(folder, "--experiments", "slow", "--fresh", "--results-file", "out/results.json")
    assert again.returncode == 0, again.stderr
    assert started(folder) == ["slow", "slow"]
    aside = next(folder.glob("out.old-*"))
    assert (aside / "slow" / "weights.txt").exists()


def test_a_folder_of_someone_else_is_left_alone(folder: Path):
    (folder / "out" / "slow").mkdir(parents=True)
    (folder / "out" / "slow" / "thesis.txt").write_text("mine")
    done = run(folder, "--experiments", "slow")
    assert done.returncode == 2
    assert "this one has files that are not its results" in done.stderr
    assert [file.name for file in (folder / "out" / "slow").iterdir()] == ["thesis.txt"]


@pytest.mark.nightly
def test_results_of_another_objective_are_refused(folder: Path):
    run(folder, "--experiments", "slow")
    done = run(folder, "objective={metric: accuracy, direction: maximize}", "metrics=[]", "~targets")
    assert done.returncode == 2
    assert "the list 'toys' has changed" in done.stderr
    assert "--output-dir" in done.stderr


def test_the_end_of_one_leaves_another_alone_whose_name_begins_with_its_name(folder: Path):
    settings = [f"experiments.{name}.seconds=0.5" for name in ("slow", "slow_and_sure")]
    done = run(folder, "--parallel", "2", *settings, "--experiments", "slow", "slow_and_sure")
    assert done.returncode == 0, done.stdout
    assert statuses(folder) == {"slow": "completed", "slow_and_sure": "completed"}


def test_ctrl_c_keeps_what_is_done_and_the_next_run_goes_on(folder: Path):
    given = ["--config", "list.yaml", "--output-dir", "out", "--results-file", "results.json"]
    child = subprocess.Popen(
        command(*given, "experiments.slow.seconds=60"), cwd=folder, stdout=subprocess.PIPE, env=environment()
    )
    wait_for(lambda: "slow" in started(folder))
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=60)
    assert child.returncode == 130
    assert statuses(folder) == {"slow_and_sure": "completed", "broken": "failed"}
    assert results(folder)["not_run"] == ["slow"]
    run(folder)
    assert started(folder) == [*PASSED, "slow"]
    assert statuses(folder) == PASSED


def test_a_killed_run_loses_no_result_and_leaves_no_process(folder: Path):
    given = ["--config", "list.yaml", "--output-dir", "out", "--results-file", "results.json"]
    child = subprocess.Popen(
        command(*given, "experiments.slow.seconds=60"), cwd=folder, stdout=subprocess.PIPE, env=environment()
    )
    wait_for(lambda: "slow" in started(folder))
    with open_results(folder / "out") as found:
        pid = found.trial("slow").pid
    child.kill()
    child.communicate(timeout=60)
    assert statuses(folder) == {"slow_and_sure": "completed", "broken": "failed"}
    assert run(folder).returncode == 1
    assert pid is not None
    assert process_table().started(pid) is None
    assert started(folder) == [*PASSED, "slow"]


def test_the_results_are_named_by_the_time_and_in_the_current_folder(folder: Path):
    given = ["--config", "list.yaml", "--experiments", "slow"]
    subprocess.run(command(*given), cwd=folder, check=True, capture_output=True, env=environment())
    found = [file.name for file in folder.glob("hyperparameter_tuning_results_*.json")]
    content = json.loads((folder / found[0]).read_bytes())
    assert found == [f"hyperparameter_tuning_results_{content['timestamp']}.json"]
    assert (folder / "training_output" / "slow" / "weights.txt").exists()


def test_a_script_that_kftune_does_not_know_gets_its_own_style(folder: Path):
    (folder / "train.py").write_text("import sys\nprint(sys.argv[1:])\nprint('val_loss=0.5 accuracy=0.5')\n")
    style = "step.arguments={names: dashes, style: --name value, booleans: flag}"
    assert run(folder, style, "--experiments", "slow", "broken").returncode == 0
    # Also the defaults of the class, which the script does not know, and which the results have.
    everything = ["--lr", "0.01", "--epochs", "2", "--optimizer.kind", "adam", "--optimizer.momentum", "0.9"]
    everything += ["--seconds", "0.0", "--fails"]
    assert str(everything) in (folder / "out" / "logs" / "broken.log").read_text()
    assert "'--optimizer.kind', 'sgd'" in (folder / "out" / "logs" / "slow.log").read_text()


@pytest.mark.nightly
def test_events_are_json_lines_with_the_names(folder: Path):
    events = [json.loads(line) for line in run(folder, "--json").stdout.splitlines()]
    assert [each["trial"] for each in events if each["event"] == "trial_finished"] == [*PASSED]


def test_help_of_experiments_imports_nothing_heavy():
    code = "import sys; from kftune.cli import main\ntry: main(['experiments', '--help'])\nexcept SystemExit: pass\n"
    code += "print([name for name in ('pydantic', 'yaml', 'optuna', 'torch') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
