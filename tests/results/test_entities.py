"""The folder of the results of a study for each entity: what stands in it, and files from elsewhere."""

from __future__ import annotations

import json

import pytest
from entity_runs import many, run

from kftune.errors import StoreError, UnknownNameError
from kftune.results.entities import EntitiesFolder, Listed, folder_name, with_folders


@pytest.fixture
def folder(tmp_path):
    run(many(["P/a", "b"], trials=1), tmp_path / "runs")
    return EntitiesFolder(tmp_path / "runs")


def test_an_entity_is_found_by_its_name_and_by_its_folder(folder):
    assert folder.entity("P/a") == folder.entity("P+a") == Listed("P/a", "P/a", "P+a")
    with pytest.raises(UnknownNameError, match="known: P/a, b"):
        folder.entity("zz")


def test_entities_that_have_left_stay_known_and_come_last():
    earlier = with_folders([("a", "a"), ("b", "b")])
    again = with_folders([("b", "b"), ("c", "c")], earlier)
    assert [(each.name, each.listed) for each in again] == [("b", True), ("c", True), ("a", False)]


@pytest.mark.parametrize(
    "index",
    [
        "",
        "[]",
        "{",
        '{"format": "kftune.entities/9", "entities": []}',
        '{"format": "kftune.entities/1", "entities": [3]}',
        '{"format": "kftune.entities/1", "entities": [{"name": "a"}]}',
        '{"format": "kftune.entities/1"}',
        json.dumps({"format": "kftune.entities/1", "entities": [{"name": "a", "path": "a", "folder": "../../etc"}]}),
        json.dumps({"format": "kftune.entities/1", "entities": [{"name": 3, "path": "a", "folder": "3"}]}),
        json.dumps(
            {
                "format": "kftune.entities/1",
                "entities": [{"name": "a\x1b[2J", "path": "a", "folder": folder_name("a\x1b[2J")}],
            }
        ),
    ],
)
def test_an_index_that_a_run_did_not_write_is_refused(folder, index):
    (folder.path / "entities.json").write_text(index)
    with pytest.raises(StoreError, match=r"entities\.json cannot be read"):
        folder.entities()


def test_without_the_index_the_next_run_finds_what_the_study_has(folder):
    (folder.path / "entities.json").unlink()
    outcome, events = run(many(["P/a", "b"], trials=1), folder.path)
    assert outcome.counts == {"Succeeded": 2}
    assert len(events) == 2


def test_results_that_cannot_be_read_are_named_and_the_others_shown(folder):
    (folder.path / "b" / "trials.db").write_text("no database")
    first, second = folder.rows()
    assert (first.state, first.value) == ("MaxTrialsReached", "0.5")
    assert second.state.startswith("cannot be read: ")


def test_a_state_that_cannot_be_read_says_what_removing_it_costs(folder):
    (folder.path / "state.json").write_text("{}")
    with pytest.raises(StoreError, match="the wall clock begins again"):
        folder.state()
    (folder.path / "state.json").unlink()
    assert folder.state() == (0.0, None, "")
