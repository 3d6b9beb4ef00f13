"""Results that an earlier version wrote."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from local_study import run, sh, study

from kftune.errors import StoreError
from kftune.results import open_results
from kftune.results.store import Store
from kftune.results.tables import FORMAT

DATA = Path(__file__).parents[1] / "data"
COMMAND = sh("case $KFTUNE_TRIAL_NAME in *2) exit 3;; *4) sleep 60;; esac; echo loss=0.$$ acc=1; echo loss=0.25")


@pytest.fixture(params=[1, 2])
def old(request: pytest.FixtureRequest) -> int:
    """An earlier format."""
    return int(request.param)


@pytest.fixture
def file(old: int) -> Path:
    """A file of that format: two trials succeeded, one failed, one was running when the run was killed."""
    return DATA / f"results-format-{old}.db"


@pytest.fixture
def folder(tmp_path: Path, file: Path) -> Path:
    """A folder with results of that format."""
    shutil.copy(file, tmp_path / "trials.db")
    return tmp_path


def rows(path: Path, query: str = "SELECT * FROM trials") -> list[dict[str, Any]]:
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(query)]


def version(path: Path) -> int:
    (row,) = rows(path, "PRAGMA user_version")
    return int(row["user_version"])


def test_results_of_an_earlier_format_can_be_read_and_stay_as_they_are(folder, old):
    with open_results(folder) as results:
        trials = results.trials()
        assert results.best() == trials[0]
        assert list(results.all_curves()) == []
        assert results.curves(trials[0]) == {}
    assert [trial.state for trial in trials] == ["Succeeded", "Failed", "Succeeded", "Running"]
    assert trials[0].metrics["loss"].max == {1: "0.32611", 2: "0.25276"}[old]
    assert {trial.stopped_by for trial in trials} == {""}
    assert {(trial.origin.algorithm, trial.origin.seed) for trial in trials} == {("random", 7)}
    assert {bool(trial.origin.code) for trial in trials} == {old > 1}
    assert version(folder / "trials.db") == old


def test_the_next_run_converts_an_earlier_format_and_loses_nothing(folder, file):
    before, (meta,) = rows(file), rows(file, "SELECT value FROM meta WHERE key = 'study'")
    with open_results(folder) as results, Store(folder, results.meta._replace(algorithm="sobol", seed=8)):
        pass
    after = rows(folder / "trials.db")
    # Earlier formats do not say at which start of the machine a process ran, so its number says nothing now.
    forgotten = {"pid": None, "pid_started": None}
    assert [{name: row[name] for name in before[0]} for row in after] == [{**row, **forgotten} for row in before]
    assert {(row["algorithm"], row["settings"], row["seed"]) for row in after} == {("random", "{}", 7)}
    assert version(folder / "trials.db") == FORMAT
    assert rows(folder / "trials.db", "SELECT value FROM meta WHERE key = 'study'") != [meta]


def test_a_study_goes_on_from_an_earlier_format(folder):
    budget = {"max_failed": 3, "trial_timeout": 0.2}
    outcome, _ = run(study(COMMAND, trials=5, algorithm={"name": "sobol", "seed": 8}, budget=budget), folder)
    assert outcome.counts == {"Failed": 2, "Succeeded": 3}
    with open_results(folder) as results:
        origins = [(trial.origin.algorithm, trial.origin.seed) for trial in results.trials()]
    assert origins == [("random", 7)] * 4 + [("sobol", 8)]


def test_a_run_that_is_refused_leaves_an_earlier_format_as_it_is(folder, old):
    before = (folder / "trials.db").read_bytes()
    with pytest.raises(StoreError, match="has changed"):
        run(study(sh("echo loss=1")), folder)
    assert version(folder / "trials.db") == old
    assert (folder / "trials.db").read_bytes() == before


def test_a_conversion_that_is_cut_short_leaves_an_earlier_format(folder, old, file):
    with closing(sqlite3.connect(folder / "trials.db", isolation_level=None)) as connection:
        # The new table has this name, so the conversion fails halfway.
        connection.execute("CREATE TABLE curves (number)")
    with open_results(folder) as results, pytest.raises(StoreError, match="curves already exists"):
        Store(folder, results.meta)
    assert version(folder / "trials.db") == old
    assert rows(folder / "trials.db") == rows(file)


def test_a_study_goes_on_from_the_second_format(tmp_path):
    failing = sh("case $KFTUNE_TRIAL_NAME in *2) exit 3;; esac; echo loss=0.5")
    run(study(failing), tmp_path)
    with closing(sqlite3.connect(tmp_path / "trials.db")) as connection:
        connection.executescript(
            "ALTER TABLE trials DROP COLUMN retried; ALTER TABLE trials DROP COLUMN stopped_by; DROP TABLE curves; "
            "ALTER TABLE trials DROP COLUMN checksum; ALTER TABLE meta DROP COLUMN checksum; PRAGMA user_version = 2"
        )
    with open_results(tmp_path) as results:
        before = results.trials()
    assert [trial.retried.counted() for trial in before] == [{}] * 3
    outcome, _ = run(study(failing, budget={"retries": {"failed": 1}}), tmp_path, retry_failed=True)
    assert outcome.counts == {"Failed": 1, "Succeeded": 2}
    assert version(tmp_path / "trials.db") == FORMAT
    with open_results(tmp_path) as results:
        after = results.trials()
    assert [after[0], after[2]] == [before[0], before[2]]
    assert (after[1].origin, after[1].attempt, after[1].retried.failed) == (before[1].origin, 3, 1)
