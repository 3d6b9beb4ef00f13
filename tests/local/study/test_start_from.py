"""A study starts from past trials: their best points are tried first, and algorithms that learn are told of them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from local_study import Net, run, sh, study, trials_in

import kftune
from kftune import Hparam, Hparams, IntUniform, LogUniform, Uniform, yaml_text
from kftune.cli import main
from kftune.errors import RenderError, RunError, StoreError, StudyError
from kftune.hparams.models.ocr import OcrHparams
from kftune.local import Event, Note
from kftune.local.samplers.optuna_export import write_storage
from kftune.render import render
from kftune.results import Trial, Trials, open_results
from kftune.results.export import to_csv, to_json, to_text
from kftune.results.selection import ranked
from kftune.results.sources.find import open_trials
from kftune.study import Study
from kftune.study_report.bundle import bundle

# The first argument is --lr=…; the loss is its distance from 0.01.
COMMAND = sh('awk "BEGIN { d = ${0#--lr=} - 0.01; print \\"loss=\\" (d < 0 ? -d : d) }"')
DUMP = Path(__file__).parents[2] / "data" / "katib_dumps" / "ocr-small.yaml"


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the results of a study of eight random trials."""
    folder = tmp_path_factory.mktemp("past")
    run(study(COMMAND, 8), folder)
    return folder


def best_of(folder: Path, count: int) -> list[Trial]:
    return sorted(trials_in(folder), key=lambda trial: trial.objective or 0.0)[:count]


def started(folder: Path, start_from: Any, trials: int = 4, **parts: Any) -> tuple[list[Trial], list[str]]:
    """Runs a study that starts from past trials; returns its trials and its notes about that."""
    parts["algorithm"] = {"seed": 3, **parts.get("algorithm", {})}
    _, events = run(study(COMMAND, trials, start_from=start_from, **parts), folder)
    return trials_in(folder), notes(events)


def notes(events: list[Event]) -> list[str]:
    return [event.message for event in events if isinstance(event, Note) and "start_from" in event.message]


def points(trials: list[Trial]) -> list[dict[str, Any]]:
    return [trial.point for trial in trials]


def test_the_best_past_points_are_tried_first_and_keep_where_they_come_from(past, tmp_path):
    trials, said = started(tmp_path / "new", str(past))
    best = best_of(past, 3)
    assert points(trials[:3]) == points(best)
    assert [trial.origin.algorithm for trial in trials] == [
        *(f"start_from {past} trial {each.name}" for each in best),
        "random",
    ]
    assert said == [
        f"start_from {past}: 3 points of 8 past trials with a result tried first; "
        "8 results for an algorithm that learns"
    ]


def test_the_trials_of_a_study_that_draws_are_the_same_but_for_the_first(past, tmp_path):
    without, _ = started(tmp_path / "without", ())
    with_past, _ = started(tmp_path / "with", {"from": str(past), "top": 1})
    assert points(with_past)[1:] == points(without)[1:]


@pytest.mark.parametrize(
    "algorithm", ["tpe", *(pytest.param(name, marks=pytest.mark.nightly) for name in ("multivariate-tpe", "cmaes"))]
)
def test_an_algorithm_that_learns_starts_where_the_past_ended(past, tmp_path, algorithm):
    name = {"name": algorithm}
    told, _ = started(tmp_path / "told", {"from": str(past), "top": 0}, 8, algorithm=name)
    again, _ = started(tmp_path / "again", {"from": str(past), "top": 0}, 8, algorithm=name)
    alone, _ = started(tmp_path / "alone", (), 8, algorithm=name)
    assert points(told) == points(again)
    assert points(told)[3:] != points(alone)[3:]  # the first ten that tpe knows are random


def test_past_trials_do_not_count_towards_the_budget(past, tmp_path):
    trials, _ = started(tmp_path / "new", [str(past)], 2, algorithm={"name": "tpe"})
    assert len(trials) == 2


