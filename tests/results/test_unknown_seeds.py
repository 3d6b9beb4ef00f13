"""Where nobody recorded a seed, none is shown."""

from __future__ import annotations

import json
from pathlib import Path

import optuna
import pytest

from kftune.cli.call import call
from kftune.results.sources.find import open_trials
from kftune.results.sources.hints import Hints

TABLE = "trial,loss,lr\na,0.5,0.1\nb,0.25,0.2\n"
HINTS = Hints("loss", "minimize", None)
OPTIONS = {
    "table.csv": ["--objective", "loss", "--direction", "minimize"],
    "list.json": [],
    "optuna.db": [],
    "k.yaml": [],
}
KATIB = Path(__file__).parents[1] / "data" / "katib_dumps" / "ocr-small.yaml"
LIST = {
    "all_results": [
        {"experiment_name": "a", "status": "completed", "best_loss": 0.5, "hyperparameters": {"lr": 0.1}},
    ]
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("seeds")
    (found / "table.csv").write_text(TABLE)
    (found / "list.json").write_text(json.dumps(LIST))
    text = KATIB.read_text()
    without = text.replace("name: random_state", "name: other")
    assert without != text
    (found / "k.yaml").write_text(without)
    study = optuna.create_study(storage=f"sqlite:///{found}/optuna.db", study_name="one")
    study.optimize(lambda trial: trial.suggest_float("lr", 0, 1), n_trials=2)
    return found


@pytest.mark.parametrize("name", OPTIONS)
def test_an_unknown_seed_is_not_shown(folder: Path, name: str, capsys: pytest.CaptureFixture[str]):
    file = str(folder / name)
    assert call("best", "", [file, *OPTIONS[name]]) == 0
    assert call("report", "", [file, "--out", str(folder / "page.html"), *OPTIONS[name]]) == 0
    assert "with seed" not in capsys.readouterr().out
    assert "with seed" not in (folder / "page.html").read_text()
    assert call("results", "", [file, "--format", "csv", *OPTIONS[name]]) == 0
    header, first = capsys.readouterr().out.splitlines()[:2]
    assert dict(zip(header.split(","), first.split(","), strict=True))["origin.seed"] == ""


def test_an_unknown_seed_is_null_in_json_and_stays_unknown(folder: Path, capsys: pytest.CaptureFixture[str]):
    assert call("results", "", [str(folder / "table.csv"), "--format", "json", *OPTIONS["table.csv"]]) == 0
    text = capsys.readouterr().out
    data = json.loads(text)
    assert (data["study"]["seed"], data["trials"][0]["origin"]["seed"]) == (None, None)
    (folder / "saved.json").write_text(text)
    with open_trials(folder / "saved.json") as read:
        assert {trial.origin.seed for trial in read.trials()} == {None}


def test_a_seed_that_a_table_has_is_kept(tmp_path: Path):
    (tmp_path / "table.csv").write_text("trial,loss,lr,origin.seed\na,0.5,0.1,0\n")
    with open_trials(tmp_path / "table.csv", HINTS) as read:
        assert [trial.origin.seed for trial in read.trials()] == [0]
