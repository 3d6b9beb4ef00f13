"""Trials that files record are read back as what a folder of results has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from local_study import python, run, study

from kftune.cli.call import call
from kftune.errors import StoreError
from kftune.results import open_results
from kftune.results.export import to_csv, to_json, to_seed_json, to_text
from kftune.results.page import results_page
from kftune.results.sources.find import open_trials

_FAILS = python(
    "import sys\n"
    "for step in range(3): print(f'{step=} loss={len(sys.argv[1]) + step} acc=0.{step}')\n"
    "sys.exit('units=1' in sys.argv[2] and 3)"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a folder with the results of a study in which some trials failed."""
    found = tmp_path_factory.mktemp("study")
    run(study(_FAILS, trials=6, budget={"max_failed": 6}, metrics=[{"name": "acc", "reduce": "max"}]), found)
    return found


def saved(folder: Path, data: dict[str, Any]) -> Path:
    """Writes a file with trials."""
    path = folder / "saved.json"
    path.write_text(to_text(data), encoding="utf-8")
    return path


def test_own_json_gives_back_every_trial_and_curve(folder, tmp_path):
    with open_results(folder) as results:
        document = to_json(results, curves=True)
        page, lines = results_page(results), to_csv(results, curves=True)
    with open_trials(saved(tmp_path, document)) as read:
        again = to_json(read, curves=True)
        assert (results_page(read), to_csv(read, curves=True)) == (page, lines)
    for trial in (*document["trials"], document["best"]):
        trial.update(log=None, output=None)
    assert again == document
    assert {trial["state"] for trial in again["trials"]} >= {"Succeeded"}


def test_the_json_of_list_tuners_gives_back_its_own_text(folder, tmp_path):
    with open_results(folder) as results:
        document = to_seed_json(results)
    with open_trials(saved(tmp_path, document)) as read:
        again = to_seed_json(read)
    # It has no times of single trials, and of the other metrics only those values that count.
    known = ("experiment_name", "status", "training_time", "best_acc", "total_epochs", "hyperparameters")
    assert [{key: each.get(key) for key in known} for each in again["all_results"]] == [
        {key: each.get(key) for key in known} for each in document["all_results"]
    ]


def test_of_experiments_the_one_with_the_best_objective_is_the_best(tmp_path):
    entries = [
        {"experiment_name": name, "status": status, "best_val_char_accuracy": accuracy, "final_train_loss": 0.1}
        for name, status, accuracy in (("a", "completed", 0.8), ("b", "failed", 0.99), ("c", "completed", 0.9))
    ]
    path = saved(tmp_path, {"timestamp": "20261130_100000", "all_results": entries})
    with open_trials(path) as read:
        best = read.best()
    assert best is not None
    assert (best.name, best.objective) == ("c", 0.9)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "is JSON or CSV"),
        ("[]", "not trials that kftune reads"),
        ('{"format": "kftune.results/9", "trials": []}', "this kftune reads kftune.results/1"),
        ('{"format": "kftune.results/1", "trials": []}', "not a whole document"),
        ('{"all_results": {}}', "must be a list of mappings"),
        ('{"all_results": [{"status": "completed"}]}', "begins with best_ or final_"),
        ('{"all_results": [{"status": "failed"}]}', "must have experiment_name"),
    ],
)
def test_other_files_are_refused_with_what_is_read(tmp_path, content, says):
    path = tmp_path / "saved.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(StoreError, match=says):
        open_trials(path)


def test_a_missing_file_is_named_with_near_ones(tmp_path):
    (tmp_path / "saved.json").write_text(json.dumps({}), encoding="utf-8")
    with pytest.raises(StoreError, match=r"saved\.json"):
        open_trials(tmp_path / "savd.json")


def test_what_ended_a_study_is_kept_in_its_json(folder, tmp_path, capsys):
    with open_results(folder) as results:
        saved(tmp_path, to_json(results))
        table = tmp_path / "list.json"
        table.write_text(to_text(to_seed_json(results)), encoding="utf-8")
        reason = results.reason()
    assert call("status", "", [str(tmp_path / "saved.json")]) == 0
    assert capsys.readouterr().out.splitlines()[0].endswith(f": {reason}")
    assert call("status", "", [str(table)]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "study experiments: has ended, why is not recorded"
