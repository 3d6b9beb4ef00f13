"""What people get to read when trials from elsewhere are wrong: tests/snapshots/results_mistakes.txt has each text.

mistake_texts.py says how it is written anew.
"""

from __future__ import annotations

import json
from pathlib import Path

import optuna
import pytest
from local_experiment import experiment
from memory_trials import a_trial
from mistake_texts import REMEDY, printed, record, recorded

from kftune import yaml_text
from kftune.results import TrackedMetric
from kftune.results.export import to_json, to_text
from kftune.results.trials import Recorded, plain_meta

SNAPSHOTS = "results_mistakes.txt"
STUDY = """\
name: pumps
hparams: kftune.hparams.models.lstm:LstmHparams
search: {learning_rate: {loguniform: [0.001, 0.1]}}
objective: {metric: val_loss, direction: minimize}
step: {command: [python, train.py], image: registry.example/pumps:1}
"""
_TABLE = "trial,loss,learning_rate,units\na,0.5,0.01,8\nb,0.25,fast,16\n"
_CSV = ["--objective", "loss", "--direction", "minimize"]

FILES = {
    "study.yaml": STUDY,
    "train.py": "print('val_loss=1')\n",
    "table.csv": _TABLE,
    "val.csv": _TABLE.replace("loss", "val_loss"),
    "short.csv": "loss,lr\n1\n",
    "twice.csv": "loss,loss\n1,2\n",
    "state.csv": "loss,state\n1,finishd\n",
    "empty.csv": "",
    "broken.json": "{",
    "list.json": "[1, 2]",
    "plain.json": '{"learning_rate": 0.1}',
    "plain.yaml": "learning_rate: 0.1\n",
    "broken.yaml": "apiVersion: kubeflow.org/v1beta1\nkind: Trial\nstatus: [\n",
    "text.db": "no database",
    "text.log": "epoch 1\n",
}
_START = ["run", "study.yaml", "--plain", "--start-from"]
COMMANDS = {
    "file: not there": ["best", "tabel.csv"],
    "file: not there, with an unknown suffix": ["results", "saved.jsn"],
    "file: JSON without trials": ["report", "plain.json"],
    "file: YAML without trials": ["results", "plain.yaml"],
    "file: broken JSON": ["best", "broken.json"],
    "file: other JSON": ["best", "list.json"],
    "file: broken YAML": ["best", "broken.yaml"],
    "file: no database": ["best", "text.db"],
    "file: no journal": ["best", "text.log"],
    "file: a storage on a server": ["best", "postgresql://db/studies"],
    "file: logs of a table": ["logs", "table.csv", "a", *_CSV],
    "table: without an objective": ["best", "table.csv"],
    "table: without a direction": ["best", "table.csv", "--objective", "loss"],
    "table: another column": ["best", "table.csv", "--objective", "los", "--direction", "minimize"],
    "table: a direction in another word": ["best", "table.csv", "--objective", "loss", "--direction", "min"],
    "table: a row too short": ["best", "short.csv", *_CSV],
    "table: a column twice": ["best", "twice.csv", *_CSV],
    "table: an unknown state": ["best", "state.csv", *_CSV],
    "table: empty": ["best", "empty.csv", *_CSV],
    "table: another study": ["results", "table.csv", "--study", "study.yaml"],
    "table: a value that the class refuses": ["results", "val.csv", "--study", "study.yaml"],
    "table: a study that is not there": ["results", "val.csv", "--study", "studdy.yaml"],
    "storage: several studies": ["best", "optuna.db"],
    "storage: an unknown study": ["best", "optuna.db", "--study-name", "secnd"],
    "Katib: several Experiments": ["best", "two.yaml"],
    "Katib: an Experiment alone": ["status", "alone.yaml"],
    "Katib: an Experiment without an objective": ["best", "odd.yaml"],
    "Katib: an address with more parts": ["best", "katib:a/b/c"],
    "Katib: an address without a name": ["best", "katib:team-a/"],
    "Katib: an address without anything": ["best", "katib:"],
    "where: an unknown name": ["results", "saved.json", "--where", "vall_loss < 1"],
    "where: no condition": ["results", "saved.json", "--where", "lr"],
    "where: of another language": ["results", "saved.json", "--where", "lr < 1 && lr > 0"],
    "where: values of different types": ["results", "saved.json", "--where", "opt > 1"],
    "sort: an unknown column": ["results", "saved.json", "--sort", "val_los"],
    "top: none": ["results", "saved.json", "--top", "-1"],
    "best: a metric without a best": ["best", "saved.json", "--top", "2", "--metric", "speed"],
    "format: a storage on the screen": ["results", "saved.json", "--format", "optuna"],
    "format: a storage that is there": ["results", "saved.json", "--format", "optuna", "--out", "optuna.db"],
    "compare: one study": ["compare", "saved.json"],
    "compare: different objectives": ["compare", "saved.json", "other.json"],
    "compare: an unknown metric": ["compare", "saved.json", "other.json", "--metric", "val_los"],
    "summarise: no place": ["summarise"],
    "summarise: one entity": ["summarise", "--across", "saved.json"],
    "summarise: a place that is not there": ["summarise", "--across", "saved.json", "savd.json"],
    "summarise: a pattern without files": ["summarise", "--across", "runs/*/trials.db"],
    "summarise: a folder without results": ["summarise", "--across", "empty"],
    "summarise: different objectives": ["summarise", "--across", "saved.json", "other.json"],
    "summarise: an unknown metric": ["summarise", "--across", "saved.json", "saved.json", "--metric", "val_los"],
    "summarise: a file that is there": ["summarise", "--across", "saved.json", "saved.json", "-o", "study.yaml"],
    "summarise: what a trial runs is not known": [
        "summarise",
        "--across",
        "saved.json",
        "saved.json",
        "-o",
        "new.yaml",
    ],
    "start_from: nothing there": [*_START, "runs/old"],
    "start_from: no trials": [*_START, "plain.json"],
    "start_from: a broken file": [*_START, "broken.json"],
    "start_from: several studies": [*_START, "optuna.db"],
    "start_from: nothing in the space": [*_START, "saved.json"],
    "start_from: not on Katib": ["render", "study.yaml", "start_from=runs/old"],
    "start_from: a wrong key": ["run", "study.yaml", "start_from={from: runs/old, best: 3}"],
    "start_from: for a pipeline": ["run", "alone.yaml", "--start-from", "saved.json"],
}
REPORTED = {"Katib: an Experiment alone", "table: a value that the class refuses"}
"""What is not refused: a note says what is missing."""


