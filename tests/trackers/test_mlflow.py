"""MLflow's own search finds every trial with its values, curves, times and state."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tracked_study import BEGIN, saved, trials

from kftune.cli import main

mlflow = pytest.importorskip("mlflow", reason="it is in the extra mlflow, which `make setup` does not install")
pytest.importorskip("alembic")
pytestmark = pytest.mark.filterwarnings("ignore")  # those of MLflow and SQLAlchemy


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a folder with a saved study and its export."""
    found = tmp_path_factory.mktemp("tracking")
    assert main(["export", saved(found / "saved.json"), "--to", "mlflow", "-o", str(found)]) == 0
    return found


def runs(folder: Path) -> dict[str, Any]:
    client = mlflow.MlflowClient(f"sqlite:///{folder}/mlflow.db")
    experiment = client.get_experiment_by_name("small nets")
    return {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}


def test_each_trial_is_a_run_with_values_state_and_times(folder: Path):
    found = runs(folder)
    assert {name: run.data.params for name, run in found.items()} == {
        "t-1": {"epochs": "3", "lr": "0.1", "units": "4", "opt": "adam", "bias": "true", "layers": "[1, 2]"},
        "t-2": {"epochs": "3", "lr": "0.25", "units": "8", "opt": "null", "bias": "false", "layers": "[3]"},
        "../up": {"epochs": "3", "lr": "0.5", "opt": "sgd"},
    }
    assert {name: run.info.status for name, run in found.items()} == {
        "t-1": "FINISHED",
        "t-2": "FINISHED",
        "../up": "FAILED",
    }
    assert found["t-1"].data.metrics == {"val-loss": 0.625, "val-loss/min": 0.5, "acc": 0.75}
    assert (found["t-1"].info.start_time, found["t-1"].info.end_time) == (BEGIN * 1000, BEGIN * 1000 + 9750)
    assert {name: run.data.tags["kftune.state"] for name, run in found.items()} == {
        "t-1": "Succeeded",
        "t-2": "EarlyStopped",
        "../up": "Failed",
    }
    assert found["t-2"].data.tags["kftune.stopped_by"] == "bandit"
    assert found["../up"].data.tags["kftune.message"] == "exit code 3"


def test_a_search_orders_the_runs_by_the_value_that_counts(folder: Path):
    client = mlflow.MlflowClient(f"sqlite:///{folder}/mlflow.db")
    ids = [client.get_experiment_by_name("small nets").experiment_id]
    best = client.search_runs(ids, "metrics.`val-loss/min` > 0", order_by=["metrics.`val-loss/min` ASC"])
    assert [run.info.run_name for run in best] == ["t-2", "t-1"]


def test_curves_have_their_steps_and_times(folder: Path):
    client = mlflow.MlflowClient(f"sqlite:///{folder}/mlflow.db")
    history = client.get_metric_history(runs(folder)["t-1"].info.run_id, "val-loss")
    assert sorted((each.timestamp, each.step, each.value) for each in history) == [
        (round(BEGIN * 1000) + 500, 1, 0.75),
        (round(BEGIN * 1000) + 1000, 5, 0.5),
        (round(BEGIN * 1000) + 1500, 5, 0.625),
    ]


def test_only_what_is_missing_or_half_written_is_written_again(folder: Path, capsys):
    client = mlflow.MlflowClient(f"sqlite:///{folder}/mlflow.db")
    before = {name: run.info.run_id for name, run in runs(folder).items()}
    client.update_run(before["t-2"], "RUNNING")  # as an export leaves it that was killed
    again = saved(folder / "saved.json", [*trials()[:3], trials()[3]._replace(state="Failed")])
    assert main(["export", again, "--to", "mlflow", "-o", str(folder)]) == 0
    assert f"wrote 2 runs to {folder}/mlflow.db (2 were there already)" in capsys.readouterr().out
    after = {name: run.info.run_id for name, run in runs(folder).items()}
    assert after.keys() == {"t-1", "t-2", "../up", "t-4"}
    assert {name for name in before if before[name] == after[name]} == {"t-1", "../up"}


def test_an_experiment_of_someone_else_is_left_alone(folder: Path, tmp_path: Path, capsys):
    other = saved(tmp_path / "other.json", created="2027-01-01T00:00:00Z")
    count = len(runs(folder))
    assert main(["export", other, "--to", "mlflow", "-o", str(folder)]) == 2
    assert "there is an experiment small nets already, and it is not of this study" in capsys.readouterr().err
    assert len(runs(folder)) == count


def test_without_a_folder_the_variable_names_the_server(tmp_path: Path, capsys, monkeypatch):
    file = saved(tmp_path / "saved.json")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert main(["export", file, "--to", "mlflow"]) == 2
    assert "without it the variable MLFLOW_TRACKING_URI names a server" in capsys.readouterr().err
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    assert main(["export", file, "--to", "mlflow"]) == 0
    assert set(runs(tmp_path)) == {"t-1", "t-2", "../up"}


def test_a_server_that_does_not_answer_is_named_without_its_password(tmp_path: Path, capsys, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@127.0.0.1:1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    assert main(["export", saved(tmp_path / "saved.json"), "--to", "mlflow"]) == 2
    said = capsys.readouterr().err
    assert "kftune: MLflow refuses: API request to MLFLOW_TRACKING_URI/" in said
    assert "secret" not in said