def test_a_resumed_run_has_the_same_start_although_the_past_is_gone(past, tmp_path):
    copy = Path(shutil.copytree(past, tmp_path / "past"))
    whole, _ = started(tmp_path / "whole", str(copy), 7, algorithm={"name": "tpe"})
    started(tmp_path / "new", str(copy), 2, algorithm={"name": "tpe"})
    shutil.rmtree(copy)
    trials, said = started(tmp_path / "new", str(copy), 7, algorithm={"name": "tpe"})
    assert points(trials)[:3] == points(whole)[:3]
    assert said == []


def test_points_of_the_study_come_before_those_of_the_past(past, tmp_path):
    own = {"lr": 0.05, "units": 8, "optimizer": "sgd"}
    trials, _ = started(tmp_path / "new", str(past), points=[own])
    assert points(trials) == [own, *points(best_of(past, 3))]


def test_points_outside_of_the_present_space_are_left_out_and_counted(past, tmp_path):
    inside = [trial for trial in trials_in(past) if trial.point["units"] <= 128]
    trials, said = started(tmp_path / "new", {"from": str(past), "top": 8}, 8, search={"units": {"int": [8, 128]}})
    assert points(trials)[: len(inside)] == points(sorted(inside, key=lambda trial: trial.objective or 0.0))
    assert f"{8 - len(inside)} points left out as outside of the present space" in said[0]
    assert "is not in IntUniform" in said[0]


def test_a_constraint_counts_as_the_space(past, tmp_path):
    _, said = started(tmp_path / "new", {"from": str(past), "top": 8}, constraints=["units > 200"])
    assert "units > 200: it does not hold for units=" in said[0]


def test_a_value_that_was_fixed_is_one_of_the_point(tmp_path):
    run(study(COMMAND, 2, values={"units": 64}), tmp_path / "past")
    trials, _ = started(tmp_path / "new", str(tmp_path / "past"), 2)
    assert [trial.point["units"] for trial in trials] == [64, 64]


def test_results_with_other_fixed_values_are_told_on_request_only(past, tmp_path):
    fixed: Any = {"values": {"optimizer": "sgd"}, "algorithm": {"name": "tpe"}}
    trials, said = started(tmp_path / "new", str(past), **fixed)
    others = [trial for trial in trials_in(past) if trial.point["optimizer"] != "sgd"]
    assert f"{len(others)} results not taken over, since optimizer is" in said[0]
    assert points(trials)[0] == {
        name: value for name, value in best_of(past, 1)[0].point.items() if name != "optimizer"
    }
    _, said = started(tmp_path / "all", {"from": str(past), "learn": True}, **fixed)
    assert "8 results for an algorithm that learns" in said[0]


def test_another_objective_orders_the_points_and_no_more(past, tmp_path):
    command = ("sh", "-c", "echo score=1")
    _, events = run(
        study(command, 3, start_from=str(past), objective={"metric": "score"}, algorithm={"name": "tpe"}), tmp_path
    )
    assert points(trials_in(tmp_path)) == points(best_of(past, 3))
    assert "its own objective loss says which points are best" in notes(events)[0]
    assert "0 results for an algorithm that learns" in notes(events)[1]


def test_the_direction_of_the_present_study_decides_which_points_are_best(past, tmp_path):
    run(study(COMMAND, 2, start_from=str(past), objective={"direction": "maximize"}), tmp_path)
    worst = sorted(trials_in(past), key=lambda trial: -(trial.objective or 0.0))
    assert points(trials_in(tmp_path)) == points(worst[:2])


def test_the_points_of_several_studies_that_are_best_for_all_come_first(tmp_path):
    runs = tmp_path / "runs"
    own = {"a": [0.2, 0.010, 0.001], "b": [0.3, 0.012, 0.3], "c": [0.4, 0.009, 0.5]}  # awk prints |lr - 0.01|
    domain = {"lr": {"choice": sorted({value for values in own.values() for value in values})}}
    fixed = {"units": 8, "optimizer": "sgd"}
    for name, values in own.items():
        tried = [{"lr": value} for value in values]
        run(study(COMMAND, 3, points=tried, search=domain, values=fixed), runs / name)
    trials, said = started(runs / "d", {"from": str(runs), "top": 2}, 2, search=domain, values=fixed)
    assert all(trial.point["lr"] in (0.009, 0.010, 0.012) for trial in trials)
    assert said[0].startswith(f"start_from {runs}: 2 points of 9 past trials")


