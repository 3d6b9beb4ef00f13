"""A Parquet file has the table of trials, and their curves, with types and nulls."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
from array import array
from pathlib import Path
from typing import Any

import pytest
from memory_trials import a_trial

from kftune.cli import main
from kftune.metrics.curves import Curve
from kftune.results import TrackedMetric
from kftune.results.export import to_json, to_text
from kftune.results.parquet import to_parquet
from kftune.results.trials import Recorded, plain_meta

_POINTS: list[dict[str, Any]] = [
    {"lr": 0.1, "units": 4, "opt": "adam", "bias": True, "layers": [1, 2], "mixed": 1, "acc": 1, "huge": 2**70},
    {"lr": 1, "units": None, "opt": None, "bias": False, "layers": {"a": 1}, "mixed": "1", "acc": 2, "huge": 1},
    {"lr": 0.3, "opt": "sgd"},
]


@pytest.fixture
def study() -> Recorded:
    """Returns a study with hyperparameters of every kind, one of them with the name of a metric."""
    meta = plain_meta(
        "small",
        metrics=(TrackedMetric("val-loss", "min"), TrackedMetric("acc", "max"), TrackedMetric("duration", "max")),
        space={name: {} for name in _POINTS[0]},
    )
    trials = [
        a_trial(1, "Succeeded", "0.5", "0.7", _POINTS[0])._replace(
            started="2026-01-31T12:00:00.250+00:00", exit_code=0
        ),
        a_trial(2, "EarlyStopped", "0.25", None, _POINTS[1])._replace(stopped_by="bandit"),
        a_trial(3, "Failed", None, None, _POINTS[2])._replace(message="it failed", exit_code=3),
    ]
    curve = Curve(array("q", [1, 5]), array("d", [0.75, 0.5]), array("d", [0.1, 0.2]), 2)
    return Recorded(meta, trials, place="here", curves={1: {"val-loss": curve}})


@pytest.fixture
def file(study: Recorded, tmp_path: Path) -> str:
    path = tmp_path / "saved.json"
    path.write_text(to_text(to_json(study, curves=True)), encoding="utf-8")
    return str(path)


def test_every_column_has_the_type_of_its_values(file: str, tmp_path: Path):
    parquet = pytest.importorskip("pyarrow.parquet")
    assert main(["results", file, "--format", "parquet", "--out", str(tmp_path / "t.parquet")]) == 0
    table = parquet.read_table(tmp_path / "t.parquet")
    assert {field.name: str(field.type) for field in table.schema} == {
        "trial": "string",
        "state": "string",
        "duration": "double",
        "val-loss": "double",
        "acc": "double",
        "metrics.duration": "double",
        "lr": "double",
        "units": "int64",
        "opt": "string",
        "bias": "bool",
        "layers": "string",
        "mixed": "string",
        "hparams.acc": "int64",
        "huge": "string",
        "origin.algorithm": "string",
        "origin.seed": "int64",
        "origin.code": "string",
        "origin.revision": "string",
        "started": "timestamp[us, tz=UTC]",
        "ended": "timestamp[us, tz=UTC]",
        "exit_code": "int64",
        "message": "string",
        "stopped_by": "string",
    }
    found = table.to_pydict()
    assert found["lr"] == [0.1, 1.0, 0.3]
    assert found["units"] == [4, None, None]
    assert found["bias"] == [True, False, None]
    assert found["layers"] == ["[1, 2]", '{"a": 1}', None]
    assert found["mixed"] == ["1", '"1"', None]
    assert found["val-loss"] == [0.5, 0.25, None]
    assert found["stopped_by"] == [None, "bandit", None]
    assert [each and each.isoformat() for each in found["started"]] == ["2026-01-31T12:00:00.250000+00:00", None, None]
    assert table.schema.metadata[b"kftune.study"] == b"small"


def test_a_text_that_utf8_cannot_write_is_escaped():
    parquet = pytest.importorskip("pyarrow.parquet")
    trial = a_trial(1, "Failed", None, None, {"file": "a\udcff"})
    study = Recorded(plain_meta("s", metrics=(TrackedMetric("acc", "max"),), space={"file": {}}), [trial], place="here")
    assert parquet.read_table(io.BytesIO(to_parquet(study))).column("file").to_pylist() == ["a\\udcff"]


def test_the_chosen_trials_and_their_curves_are_written(file: str, tmp_path: Path):
    parquet = pytest.importorskip("pyarrow.parquet")
    chosen = ["--where", "val_loss < 1", "--sort", "val-loss"]
    assert main(["results", file, *chosen, "--format", "parquet", "--out", str(tmp_path / "t.parquet")]) == 0
    assert parquet.read_table(tmp_path / "t.parquet").column("trial").to_pylist() == ["t-2", "t-1"]
    printed = subprocess.run(
        [sys.executable, "-m", "kftune", "results", file, "--curves", "--format", "parquet"],
        stdout=subprocess.PIPE,
        check=True,
    )
    assert parquet.read_table(io.BytesIO(printed.stdout)).to_pylist() == [
        {"trial": "t-1", "metric": "val-loss", "step": 1, "value": 0.75, "seconds": 0.1},
        {"trial": "t-1", "metric": "val-loss", "step": 5, "value": 0.5, "seconds": 0.2},
    ]


def test_the_values_of_a_csv_are_those_of_the_parquet_file(file: str, tmp_path: Path):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    for form in ("csv", "parquet"):
        assert main(["results", file, "--format", form, "--out", str(tmp_path / f"t.{form}")]) == 0
    csv, typed = pandas.read_csv(tmp_path / "t.csv"), pandas.read_parquet(tmp_path / "t.parquet")
    assert list(csv.columns) == list(typed.columns)
    for name in ("trial", "lr", "val-loss", "units", "hparams.acc", "exit_code"):
        assert csv[name].equals(typed[name].astype(csv[name].dtype))


def test_a_terminal_gets_no_parquet_file(file: str):
    parent, child = pty.openpty()
    command = [sys.executable, "-m", "kftune", "results", file, "--format", "parquet"]
    done = subprocess.run(command, stdout=child, stderr=subprocess.PIPE, text=True, check=False)
    os.close(child)
    os.close(parent)
    assert done.returncode == 2
    assert done.stderr == "kftune: a Parquet file is not for a terminal; say where to write it: --out trials.parquet\n"


def test_without_the_package_the_message_names_the_extra(file: str, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert main(["results", file, "--format", "parquet", "--out", "t.parquet"]) != 0
    assert "pip install 'kftune[parquet]', or take --format csv" in capsys.readouterr().err
    assert not Path("t.parquet").exists()
