"""What is kept of a study, read back and written out. The store is written directly here; no trial runs."""

from __future__ import annotations

import csv
import io
import json
import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from growth import calls_of

from kftune.errors import StoreError, UnknownNameError
from kftune.metrics.values import MetricValues
from kftune.results import Meta, RunFolder, State, TrackedMetric, Trial, TrialEnd, TrialStart, open_results, slug
from kftune.results.export import to_csv, to_json, to_rows, to_seed_json, to_text
from kftune.results.layout import trial_name
from kftune.results.opening import insert
from kftune.results.store import Store
from kftune.results.tables import CHECKED

META = Meta(
    name="Small study",
    slug="small-study",
    direction="minimize",
    metrics=(TrackedMetric("val_loss", "min"), TrackedMetric("acc", "max"), TrackedMetric("train_loss", "latest")),
    goal=None,
    algorithm="random",
    settings={},
    seed=7,
    max_trials=5,
    parallel=1,
    fixed={"epochs": 3},
    space={"lr": {"loguniform": [0.001, 0.1]}, "state": {"choice": ["a", "b"]}},
    identity="0" * 64,
    compared={"space": {}},
    created="2026-11-21T08:00:00.000Z",
    version="0.1.0",
)
ORIGIN = META.origin("c0de" * 16, "ad0be" * 8 + "-dirty")


def add(store: Store, number: int, state: State = "Succeeded", loss: float | None = None, message: str = "") -> None:
    """Stores one trial that has ended."""
    point = {"lr": 0.01 * number, "state": "a"}
    start = TrialStart(
        number=number,
        attempt=1,
        assignment={"lr": repr(point["lr"]), "state": "a", "epochs": "3"},
        point=point,
        started=f"2026-11-21T08:00:0{number}.000Z",
        origin=ORIGIN,
        pid=4000 + number,
        pid_started=12.5,
    )
    end = TrialEnd(
        state=state,
        metrics={} if loss is None else reported(loss),
        objective=loss,
        ended=f"2026-11-21T08:01:0{number}.000Z",
        duration=60.0,
        exit_code=0 if state == "Succeeded" else 1,
        message=message,
    )
    store.start(start)
    store.end(number, end)


def reported(loss: float) -> dict[str, MetricValues]:
    return {
        "val_loss": MetricValues(f"{loss:.2f}", "9", f"{loss + 0.5:.2f}", 4, 3),
        "acc": MetricValues("0.1", ".9", "0.5", 2, None),
        "train_loss": MetricValues("0.2", "3", "0.25", 4, 3),
    }


def fill(folder: Path) -> None:
    """Four trials: two succeeded, one failed, one that still runs."""
    with Store(folder, META) as store:
        add(store, 1, loss=0.5)
        add(store, 2, "Failed", message='exit code 1; its last lines:\n  boom, "bang"')
        add(store, 3, loss=0.25)
        running = TrialStart(4, 2, {"lr": "0.04"}, {"lr": 0.04}, "2026-11-21T08:00:04.000Z", ORIGIN)
        store.start(running._replace(pid=4004, pid_started=13.0))


def test_what_is_stored_is_read_back(tmp_path):
    fill(tmp_path)
    with open_results(tmp_path) as results:
        assert results.meta == META
        first, second, third, fourth = results.trials()
        assert first.name == "small-study-0001"
        assert first.metrics["val_loss"] == MetricValues("0.50", "9", "1.00", 4, 3)
        assert (first.point, first.exit_code, first.pid) == ({"lr": 0.01, "state": "a"}, 0, None)
        assert (second.state, second.objective) == ("Failed", None)
        assert (second.origin, second.origin.algorithm, second.origin.seed) == (ORIGIN, "random", 7)
        assert results.best() == third
        assert (fourth.state, fourth.attempt, fourth.pid, fourth.pid_started) == ("Running", 2, 4004, 13.0)
        assert results.counts() == {"Failed": 1, "Running": 1, "Succeeded": 2}


def test_the_best_is_the_first_of_equals_and_never_one_that_failed(tmp_path):
    with Store(tmp_path, META) as store:
        add(store, 1, "Failed", loss=0.1)
        add(store, 3, loss=0.5)
        add(store, 2, loss=0.5)
    with open_results(tmp_path) as results:
        best = results.best()
        assert best is not None
        assert best.number == 2


def test_maximising_takes_the_greatest(tmp_path):
    with Store(tmp_path, META._replace(direction="maximize")) as store:
        add(store, 1, loss=0.5)
        add(store, 2, loss=0.75)
    with open_results(tmp_path) as results:
        best = results.best()
        assert best is not None
        assert best.number == 2


@pytest.mark.parametrize("name", ["3", "0003", "small-study-0003"])
def test_a_trial_is_found_by_name_and_by_number(tmp_path, name):
    fill(tmp_path)
    with open_results(tmp_path) as results:
        assert results.trial(name).number == 3