def test_of_studies_that_optimize_something_else_each_best_comes_first(past, tmp_path):
    runs = tmp_path / "runs"
    for seed in (1, 2):
        run(study(COMMAND, 3, algorithm={"seed": seed}), runs / f"entity{seed}")
    a_study = study(sh("echo score=1"), 2, start_from=str(runs), objective={"metric": "score"})
    run(a_study, tmp_path / "new")
    best = [best_of(runs / f"entity{seed}", 1)[0] for seed in (1, 2)]
    assert points(trials_in(tmp_path / "new")) == points(best)


def saved(folder: Path, past: Path, kind: str) -> Path:
    """Writes past trials in one of the forms that are read."""
    path = folder / f"past.{kind}"
    with open_results(past) as results:
        forms: dict[str, Callable[[], Any]] = {
            "json": lambda: path.write_text(to_text(to_json(results)), encoding="utf-8"),
            "csv": lambda: path.write_text(to_csv(results), encoding="utf-8"),
            "db": lambda: write_storage(results, path),
            "zip": lambda: path.write_bytes(bundle(results, {}, [])),
        }
        forms[kind]()
    return path


@pytest.mark.parametrize("kind", ["json", "csv", "db", "zip"])
def test_a_file_with_trials_is_a_past(past, tmp_path, kind):
    trials, said = started(tmp_path / "new", str(saved(tmp_path, past, kind)), 3)
    assert points(trials) == points(best_of(past, 3))
    assert said[0].endswith("8 results for an algorithm that learns")


def ocr(start_from: Any) -> Study:
    """Returns a study of the class and the space of a recorded Experiment."""
    search = {
        "batch_size": {"choice": [16, 32, 64]},
        "learning_rate": {"loguniform": [0.0003, 0.01]},
        "weight_decay": {"loguniform": [1e-6, 0.01]},
        "label_smoothing": {"uniform": [0, 0.2]},
        "optimizer_type": {"choice": ["adam", "adamw"]},
        "scheduler_type": {"choice": ["cosine", "plateau", "steplr"]},
    }
    parts: dict[str, Any] = {
        "name": "ocr",
        "hparams": OcrHparams,
        "search": search,
        "objective": {"metric": "val_seq_accuracy", "direction": "maximize"},
        "algorithm": {"name": "random", "seed": 1},
        "budget": {"max_trials": 2},
        "step": {"command": sh("echo val_seq_accuracy=0.5")},
        "start_from": start_from,
    }
    return Study(**parts)


def test_the_objects_of_katib_are_a_past(tmp_path):
    run(ocr(str(DUMP)), tmp_path)
    with open_trials(DUMP) as results:
        best = ranked(results)
    assert [trial.assignment["weight_decay"] for trial in trials_in(tmp_path)] == [
        trial.assignment["weight_decay"] for trial in best[:2]
    ]


def test_an_experiment_on_a_cluster_is_read_by_the_command_line(tmp_path):
    asked = []

    def open_live(address: str) -> Trials:
        asked.append(address)
        return open_trials(DUMP)

    run(ocr("katib:team-a/ocr-small"), tmp_path / "live", open_live=open_live)
    assert asked == ["katib:team-a/ocr-small"]
    assert trials_in(tmp_path / "live")[0].origin.algorithm.startswith("start_from ")
    with pytest.raises(StoreError, match=r"kftune results katib:team-a/ocr-small --format json > past\.json"):
        run(ocr("katib:team-a/ocr-small"), tmp_path / "python")


class Wide(Hparams):
    """A class with one hyperparameter more than the past had."""

    lr: float = Hparam(1e-3, search=LogUniform(1e-4, 1e-1))
    units: int = Hparam(32, search=IntUniform(8, 256))
    momentum: float = Hparam(0.9, search=Uniform(0, 1))


