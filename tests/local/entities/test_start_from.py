"""Entities start from the trials of the others, and what they have in common is found in the folder of a run."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from entity_runs import many, run
from local_study import trials_in

from kftune import yaml_text
from kftune.cli import main
from kftune.local import Note
from kftune.study import load_study

# $0 is the name of the entity, $1 is --lr=…: each entity has a level of its own, and the same best value.
SCRIPT = 'awk "BEGIN { d = log(${1#--lr=}) / log(10) + 2.2; print \\"loss=\\" $0 * 10 + d * d }"'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the results of three entities."""
    found = tmp_path_factory.mktemp("many") / "runs"
    run(many(["1", "2", "3"], trials=6, script=SCRIPT), found)
    return found


def test_a_new_entity_first_tries_points_that_are_good_for_the_others(folder):
    a_study = many(["1", "2", "3", "4"], trials=6, script=SCRIPT, start_from={"from": str(folder), "top": 2})
    _, events = run(a_study, folder)
    first, second, third = trials_in(folder / "4")[:3]
    assert first.origin.algorithm.startswith(f"start_from {folder}/")
    assert second.origin.algorithm.startswith(f"start_from {folder}/")
    assert third.origin.algorithm == "random"
    every = [trial.point for name in "123" for trial in trials_in(folder / name)]
    assert first.point in every
    best = sorted(abs(point["lr"] - 10**-2.2) for point in every)
    assert abs(first.point["lr"] - 10**-2.2) <= best[len(best) // 4]
    said = [event.message for event in events if isinstance(event, Note) and "start_from" in event.message]
    assert any("2 points of 18 past trials" in note for note in said)


def test_the_first_entities_have_no_others_to_start_from(tmp_path):
    a_study = many(["1", "2"], trials=1, script=SCRIPT, start_from=str(tmp_path / "runs"))
    outcome, events = run(a_study, tmp_path / "runs")
    assert outcome.counts == {"Succeeded": 2}
    notes = [event.message for event in events if isinstance(event, Note) and "no other entity" in event.message]
    assert notes[0] == f"start_from {tmp_path / 'runs'}: no other entity has results yet"


def test_the_folder_of_a_run_is_summarised_without_entities_that_have_not_begun(folder, capsys):
    (folder / "empty").mkdir(exist_ok=True)
    assert main(["summarise", "--across", str(folder), "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [each["label"] for each in found["entities"]][:3] == [f"Small study {name}" for name in "123"]
    assert 0.002 < found["defaults"]["values"]["lr"] < 0.02


def test_a_study_for_many_entities_is_narrowed_and_goes_on_to_have_them(folder, tmp_path):
    a_study = many(["1", "2"], script=SCRIPT, search={"optimizer": None})
    (tmp_path / "study.yaml").write_text(yaml_text.dump({**a_study.to_dict(), "hparams": "local_study:Net"}))
    arguments = ["--study", str(tmp_path / "study.yaml"), "--out", str(tmp_path / "narrow.yaml")]
    assert main(["summarise", "--across", str(folder), *arguments]) == 0
    written = load_study(tmp_path / "narrow.yaml")
    assert written.for_each is not None
    assert [each.name for each in written.for_each.entities] == ["1", "2"]
    assert written.points[0].keys() == {"lr", "units"}


@pytest.mark.nightly  # 600 processes
def test_two_hundred_entities_with_three_trials_each_show_the_best_value(tmp_path, capsys):
    names = [str(number) for number in range(1, 201)]
    a_study = many({"items": names, "budget": {"parallel": 4, "max_trials": 600}}, trials=3, script=SCRIPT)
    outcome, _ = run(a_study, tmp_path / "runs")
    assert outcome.counts == {"Succeeded": 600}
    assert main(["summarise", "--across", str(tmp_path / "runs"), "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert abs(math.log10(found["defaults"]["values"]["lr"]) + 2.2) < 0.1
    assert found["narrowed"] == ["lr"]
    assert found["own"] == []
