"""Scripts with a parser of their own are tuned as they are, with what `kftune new hparams --from` writes.

Each is tuned on this machine, and its rendered Experiment runs in a real shell, as Katib wraps it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from foreign_scripts import GUIDE, SCRIPTS, recording
from katib_as_run import run_trial, substituted
from local_study import log_of, trials_in

from kftune.lint import check
from kftune.local import run_study
from kftune.render import render
from kftune.scaffold.from_script import new_from_script
from kftune.study import Study, load_study

HYDRA = """
import hydra
from omegaconf import OmegaConf

@hydra.main(version_base=None, config_path="conf", config_name="config")
def train(config):
    global given
    given = OmegaConf.to_container(config)

train()
"""
CONFIG = """\
learning_rate: 0.01
num_epochs: 10
amp: false
dropout_rate: 0.5
model: {name: small}
sizes: [64, 32]
hydra: {output_subdir: null, run: {dir: .}, job_logging: {root: {handlers: []}}}
"""
AS_IT_IS = {"guide": GUIDE, "hydra": HYDRA, "store_true": SCRIPTS["store_true"], "click": SCRIPTS["click"]}
SEARCH = "search={learning_rate: {choice: [1e-05, 0.1]}, num_epochs: {choice: [5, 20]}"
MORE = {
    "hydra": {
        "amp": "{choice: [true, false]}",
        "model.name": "{choice: [/data/small-1.5, big_net]}",
    },
    "store_true": {"amp": "{choice: [true, false]}", "optimizer": "{choice: [adam, sgd]}"},
    "click": {"amp": "{choice: [true, false]}", "optimizer": "{choice: [adam, sgd]}"},
}


def written(name: str, folder: Path, *overrides: str) -> Study:
    """Writes a script, its class and its study, and returns the study with more to search."""
    (folder / "conf").mkdir()
    (folder / "conf" / "config.yaml").write_text(CONFIG)
    (folder / "train.py").write_text(recording(AS_IT_IS[name]))
    new_from_script("net", folder, folder / "train.py")
    sys.modules.pop("net_hparams", None)
    more = "".join(f", {key}: {domain}" for key, domain in MORE.get(name, {}).items())
    command = f"step.command={json.dumps([sys.executable, 'train.py'])}"
    objective = "objective={metric: loss, direction: minimize}"
    return load_study(folder / "net_study.yaml", [f"{SEARCH}{more}}}", command, objective, *overrides])


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return found


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))


@pytest.mark.parametrize("name", sorted(AS_IT_IS))
def test_a_script_is_tuned_here_as_it_is(name, tmp_path):
    study = written(name, tmp_path, "budget.max_trials=3", "budget.parallel=3")
    source = (tmp_path / "train.py").read_bytes()
    outcome = run_study(study, tmp_path / "runs", study_path=tmp_path / "net_study.yaml")
    assert outcome.counts == {"Succeeded": 3}
    for trial in trials_in(tmp_path / "runs"):
        line = next(each for each in log_of(tmp_path / "runs", trial).splitlines() if each.startswith("given "))
        wanted = flat(study.hparams.from_assignments(trial.assignment).to_dict())
        received = flat(json.loads(line.removeprefix("given ")))
        assert {key: received[key] for key in study.space} == {key: wanted[key] for key in study.space}
    assert (tmp_path / "train.py").read_bytes() == source


@pytest.mark.parametrize("name", sorted(AS_IT_IS))
def test_the_experiment_of_a_script_as_it_is_runs_as_katib_wraps_it(name, tmp_path):
    study = written(name, tmp_path)
    experiment = render(study).documents[0]
    texts = {each["name"]: each["feasibleSpace"].get("list", ["0.1"])[0] for each in experiment["spec"]["parameters"]}
    job = substituted(experiment, texts)
    container = job["spec"]["template"]["spec"]["containers"][0]
    given: Any = run_trial(container, tmp_path)[0]
    received = flat(given)
    wanted = {
        "learning_rate": 1e-05,
        "num_epochs": 5,
        "amp": True,
        "optimizer": "adam",
        "model.name": "/data/small-1.5",
    }
    assert {key: received[key] for key in study.space} == {key: wanted[key] for key in study.space}


@pytest.mark.parametrize("name", sorted(AS_IT_IS))
def test_lint_finds_nothing_in_the_study_of_a_script_as_it_is(name, tmp_path):
    written(name, tmp_path)
    study = (tmp_path / "net_study.yaml").read_text()
    (tmp_path / "net_study.yaml").write_text(study.replace("\n  metric:\n", "\n  metric: loss\n"))
    (report,) = check("net_study.yaml").studies
    assert [each.message for each in report.findings if each.severity != "advice"] == []