def test_a_value_that_the_past_does_not_have_is_the_default_and_not_told(past, tmp_path):
    a_study = study(COMMAND, 3, start_from=str(past), hparams=Wide)
    _, events = run(a_study, tmp_path)
    assert [trial.point["momentum"] for trial in trials_in(tmp_path)] == [0.9] * 3
    said = "\n".join(notes(events))
    assert "8 results not taken over, since values are missing" in said
    assert "Wide has no such hyperparameter: optimizer" in said


# -- other ways to ask for it ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("runs/a", ["runs/a"]),
        (["runs/a", {"from": "b.csv", "top": 1}], ["runs/a", {"from": "b.csv", "top": 1}]),
        ({"from": "runs/a", "learn": False}, [{"from": "runs/a", "learn": False}]),
        (None, None),
    ],
)
def test_a_study_is_written_as_it_was_read(written, shown):
    assert study(start_from=written).to_dict().get("start_from") == shown


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"from": "a", "topp": 1}, "StartFrom has no key 'topp'; did you mean 'top'"),
        ({"top": 1}, "start_from.0.from: StartFrom needs 'from', which has no default"),
        ({"from": "a", "top": -1}, "start_from.0.top: must be"),
        ({"from": "a", "top": True}, "start_from.0.top: must be"),
        ({"from": ""}, "start_from.0.from: must"),
        (7, "start_from: must be a place with past trials, such as start_from: runs/circuits"),
    ],
)
def test_what_is_no_place_is_refused(written, message):
    with pytest.raises(StudyError, match=re.escape(message)):
        study(start_from=written)


def test_katib_cannot_start_from_past_trials():
    with pytest.raises(RenderError, match="its suggestion services take no points"):
        render(study(start_from="runs/a", step={"image": "registry.example/net:1"}))


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("nowhere", "there is no such file or folder"),
        ("empty", "there are no results here"),
        ("new", "there are no results here but those of this study"),
    ],
)
def test_a_place_without_past_trials_is_refused(tmp_path, place, message):
    (tmp_path / "empty").mkdir()
    with pytest.raises(StoreError, match=message):
        started(tmp_path / "new", str(tmp_path / place))


def test_a_past_of_which_nothing_can_be_tried_is_refused(past, tmp_path):
    with pytest.raises(RunError, match="start_from must have points that the study can try"):
        started(tmp_path / "new", str(past), search={"lr": {"uniform": [5, 6]}})


def test_python_takes_the_results_of_a_call(past, tmp_path):
    first = kftune.tune(study(COMMAND, 3), dir=tmp_path / "first", show=False)
    second = kftune.tune(study(COMMAND, 2), dir=tmp_path / "second", show=False, start_from=first)
    assert second.best.trial.point == first.best.trial.point
    with kftune.ask_tell(Net, dir=tmp_path / "asked", objective="loss", start_from=[past], max_trials=1) as asked:
        trial = asked.ask()
    assert trial is not None
    assert trial.hparams.lr == best_of(past, 1)[0].point["lr"]


def test_the_command_line_takes_places_relative_to_the_current_folder(past, tmp_path, monkeypatch, capsys):
    (tmp_path / "net.py").write_text("from local_study import Net\n")
    (tmp_path / "here").mkdir()
    text = yaml_text.dump({**study(COMMAND, 2).to_dict(), "hparams": "net:Net"})
    (tmp_path / "study.yaml").write_text(text)
    shutil.copytree(past, tmp_path / "here" / "past")
    monkeypatch.chdir(tmp_path / "here")
    assert main(["run", "../study.yaml", "--start-from", "past", "--plain"]) == 0
    printed = capsys.readouterr().out
    assert "start_from past: 2 points" not in printed
    assert f"start_from {tmp_path}/here/past: 3 points of 8 past trials" in printed
    main(["best", str(tmp_path / "runs" / "small-study")])
    assert f"start_from past trial {best_of(past, 1)[0].name}" in capsys.readouterr().out
