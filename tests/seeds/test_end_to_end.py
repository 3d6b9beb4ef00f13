"""Each seed's sample becomes a study, is rendered, runs here on its workload, has a report, and is applied back.

Seeds 001, 002 and 003 describe a search, which `kftune import` reads. Seed 000 is a class and a script without one, so
class and study are written from the script. Seed 004 is typed models without one, so a study names what it searches.
Trainings are as small as they can be: what is tested is that no step of the way loses or changes a value.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from local_study import trials_in
from mistake_texts import printed
from places import CIRCUITS, TESTS
from seed_project import SAGEMAKER_PROJECT, write

from kftune import yaml_text
from kftune.results import Trial, open_results
from kftune.training.digits.dataset import Recipe, generate

EXAMPLES = TESTS / "importers" / "examples"
ONE_THREAD = "step.env.OMP_NUM_THREADS=1"


def kftune(folder: Path, *arguments: str) -> str:
    """Runs a command in a folder; returns what it prints."""
    text = printed([*arguments], folder)
    assert text.startswith("exit 0\n"), text
    return text


def on_katib(folder: Path, study: str) -> dict[str, Any]:
    """Checks a study, and the Experiment that it is rendered to; returns the parameters of that."""
    assert "1 Experiment: 1 ok" in kftune(folder, "lint", study)
    kftune(folder, "render", study, "--out", "build")
    (path,) = (folder / "build").glob("*.katib.yaml")
    assert "1 Experiment: 1 ok" in kftune(folder, "lint", str(path))
    experiment: Any = yaml_text.load_file(path)
    assert experiment["kind"] == "Experiment"
    return {each["name"]: each for each in experiment["spec"]["parameters"]}


def run_here(folder: Path, study: str, *overrides: str) -> tuple[list[Trial], Trial]:
    """Runs a study; returns its trials, all of which have a result, and the best one."""
    kftune(folder, "run", study, "--plain", *overrides)
    (database,) = (folder / "runs").glob("*/trials.db")
    results = database.parent
    trials = trials_in(results)
    assert {trial.state for trial in trials} == {"Succeeded"}
    with open_results(results) as opened:
        best = opened.best()
    assert best is not None
    page = kftune(folder, "report", str(results), "--out", "report.html")
    assert "wrote report.html" in page
    html = (folder / "report.html").read_text(encoding="utf-8")
    assert html.startswith("<!doctype html>")
    assert best.name in html
    return trials, best


def applied(folder: Path, study: str, file: str, *options: str) -> str:
    """Applies the best values to a file; returns its text."""
    before = (folder / file).read_text(encoding="utf-8")
    kftune(folder, "apply", study, "--to", file, "--yes", *options)
    after = (folder / file).read_text(encoding="utf-8")
    assert after != before
    kftune(folder, "apply", study, "--to", file, "--yes", *options)
    assert (folder / file).read_text(encoding="utf-8") == after
    return after


def test_000_a_class_and_a_study_are_written_from_the_script(tmp_path: Path):
    project = write(tmp_path, SAGEMAKER_PROJECT)
    (project / "study.yaml").unlink()
    text = "training:\n  learning-rate: 0.5  # too high\n  'hidden_units': 8\n  name: x\n"
    (project / "config.yaml").write_text(text)
    kftune(project, "new", "hparams", "tuned_net", "--from", "dockers/mymodel/train.py")
    assert on_katib(project, "tuned_net_study.yaml").keys() == {"learning_rate"}
    search = "search.hidden_units={choice: [16, 32]}"
    trials, best = run_here(project, "tuned_net_study.yaml", "budget.max_trials=3", "algorithm.seed=1", search)
    assert len(trials) == 3
    options = ("--at", "training", "--map", "learning_rate=learning-rate", "--force")
    after = applied(project, "tuned_net_study.yaml", "config.yaml", *options)
    rate, units = json.dumps(best.point["learning_rate"]), best.point["hidden_units"]
    assert after == f"training:\n  learning-rate: {rate}  # too high\n  'hidden_units': {units}\n  name: x\n"


@pytest.mark.nightly  # two trainings of the detector
def test_001_the_tuner_of_sagemaker_tunes_the_detector(tmp_path: Path):
    shutil.copy(EXAMPLES / "sagemaker-page.md", tmp_path)
    options = ["--hparams", "DetectorHparams", "--command", "python -m kftune.training detector"]
    kftune(
        tmp_path,
        "import",
        "sagemaker",
        "sagemaker-page.md",
        "-o",
        "study.yaml",
        *options,
        "--image",
        "registry.example/t:1",
    )
    assert on_katib(tmp_path, "study.yaml").keys() == {"lr0", "batch", "optimizer"}
    text = 'yolo:\n  lr0: 0.01    # first step size\n  batch: 16\n  optimizer: "AdamW"\n  seed: 3\n'
    (tmp_path / "config.yaml").write_text(text)
    tiny = {"epochs": 1, "train_images": 8, "val_images": 4, "width": 4}
    _, best = run_here(
        tmp_path, "study.yaml", "budget.max_trials=2", "budget.parallel=1", f"values={json.dumps(tiny)}", ONE_THREAD
    )
    after = applied(tmp_path, "study.yaml", "config.yaml", "--at", "yolo", "--force")
    point = best.point
    assert after == (
        f"yolo:\n  lr0: {point['lr0']!r}    # first step size\n  batch: {point['batch']}\n"
        f'  optimizer: "{point["optimizer"]}"\n  seed: 3\n'
    )


OCR_TRAIN = """\
from experiments_hparams import ExperimentsHparams
from kftune.hparams.models.ocr import OcrHparams
from kftune.training.ocr import train

