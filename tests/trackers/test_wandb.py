"""The offline runs of W&B have every trial with its values, curves, times and state."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tracked_study import BEGIN, saved, trials

from kftune.cli import main

pytest.importorskip("wandb", reason="it is in the extra wandb, which `make setup` does not install")
pytestmark = pytest.mark.filterwarnings("ignore")  # those of wandb

_HEAD, _BLOCK = 7, 32768


def records(file: Path) -> Iterator[Any]:
    """Yields what wandb sync reads: records in the form of LevelDB's log, after the head of W&B."""
    from wandb.proto import wandb_internal_pb2

    data, place, whole = file.read_bytes(), _HEAD, b""
    while place < len(data):
        place += _BLOCK - place % _BLOCK if _BLOCK - place % _BLOCK < _HEAD else 0
        _, size, kind = struct.unpack_from("<IHB", data, place)
        whole += data[place + _HEAD : place + _HEAD + size]
        place += _HEAD + size
        yield from [wandb_internal_pb2.Record.FromString(whole)] * (kind in (1, 4))
        whole = whole * (kind not in (1, 4))


def items(found: Any) -> dict[str, Any]:
    return {each.key or ".".join(each.nested_key): json.loads(each.value_json) for each in found}


def exported(folder: Path) -> dict[str, dict[str, Any]]:
    """Returns trial -> its run, configuration, history, summary and exit code."""
    found = {}
    for file in (folder / "wandb").glob("offline-run-*/run-*.wandb"):
        parts = list(records(file))
        (run,) = [each.run for each in parts if each.HasField("run")]
        summary: dict[str, Any] = {}
        for each in parts:
            summary |= items(each.summary.update) if each.HasField("summary") else {}
        found[run.display_name] = {
            "run": run,
            "config": items(run.config.update),
            "history": [items(each.history.item) for each in parts if each.HasField("history")],
            "summary": summary,
            "exit": [each.exit.exit_code for each in parts if each.HasField("exit")],
        }
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a folder with a saved study and its export."""
    found = tmp_path_factory.mktemp("tracking")
    assert main(["export", saved(found / "saved.json"), "--to", "wandb", "-o", str(found)]) == 0
    return found


def test_each_trial_is_a_run_with_typed_values_and_its_state(folder: Path):
    found = exported(folder)
    assert {name: each["exit"] for name, each in found.items()} == {"t-1": [0], "t-2": [0], "../up": [1]}
    assert {name: [*each["run"].tags] for name, each in found.items()} == {
        "t-1": ["Succeeded"],
        "t-2": ["EarlyStopped"],
        "../up": ["Failed"],
    }
    config = found["t-1"]["config"]
    assert {name: config[name] for name in ("epochs", "lr", "units", "opt", "bias", "layers")} == {
        "epochs": 3,
        "lr": 0.1,
        "units": 4,
        "opt": "adam",
        "bias": True,
        "layers": [1, 2],
    }
    assert found["t-2"]["config"]["opt"] is None
    assert config["kftune.started"] == BEGIN
    assert {(each["run"].project, each["run"].run_group) for each in found.values()} == {("small-nets", "small nets")}


def test_curves_have_their_steps_and_times_and_the_summary_what_counts(folder: Path):
    found = exported(folder)["t-1"]
    assert [(each["_step"], each["val-loss"], each["_timestamp"]) for each in found["history"]] == [
        (1, 0.75, BEGIN + 0.5),
        (5, 0.625, BEGIN + 1.5),  # W&B has one value at a step
    ]
    assert (found["summary"]["val-loss/min"], found["summary"]["acc"]) == (0.5, 0.75)


def test_only_what_is_missing_is_written_again(folder: Path, capsys):
    before = {path.name for path in (folder / "wandb").iterdir()}
    again = saved(folder / "saved.json", [*trials()[:3], trials()[3]._replace(state="Failed")])
    assert main(["export", again, "--to", "wandb", "-o", str(folder)]) == 0
    assert f"wrote 1 run to {folder}/wandb (3 were there already)" in capsys.readouterr().out
    assert len({path.name for path in (folder / "wandb").iterdir()} - before) == 1
    assert {path.name for path in folder.iterdir()} == {"saved.json", "wandb"}
