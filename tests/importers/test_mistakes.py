"""What people get to read when a file cannot be imported: each text stands in tests/snapshots/import_mistakes.txt.

mistake_texts.py says how it is written anew.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest
from foreign_files import EXAMPLES, copied
from mistake_texts import REMEDY, printed, record, recorded

SNAPSHOTS = "import_mistakes.txt"


class Edit(NamedTuple):
    """An example in which `old` was mistakenly written as `new`."""

    file: str
    old: str
    new: str


EDITS = {
    "sagemaker: an unknown type": Edit("sagemaker-config.yaml", "type: integer", "type: intger"),
    "sagemaker: a misspelt bound": Edit("sagemaker-config.yaml", "max: 0.98", "maxx: 0.98"),
    "sagemaker: an unknown scaling": Edit("sagemaker-config.yaml", "Logarithmic", "Log"),
    "sagemaker: a log scale from 0": Edit("sagemaker-config.yaml", "min: 0.1,", "min: 0,"),
    "sagemaker: bounds in the wrong order": Edit("sagemaker-config.yaml", "min: 0.6", "min: 0.99"),
    "sagemaker: a bound that is no number": Edit("sagemaker-job.json", '"0.00001"', '"1e-5x"'),
    "sagemaker: an unknown strategy": Edit("sagemaker-job.json", '"Hyperband",', '"Bayes",'),
    "sagemaker: reverse log beyond 1": Edit("sagemaker-job.json", '"0.999"', '"2"'),
    "sagemaker: ranges that are computed": Edit(
        "sagemaker-tuner.py", "    hyperparameter_ranges,\n", "    make_ranges(),\n"
    ),
    "sagemaker: a name twice": Edit("sagemaker-job.json", '"Name": "dropout"', '"Name": "momentum"'),
    "sagemaker: broken Python": Edit("sagemaker-tuner.py", "tuner = ", "tuner == = "),
    "azureml: an unknown expression": Edit("azureml-expressions.yaml", "type: quniform", "type: qunifrm"),
    "azureml: a misspelt key": Edit("azureml-expressions.yaml", "min_value: 0, max", "min: 0, max"),
    "azureml: exponents that are too large": Edit("azureml-page.md", "max_value: 0.01", "max_value: 800"),
    "azureml: an unknown policy": Edit("azureml-page.md", "type: bandit", "type: bandits"),
    "azureml: no trial, no space": Edit("azureml-page.md", "search_space:", "searchspace:"),
    "azureml: a choice of nothing": Edit("azureml-page.md", "[16, 32, 64]", "[]"),
    "wandb: an unknown distribution": Edit(
        "wandb-sweep.yaml", "log_uniform_values, min: 1e-6", "loguniform_values, min: 1e-6"
    ),
    "wandb: min without max": Edit("wandb-sweep.yaml", "{min: 1, max: 5}", "{min: 1}"),
    "wandb: an unknown method": Edit("wandb-sweep.yaml", "method: random", "method: bayesian"),
    "wandb: a parameter that is a number": Edit("wandb-sweep.yaml", "epochs: {value: 27}", "epochs: 27"),
    "wandb: probabilities that do not fit": Edit("wandb-sweep.yaml", "[0.7, 0.3]", "[0.7, 0.2, 0.1]"),
    "wandb: an empty parameter": Edit("wandb-sweep.yaml", "{values: [16, 32, 64]}", "{}"),
    "wandb: sigma of 0": Edit("wandb-sweep.yaml", "sigma: 0.1", "sigma: 0"),
    "wandb: broken YAML": Edit("wandb-sweep.yaml", "run_cap: 30", "run_cap: [30"),
    "ray: an unknown function": Edit("ray-space.json", '"loguniform"', '"log_uniform"'),
    "ray: too many arguments": Edit("ray-space.json", "[0.1, 0.9]", "[0.1, 0.9, 0.1]"),
    "ray: a log range from 0": Edit("ray-space.json", "[1e-4, 1e-1]", "[0, 1e-1]"),
    "ray: an unknown argument": Edit("ray-space.json", '"upper": 0.5', '"uper": 0.5'),
    "hydra: glob": Edit("hydra-template.yaml", "choice(32, 64, 128, 256)", "glob(*)"),
    "hydra: an interval with one end": Edit("hydra-template.yaml", "interval(0.0, 0.5)", "interval(0.5)"),
    "hydra: a log interval from 0": Edit("hydra-template.yaml", "interval(0.0001, 0.1)", "interval(0, 0.1)"),
    "optuna: an unknown distribution": Edit("optuna-distributions.json", "IntDistribution", "IntegerDistribution"),
    "optuna: no bound": Edit("optuna-distributions.json", '"high": 0.99,', ""),
    "katib: a bound that is no number": Edit("katib-median-stop.yaml", 'max: "0.9"', 'max: "x"'),
    "katib: another kind": Edit("katib-median-stop.yaml", "kind: Experiment", "kind: Trial"),
    "experiments: an experiment that is a text": Edit(
        "experiments.yaml", "experiments:\n", "experiments:\n  first: adam\n"
    ),
}
COMMANDS = {
    "experiments: the form of a list": ["import", "experiments", "form.yaml"],
    "no such system": ["import", "sagemakr", "experiments.yaml"],
    "no such file": ["import", "wandb", "wandb-swep.yaml"],
    "a folder": ["import", "wandb", "."],
    "another system": ["import", "azureml", "wandb-sweep.yaml"],
    "no text": ["import", "wandb", "picture.png"],
    "an Experiment that is not there": ["import", "katib", "katib-median-stop.yaml", "--pick", "median"],
    "a database of another kind": ["import", "optuna", "other.db"],
    "several studies": ["import", "optuna", "journal.log"],
    "a journal with a broken line": ["import", "optuna", "broken.log"],
    "a class without the fields": [
        "import",
        "ray",
        "ray-space.json",
        "--hparams",
        "few_fields:Few",
        "-o",
        "study.yaml",
    ],
}
JOURNAL = '{"op_code": 0, "worker_id": "a", "study_name": "%s", "directions": [1]}\n'


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder: Path = tmp_path_factory.mktemp("mistakes")
    for path in EXAMPLES.iterdir():
        copied(path.name.removesuffix(".txt"), folder)
    (folder / "form.yaml").write_text("experiments: {name: {model: {name: str}, training: {batch_size: int}}}\n")
    (folder / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n\xff\x00")
    with closing(sqlite3.connect(folder / "other.db")) as database:
        database.execute("CREATE TABLE runs (id INTEGER)")
    (folder / "journal.log").write_text(JOURNAL % "first" + JOURNAL % "second")
    (folder / "broken.log").write_text(JOURNAL % "first" + '{"op_code": 5, "trial_id": 3}\n')
    (folder / "few_fields.py").write_text(
        "from kftune import Hparams\n\n\nclass Few(Hparams):\n    lr: float = 0.1\n    batchsize: int = 1\n"
    )
    return folder


def _of_edit(edit: Edit, folder: Path) -> str:
    inner = folder / "edited"
    inner.mkdir(exist_ok=True)
    file = copied(edit.file, inner)
    text = file.read_text()
    assert edit.old in text, edit
    file.write_text(text.replace(edit.old, edit.new, 1))
    return printed(["import", edit.file.partition(".")[0].partition("-")[0], edit.file, "-o", "study.yaml"], inner)


@pytest.fixture(scope="module")
def texts(folder: Path) -> dict[str, str]:
    found = {name: _of_edit(edit, folder) for name, edit in EDITS.items()}
    found |= {name: printed(arguments, folder) for name, arguments in COMMANDS.items()}
    record(SNAPSHOTS, found)
    return found


@pytest.mark.parametrize("name", [*EDITS, *COMMANDS])
def test_a_mistake_is_answered_with_its_recorded_text(name: str, texts: dict[str, str]) -> None:
    assert texts[name] == recorded(SNAPSHOTS).get(name), REMEDY


def test_every_mistake_is_refused_without_a_traceback(texts: dict[str, str]) -> None:
    assert [name for name, text in texts.items() if not text.startswith("exit 2\nkftune: ")] == []


def test_every_mistake_in_a_file_names_the_file(texts: dict[str, str]) -> None:
    assert [name for name, edit in EDITS.items() if edit.file not in texts[name]] == []


def test_no_mistake_writes_a_study(texts: dict[str, str], folder: Path) -> None:
    assert texts
    assert not list(folder.glob("**/*study.yaml"))