def test_the_error_for_an_unknown_trial_has_similar_names(tmp_path):
    fill(tmp_path)
    with open_results(tmp_path) as results, pytest.raises(UnknownNameError) as caught:
        results.trial("small-study-0009")
    assert "unknown trial 'small-study-0009'; did you mean 'small-study-000" in str(caught.value)


def test_a_folder_without_results_is_an_error(tmp_path):
    with pytest.raises(StoreError) as caught:
        open_results(tmp_path / "nothing")
    assert str(caught.value) == f"{tmp_path}/nothing: there are no results here; kftune run creates them"


def test_where_there_are_no_results_those_beside_are_named(tmp_path):
    fill(tmp_path / "other")
    with pytest.raises(StoreError, match=rf"kftune run creates them; there are some in {tmp_path}/other$"):
        open_results(tmp_path / "nothing")


@pytest.mark.parametrize("use", [open_results, lambda folder: Store(folder, META)], ids=["reading", "writing"])
def test_results_of_a_newer_format_are_refused(tmp_path, use):
    fill(tmp_path)
    with closing(sqlite3.connect(tmp_path / "trials.db")) as connection:
        connection.execute("PRAGMA user_version = 9")
    with pytest.raises(StoreError, match=r"have format 9, and this kftune reads 4; update kftune"):
        use(tmp_path)


def test_only_synchronising_waits_for_the_disk(tmp_path):
    def mode(store: Store) -> object:
        return store._connection.execute("PRAGMA synchronous").fetchone()[0]

    with Store(tmp_path, META) as store:
        assert store._connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        store.start(TrialStart(1, 1, {}, {}, "", ORIGIN))
        assert mode(store) == 1  # NORMAL
        store.end(1, TrialEnd("Failed", {}, None, "", 0.0, exit_code=1))
        assert mode(store) == 1
        with open_results(tmp_path) as results:
            assert [trial.state for trial in results.trials()] == ["Failed"]
        store.synchronise()
        assert mode(store) == 2  # FULL


def test_a_full_disk_loses_nothing_that_was_stored(tmp_path):
    with Store(tmp_path, META) as store:
        add(store, 1, loss=0.5)
        store._connection.execute("PRAGMA max_page_count = 1")
        with pytest.raises(StoreError) as caught:
            add(store, 2, "Failed", message="x" * 100_000)
        assert "database or disk is full. If the disk is full, free some space and run again" in str(caught.value)
        store._connection.execute("PRAGMA max_page_count = 1000000")
    with open_results(tmp_path) as results:
        assert [trial.state for trial in results.trials()] == ["Succeeded", "Running"]


def test_the_time_at_work_adds_up_over_runs(tmp_path):
    for _ in range(2):
        with Store(tmp_path, META):
            time.sleep(0.05)
    with open_results(tmp_path) as results:
        assert 0.1 <= results.active_seconds() < 5


def test_a_study_s_name_becomes_part_of_file_names():
    assert slug("Circuits: LSTM (v2)") == "circuits-lstm-v2"
    assert slug("été / ##") == "t"
    assert slug("日本") == "study"
    assert len(slug("x" * 200)) == 40
    assert trial_name("a", 12345) == "a-12345"


def test_all_paths_come_from_one_place():
    folder = RunFolder(Path("runs/a"))
    assert folder.log("a-0001") == Path("runs/a/logs/a-0001.log")
    assert folder.output("a-0001") == Path("runs/a/trials/a-0001")
    assert folder.database == Path("runs/a/trials.db")


# -- other forms --------------------------------------------------------------------------------------------------


def exported(folder: Path, form: Any) -> Any:
    with open_results(folder) as results:
        return form(results)


def test_the_seed_s_json(tmp_path):
    fill(tmp_path)
    data = exported(tmp_path, to_seed_json)
    first = {
        "experiment_name": "small-study-0001",
        "status": "completed",
        "training_time": 60.0,
        "best_val_loss": 0.5,
        "final_val_loss": 1.0,
        "best_acc": 0.9,
        "final_acc": 0.5,
        "final_train_loss": 0.25,
        "total_epochs": 4,
        "hyperparameters": {"epochs": 3, "lr": 0.01, "state": "a"},
    }
    assert data["timestamp"] == "20261121_080103"
    assert data["experiments_completed"] == 3
    assert data["all_results"][0] == first
    assert data["best_result"] == {
        **first,
        "experiment_name": "small-study-0003",
        "best_val_loss": 0.25,
        "final_val_loss": 0.75,
        "hyperparameters": {"epochs": 3, "lr": 0.03, "state": "a"},
    }
    failed = data["all_results"][1]
    assert (failed["status"], failed["best_val_loss"], failed["total_epochs"]) == ("failed", None, 0)
    assert failed["error_message"] == 'exit code 1; its last lines:\n  boom, "bang"'
    assert json.loads(to_text(data)) == data


