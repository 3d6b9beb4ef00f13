"""What people get to read when they ask for a report of something else.

mistake_texts.py says how to update these texts.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from mistake_texts import REMEDY, printed, record, recorded
from report_studies import CASES

from kftune.results.export import to_json

SNAPSHOTS = "report_mistakes.txt"

MISTAKES = {
    "no study": ["report"],
    "no such file": ["report", "small.jsn"],
    "a folder without results": ["report", "empty"],
    "a study that has not run": ["report", "study.yaml"],
    "a file of another kind": ["report", "pipeline.yaml"],
    "results of another version": ["report", "later.json"],
    "JSON without trials": ["report", "other.json"],
    "trials without an objective": ["report", "aimless.json"],
    "an unknown format": ["report", "small.json", "--format", "pdf"],
    "another name of a format": ["report", "small.json", "--format", "terminal"],
    "out is a folder": ["report", "small.json", "--out", "empty"],
    "out without a value": ["report", "small.json", "--out"],
    "a misspelt option": ["report", "small.json", "--output", "page.html"],
    "the file to write without its option": ["report", "small.json", "page.html"],
    "another word": ["dashboard"],
}


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder: Path = tmp_path_factory.mktemp("reports")
    (folder / "empty").mkdir()
    data = to_json(CASES["two trials"])
    (folder / "small.json").write_text(json.dumps(data))
    (folder / "later.json").write_text(json.dumps({**data, "format": "kftune.results/99"}))
    aimless = {**data["study"], "metrics": [], "objectives": []}
    (folder / "aimless.json").write_text(json.dumps({**data, "study": aimless, "trials": []}))
    (folder / "other.json").write_text('{"a": 1}')
    (folder / "study.yaml").write_text("name: toy\nhparams: a:B\nobjective: {metric: loss, direction: minimize}\n")
    (folder / "pipeline.yaml").write_text("name: flow\nsteps: {one: {kind: container, command: [echo]}}\n")
    found = {name: printed(arguments, folder) for name, arguments in MISTAKES.items()}
    record(SNAPSHOTS, found)
    return found


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_answered_with_what_to_do(name: str, texts: dict[str, str]) -> None:
    assert texts[name] == recorded(SNAPSHOTS)[name], REMEDY
    assert texts[name].startswith("exit 2\n")
    assert "Traceback" not in texts[name]