def _saved(direction: str) -> str:
    meta = plain_meta(
        direction,
        direction=direction,
        metrics=(TrackedMetric("val_loss", "min"), TrackedMetric("speed", "latest")),
        space={"lr": {}, "opt": {}},
    )
    trial = a_trial(1, "Succeeded", "0.5", "1", {"lr": 0.1, "opt": "adam"})
    return to_text(to_json(Recorded(meta, [trial], place="here")))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a folder with all files."""
    found = tmp_path_factory.mktemp("results")
    for name, text in FILES.items():
        (found / name).write_text(text, encoding="utf-8")
    (found / "empty").mkdir()
    for name in ("first", "second"):
        optuna.create_study(storage=f"sqlite:///{found}/optuna.db", study_name=name)
    optimal = {"bestTrialName": "a", "parameterAssignments": [], "observation": {}}
    status = {
        "conditions": [{"type": "Running", "status": "True"}],
        "currentOptimalTrial": optimal,
        "trials": 3,
        "trialsSucceeded": 3,
    }
    whole = {**experiment(), "status": status}
    for name, objects in {
        "alone": [whole],
        "two": [whole, {**whole, "metadata": {"name": "other"}}],
        "odd": [{**whole, "spec": {}}],
    }.items():
        (found / f"{name}.yaml").write_text(yaml_text.dump_all(json.loads(json.dumps(objects))), encoding="utf-8")
    (found / "saved.json").write_text(_saved("minimize"), encoding="utf-8")
    (found / "other.json").write_text(_saved("maximize"), encoding="utf-8")
    return found


@pytest.fixture(scope="module")
def texts(folder: Path) -> dict[str, str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "80")  # pytest-xdist sets it, pytest alone does not
        found = {name: printed(arguments, folder) for name, arguments in COMMANDS.items()}
    record(SNAPSHOTS, found)
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_a_mistake_is_answered_with_its_recorded_text(name: str, texts: dict[str, str]) -> None:
    assert texts[name] == recorded(SNAPSHOTS).get(name), REMEDY


def test_every_mistake_is_refused_or_named_in_a_note(texts: dict[str, str]) -> None:
    refused = {name for name, text in texts.items() if text.startswith("exit 2\n") and "kftune: " in text}
    noted = {name for name, text in texts.items() if "note: " in text}
    assert (refused | REPORTED, noted >= REPORTED) == (set(texts), True)
