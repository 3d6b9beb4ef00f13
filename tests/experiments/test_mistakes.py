"""Mistakes in experiment lists: all of them are found before anything runs, each with its place and near names."""

from __future__ import annotations

from pathlib import Path

import pytest
from experiment_lists import LIST, project, started
from mistake_texts import REMEDY, printed, record, recorded

SNAPSHOTS = "experiment_mistakes.txt"

GROUPS = """\
experiments:
  one:
    model: {nam: small}
    training: {batch_size: 0, learning_rat: 0.1}
    optimiser: {type: adam}
  two:
    experiment_name: one
    early_stopping: {monitor: val_loss, mode: max}
  three:
    data: [train]
  four:
    early_stopping: {monitor: validation_loss}
  five:
"""
OWN_FOLDER = "experiments: {one: {output_dir: here}, two: {optimizer: {learning_rate: fast}}}\n"
TOO_MUCH = """\
experiments: {one: {}}
targets: {character_acc: 0.9, sequence_accuracy: high, convergence_epochs: {at_most: 3, at_least: 5}, train_loss: 1}
"""

LISTS = {
    "several in the groups": GROUPS,
    "a folder of its own": OWN_FOLDER,
    "targets": TOO_MUCH,
    "no experiments": "experiments: {}\n",
    "no list": "- one\n- two\n",
    "not YAML": "experiments: {one: {\n",
    "a key twice": "experiments:\n  one: {}\n  one: {}\n",
    "a key that is misspelt": "experimens: {one: {}}\n",
    "a name that is a number": "experiments: {1: {experiment_name: 1}}\n",
    "a name with a slash": "experiments: {a/b: {}}\n",
    "a name of kftune's own files": "experiments: {logs: {}}\n",
    "values of a class": LIST.replace("lr: 0.01", "lr: -1, epoch: 3").replace("momentum: 0.5", "momentun: 0.5"),
    "a value twice": LIST.replace("optimizer: {kind: sgd", "optimizer.kind: adam, optimizer: {kind: sgd"),
    "no objective": LIST.replace("objective: {metric: val_loss, direction: minimize}\n", ""),
    "no step": LIST.replace("step: {command: [python, train.py], image: registry.example/toy:1}\n", ""),
    "no such class": LIST.replace("toy:Toy", "toy:Toi"),
    "a metric twice": LIST.replace("name: accuracy", "name: val_loss"),
    "unknown hyperparameters": f"{LIST}hyperparameters: [lr, epoch]\n",
    "the latest value as a target": LIST.replace("reduce: max", "reduce: latest"),
}
COMMANDS = {
    "no file": ["--config", "lst.yaml"],
    "no list at the default place": [],
    "the file without its option": ["list.yaml"],
    "unknown experiments": ["--config", "list.yaml", "--experiments", "Broken", "slowly", "slow"],
    "no experiments after the option": ["--config", "list.yaml", "--experiments"],
    "an override of what is not there": ["--config", "list.yaml", "experiments.slwo.lr=0.1"],
    "an override with a bad value": ["--config", "list.yaml", "experiments.slow.lr=0"],
    "an option that is misspelt": ["--config", "list.yaml", "--experiment", "slow"],
    "parallel 0": ["--config", "list.yaml", "--parallel", "0"],
    "fresh and retry": ["--config", "list.yaml", "--fresh", "--retry-failed"],
    "out without render": ["--config", "list.yaml", "--out", "build"],
    "render with an option of a run": ["--config", "list.yaml", "--render", "--fresh"],
    "a folder for the results file": ["--config", "list.yaml", "--results-file", "."],
    "a results file in a file": ["--config", "list.yaml", "--results-file", "list.yaml/results.json"],
    "a study": ["--config", "study.yaml"],
}
OTHERS = {command: [command, "list.yaml"] for command in ("run", "show", "render", "lint", "best")}


def texts(folder: Path) -> dict[str, str]:
    found = {}
    for name, text in LISTS.items():
        project(folder, text)
        found[name] = printed(["experiments", "--config", "list.yaml"], folder)
    project(folder)
    (folder / "study.yaml").write_text(LIST.partition("experiments:")[0])
    for name, arguments in COMMANDS.items():
        found[f"experiments: {name}"] = printed(["experiments", *arguments], folder)
    for name, arguments in OTHERS.items():
        found[f"{name} with a list"] = printed(arguments, folder)
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mistakes")


def test_each_mistake_has_its_text_and_nothing_runs(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "100")
    found = texts(folder)
    record(SNAPSHOTS, found)
    assert found == recorded(SNAPSHOTS), REMEDY
    assert not started(folder)
    assert not any("Traceback" in text for text in found.values())