def test_the_seed_s_json_has_no_best_result_when_all_failed(tmp_path):
    with Store(tmp_path, META) as store:
        add(store, 1, "Failed")
        add(store, 2, "MetricsUnavailable")
    data = exported(tmp_path, to_seed_json)
    assert (data["best_result"], data["experiments_completed"]) == (None, 2)
    assert [result["status"] for result in data["all_results"]] == ["failed", "failed"]


def test_an_objective_that_counts_by_its_latest_value_has_a_best_one_all_the_same(tmp_path):
    with Store(tmp_path, META._replace(metrics=(TrackedMetric("val_loss", "latest"),))) as store:
        add(store, 1, loss=0.5)
    assert exported(tmp_path, to_seed_json)["best_result"]["best_val_loss"] == 0.5


def test_our_own_json(tmp_path):
    fill(tmp_path)
    data = exported(tmp_path, to_json)
    assert data["format"] == "kftune.results/1"
    assert data["best"] == data["trials"][2]
    assert data["study"]["metrics"][0] == {"name": "val_loss", "reduce": "min"}
    assert data["trials"][0]["metrics"]["acc"] == {"min": "0.1", "max": ".9", "latest": "0.5", "count": 2, "step": None}
    assert data["trials"][3]["state"] == "Running"
    assert data["trials"][0]["origin"] == ORIGIN._asdict()
    assert data["trials"][0]["log"] == f"{tmp_path}/logs/small-study-0001.log"
    assert json.loads(to_text(data)) == data


def test_csv_has_a_line_a_trial_and_keeps_names_apart(tmp_path):
    fill(tmp_path)
    rows = list(csv.DictReader(io.StringIO(exported(tmp_path, to_csv))))
    assert len(rows) == 4
    assert rows[0]["val_loss"] == "0.50"
    assert rows[0]["acc"] == ".9"
    assert (rows[0]["state"], rows[0]["hparams.state"]) == ("Succeeded", "a")
    assert (rows[0]["origin.algorithm"], rows[0]["origin.seed"], rows[0]["origin.code"]) == ("random", "7", ORIGIN.code)
    assert rows[1]["message"] == 'exit code 1; its last lines:\n  boom, "bang"'
    assert (rows[3]["val_loss"], rows[3]["duration"], rows[3]["exit_code"]) == ("", "", "")


def test_rows_of_a_table_are_as_wide_as_their_header(tmp_path):
    fill(tmp_path)
    header, rows = exported(tmp_path, to_rows)
    assert header[:6] == ["trial", "state", "duration", "val_loss", "acc", "train_loss"]
    assert {len(row) for row in rows} == {len(header)}


# -- speed --------------------------------------------------------------------------------------------------------


def test_reading_results_loads_nothing_heavy(tmp_path):
    fill(tmp_path)
    code = f"""
import sys
from kftune.results import open_results
from kftune.results.export import to_json
with open_results({str(tmp_path)!r}) as results:
    to_json(results)
heavy = {{"pydantic", "yaml", "optuna", "rich", "asyncio", "subprocess", "kftune.study"}}
heavy |= {{"dataclasses", "inspect", "kftune.metrics.definition", "kftune.metrics.reduction"}}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def best_of(folder: Path) -> Trial:
    with open_results(folder) as results:
        best = results.best()
    assert isinstance(best, Trial)
    return best


def with_trials(folder: Path, count: int) -> Path:
    with Store(folder, META) as store:
        fixed = dict.fromkeys(CHECKED, "") | {"attempt": 1, "point": "{}", "assignment": "{}", "settings": "{}"}
        trial = {**fixed, "state": "Succeeded", "metrics": '{"val_loss":["1","1","1",1,null]}', "retried": "{}"}
        numbers = dict.fromkeys(("duration", "exit_code", "pid", "pid_started", "seed"))
        rows = [
            tuple({**trial, **numbers, "seed": 0, "number": number, "objective": (number * 7919) % count}.values())
            for number in range(1, count + 1)
        ]
        store._connection.execute("BEGIN")
        insert(store._connection, rows)
        store._connection.execute("COMMIT")
    return folder


def test_the_best_of_thousands_is_found_without_converting_them_all(tmp_path):
    few, many = with_trials(tmp_path / "few", 50), with_trials(tmp_path / "many", 5000)
    assert best_of(many).objective == 0
    # What is left for each is a checksum.
    assert calls_of(lambda: best_of(many)) <= calls_of(lambda: best_of(few)) + 3 * 4950


def test_a_run_that_goes_on_is_told_from_one_that_was_killed(tmp_path):
    with Store(tmp_path, META), open_results(tmp_path) as results:
        assert results.writer() == str(os.getpid())
    with open_results(tmp_path) as results:
        assert results.writer() is None