groups = ExperimentsHparams.from_args().to_dict()
known = {name: {key: value for key, value in group.items() if value is not None} for name, group in groups.items()}
known["model"]["config_path"] = "sizes.yaml"
known["training"] |= {"device": "cpu", "use_tensorboard": False}
data = {"metadata_path": "data/metadata.yaml", "num_workers": 0}
raise SystemExit(train(OcrHparams.from_experiment({**known, "data": data})))
"""
OCR_LIST = """\
experiments:
  conservative_small:   # where it begins
    model: {name: small}
    training: {batch_size: 8, learning_rate: 0.001, num_epochs: 1}
    optimizer: {type: adam}
    early_stopping: {patience: 10, monitor: val_loss, mode: min}
  high_learning_rate:
    model: {name: small}
    training: {batch_size: 16, learning_rate: 0.003, num_epochs: 2}
    optimizer: {type: 'adamw'}
    early_stopping: {patience: 10, monitor: val_loss, mode: min}
"""


@pytest.mark.nightly  # two trainings of a reader of numbers
def test_002_the_list_of_experiments_is_trained_and_its_best_is_written_into_another(tmp_path: Path):
    generate(tmp_path / "data" / "metadata.yaml", Recipe(train=32, val=8, test=8))
    (tmp_path / "sizes.yaml").write_text("models: {small: {channels: [2, 2, 2], hidden: 4}}\n")
    (tmp_path / "train.py").write_text(OCR_TRAIN)
    (tmp_path / "experiments.yaml").write_text(OCR_LIST)
    kftune(tmp_path, "import", "experiments", "experiments.yaml", "-o", "study.yaml", "--image", "registry.example/t:1")
    assert "training.batch_size" in on_katib(tmp_path, "study.yaml")
    trials, best = run_here(tmp_path, "study.yaml", ONE_THREAD)
    assert [trial.point["training.batch_size"] for trial in trials] == [8, 16]
    after = applied(tmp_path, "study.yaml", "experiments.yaml", "--at", "experiments/conservative_small", "--force")
    lines = after.splitlines()
    training = {name: best.point[f"training.{name}"] for name in ("batch_size", "learning_rate", "num_epochs")}
    assert lines[3] == f"    training: {{{', '.join(f'{name}: {value}' for name, value in training.items())}}}"
    assert lines[4] == f"    optimizer: {{type: {best.point['optimizer.type']}}}"
    assert lines[:3] + lines[5:] == OCR_LIST.splitlines()[:3] + OCR_LIST.splitlines()[5:]


def test_003_the_sweep_of_azure_tunes_a_circuit_and_its_values_are_written_back(tmp_path: Path):
    shutil.copy(EXAMPLES / "azureml-page.md", tmp_path)
    options = ["--hparams", "LstmHparams", "--command", "python -m kftune.training lstm", "--log-bounds", "values"]
    kftune(
        tmp_path,
        "import",
        "azureml",
        "azureml-page.md",
        "-o",
        "study.yaml",
        *options,
        "--image",
        "registry.example/c:1",
    )
    study = tmp_path / "study.yaml"
    study.write_text(study.read_text().replace("{metric: loss,", "{metric: val_loss,"))  # the file names none
    parameters = on_katib(tmp_path, "study.yaml")
    assert parameters["learning_rate"]["feasibleSpace"] == {
        "distribution": "logUniform",
        "min": "0.0001",
        "max": "0.01",
    }
    before = (CIRCUITS / "circuits.yaml").read_text()
    (tmp_path / "circuits.yaml").write_text(before)
    others: Any = yaml_text.load(before)
    present = others["PLANT001"].pop("CIRCUIT01")
    good = {"lstm_units": 32, "learning_rate": 0.009, "batch_size": 16}
    fixed = {"circuit": "PLANT001/CIRCUIT01", "epochs": 1}
    _, best = run_here(
        tmp_path,
        "study.yaml",
        "budget.max_trials=1",
        f"points={json.dumps([good])}",
        f"values={json.dumps(fixed)}",
        ONE_THREAD,
    )
    after = applied(tmp_path, "study.yaml", "circuits.yaml", "--at", "PLANT001/CIRCUIT01", "--force")
    assert best.point == good
    changed: Any = yaml_text.load(after)
    assert changed["PLANT001"].pop("CIRCUIT01") == {**present, **good}
    assert changed == others
    differing = [line for line, other in zip(after.splitlines(), before.splitlines(), strict=True) if line != other]
    assert len(differing) <= len(good)


NET_STUDY = {
    "name": "typed",
    "hparams": "typed_net:NetRun",
    "values": {"trainer.max_epochs": 1},
    "search": {
        "model.hidden": {"choice": [4, 16]},
        "model.optimizer.kwargs.lr": {"loguniform": [0.001, 0.1]},
    },
    "objective": {"metric": "validation/loss", "direction": "minimize"},
    "algorithm": {"name": "random", "seed": 1},
    "budget": {"max_trials": 2},
    "step": {"image": "registry.example/t:1", "command": ["python", "typed_net.py"]},
}


@pytest.mark.nightly  # two trainings with Lightning
def test_004_a_typed_model_is_tuned_and_its_groups_are_written_back(tmp_path: Path):
    shutil.copy(TESTS / "support" / "lightning_net.py", tmp_path / "typed_net.py")
    (tmp_path / "study.yaml").write_text(yaml_text.dump(NET_STUDY))
    text = (
        "# the model\nmodel_config:\n  hidden: 8\n  optimizer:\n    module_name: torch.optim.AdamW\n"
        "    kwargs: {lr: 0.5, weight_decay: 0.01}\n"
    )
    (tmp_path / "config.yaml").write_text(text)
    assert on_katib(tmp_path, "study.yaml").keys() == {"model.hidden", "model.optimizer.kwargs.lr"}
    _, best = run_here(tmp_path, "study.yaml", ONE_THREAD)
    maps = ["--map", "model.hidden=hidden", "--map", "model.optimizer=optimizer"]
    after = applied(tmp_path, "study.yaml", "config.yaml", "--at", "model_config", *maps, "--force")
    hidden, rate = best.point["model.hidden"], best.point["model.optimizer.kwargs.lr"]
    assert after == text.replace("hidden: 8", f"hidden: {hidden}").replace("lr: 0.5", f"lr: {rate!r}")
