"""A local run of a rendered Experiment shows the values themselves, as a dump of the same trials does."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from local_experiment import run

from kftune import yaml_text
from kftune.cli.call import call
from kftune.domains.encoding import encode_text
from kftune.render import render
from kftune.results import open_results
from kftune.results.experiment import experiment_with_status, trials_as_katib
from kftune.results.sources.find import open_trials
from kftune.study import study_from_dict

TEXTS = ["a 'b'", "c d"]
STUDY: dict[str, Any] = {
    "name": "coded",
    "hparams": "coded_values:Coded",
    "search": {
        "dropout": {"normal": [0.2, 0.05], "low": 0, "high": 0.9},
        "label": {"choice": TEXTS},
        "layers": {"choice": [1, 2]},
    },
    "objective": {"metric": "loss", "direction": "minimize"},
    "algorithm": {"name": "random", "seed": 5},
    "budget": {"max_trials": 4, "parallel": 1},
    "step": {"command": ["sh", "-c", "echo loss=0.5", "sh"], "image": "registry.example/coded:1"},
    "targets": {"katib": {"version": "0.19", "namespace": "team-a"}},
}
CLASS = '''\
from kftune import Hparam, Hparams


class Coded(Hparams):
    """Has values that Katib gets encoded."""

    dropout: float = Hparam(0.2, ge=0, lt=1)
    """Share of what is dropped."""
    label: str = "plain"
    """Any text."""
    layers: int = 1
    """Depth."""
'''


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the results of the rendered Experiment."""
    project = tmp_path_factory.mktemp("coded")
    (project / "coded_values.py").write_text(CLASS)
    (whole,) = render(study_from_dict(STUDY, (project,)), "katib").documents
    run(json.loads(json.dumps(whole)), project / "results", place=project / "experiment.yaml")
    return project / "results"


def test_encoded_values_are_shown_as_the_values_themselves(folder: Path):
    with open_results(folder) as here:
        trials = here.trials()
        best = here.best()
    assert {trial.assignment["label"] for trial in trials} == {encode_text(text) for text in TEXTS}
    assert {trial.point["label"] for trial in trials} == {*TEXTS}
    assert {type(trial.point["layers"]) for trial in trials} == {str}  # a categorical of Katib has texts
    shares = {float(trial.assignment["dropout"]) for trial in trials}
    assert max(shares) > 0.35
    assert all(0.05 < trial.point["dropout"] < 0.35 for trial in trials)
    assert best == trials[0]


def test_a_dump_of_the_same_trials_has_the_same_values(folder: Path, tmp_path: Path):
    saved = tmp_path / "dump.yaml"
    with open_results(folder) as here:
        saved.write_text(yaml_text.dump_all([experiment_with_status(here), *trials_as_katib(here)]), encoding="utf-8")
        with open_trials(saved) as read:
            assert [trial.point for trial in read.trials()] == [trial.point for trial in here.trials()]
            assert [trial.assignment for trial in read.trials()] == [trial.assignment for trial in here.trials()]


def test_a_run_that_resumes_keeps_the_values_that_its_algorithm_chose(folder: Path):
    with open_results(folder) as results:
        before = results.trials()
        whole = results.meta.experiment
    assert whole is not None
    outcome, _ = run({**whole, "spec": {**whole["spec"], "maxTrialCount": 5}}, folder, place=folder.parent / "e.yaml")
    with open_results(folder) as results:
        after = results.trials()
    assert (len(after), after[:4]) == (5, before)
    assert outcome.exit_code == 0


def test_commands_show_the_values(folder: Path, capsys: pytest.CaptureFixture[str]):
    with open_results(folder) as here:
        first = here.trials()[0]
    assert call("results", "", [str(folder), "--format", "csv"]) == 0
    assert call("best", "", [str(folder)]) == 0
    assert call("best", "", [str(folder), "--top", "2"]) == 0
    out = capsys.readouterr().out
    assert out.count(str(first.point["dropout"])) == 3
    assert "kftune:" not in out


def test_arguments_are_the_values_themselves_in_every_command(folder: Path, capsys: pytest.CaptureFixture[str]):
    with open_results(folder) as here:
        best = here.best()
        assert best is not None
    values = {name: str(best.point[name]) for name in best.assignment}
    lines = [f"--{name}={text}" for name, text in values.items()]
    assert call("best", "", [str(folder), "--format", "args"]) == 0
    assert capsys.readouterr().out.splitlines() == lines
    assert call("report", "", [str(folder), "--format", "text"]) == 0
    assert shlex.join(lines) in capsys.readouterr().out.splitlines()
