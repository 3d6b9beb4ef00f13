"""A study whose step trains with kftune's own program names a model that its class fits."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kftune.cli.call import call

CLASSES = '''\
from kftune import Hparam, Hparams, Uniform
from kftune.hparams.models.lstm import LstmHparams


class Narrow(LstmHparams):
    """Searches a small range."""

    learning_rate: float = Hparam(1e-3, gt=0, search=Uniform(1e-4, 1e-3))
    """Step size."""


class Wide(LstmHparams):
    """Has one more."""

    momentum: float = Hparam(0.5, ge=0, search=Uniform(0, 1))
    """Of the optimizer."""


class Twin(Hparams):
    """Has a name in common."""

    learning_rate: float = Hparam(1e-3, gt=0)
    """Step size."""
'''
STUDY = """\
name: toy
hparams: {hparams}
search: {{learning_rate: {{loguniform: [0.001, 0.1]}}}}
objective: {{metric: val_loss, direction: minimize}}
budget: {{max_trials: 1}}
step: {{{start}, image: "registry.example/toy:1"}}
"""
MODULE = "module: kftune.training, args: [{}]"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "toy_models.py").write_text(CLASSES)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    sys.modules.pop("toy_models", None)
    yield tmp_path
    sys.modules.pop("toy_models", None)


def findings(project: Path, capsys: pytest.CaptureFixture[str], hparams: str, start: str) -> list[dict[str, Any]]:
    (project / "study.yaml").write_text(STUDY.format(hparams=hparams, start=start))
    call("lint", "", ["study.yaml", "--select", "KT4", "--format", "json"])
    report = json.loads(capsys.readouterr().out)
    found: list[dict[str, Any]] = report["studies"][0]["findings"]
    return found


@pytest.mark.parametrize(
    ("hparams", "start"),
    [
        ("lstm", MODULE.format("lstm")),
        ("LstmHparams", MODULE.format("lstm")),
        ("lstm", MODULE.format("'kftune.hparams.models.lstm:LstmHparams'")),
        ("toy_models:Narrow", MODULE.format("lstm")),
        ("toy_models:Wide", MODULE.format("'toy_models:Wide'")),
        ("lstm", "command: [python, -m, kftune.training, lstm]"),
        ("lstm", "command: [kftune, train, lstm]"),
    ],
)
def test_a_model_of_the_studys_class_is_accepted(
    project: Path, capsys: pytest.CaptureFixture[str], hparams: str, start: str
):
    assert findings(project, capsys, hparams, start) == []


@pytest.mark.parametrize(
    ("hparams", "start", "severity", "said"),
    [
        ("lstm", MODULE.format("lstn"), "fails", "did you mean 'lstm'?"),
        ("lstm", "command: [python, -m, kftune.training, lstn]", "fails", "did you mean 'lstm'?"),
        ("lstm", "command: [kftune, train, lstn]", "fails", "did you mean 'lstm'?"),
        ("lstm", MODULE.format("'toy_models:Nrrow'"), "fails", "did you mean 'Narrow'?"),
        ("lstm", "module: kftune.training", "fails", "it must be a model, but is missing"),
        ("lstm", MODULE.format("--data=x"), "fails", "it must be a model, but is --data=x"),
        (
            "lstm",
            MODULE.format("ocr"),
            "fails",
            "trains ocr, which is of OcrHparams, but the study searches LstmHparams",
        ),
        ("toy_models:Wide", MODULE.format("lstm"), "fails", "LstmHparams has no momentum, and each trial fails"),
        ("toy_models:Twin", MODULE.format("lstm"), "wrong", "trials use the checks and defaults of the former"),
    ],
)
def test_an_unknown_model_or_one_of_another_class_is_reported(
    project: Path, capsys: pytest.CaptureFixture[str], hparams: str, start: str, severity: str, said: str
):
    (found,) = findings(project, capsys, hparams, start)
    assert (found["code"], found["severity"]) == ("KT414", severity)
    assert said in found["message"]


def test_a_run_refuses_an_unknown_model_before_its_first_trial(project: Path, capsys: pytest.CaptureFixture[str]):
    (project / "study.yaml").write_text(STUDY.format(hparams="lstm", start=MODULE.format("lstn")))
    assert call("run", "", ["study.yaml", "--plain"]) == 2
    said = capsys.readouterr()
    assert "no trial can start" in said.err
    assert "did you mean 'lstm'?" in said.err
    assert "started" not in said.out


def test_a_run_notes_a_model_of_another_class(project: Path, capsys: pytest.CaptureFixture[str]):
    (project / "study.yaml").write_text(STUDY.format(hparams="toy_models:Wide", start=MODULE.format("lstm")))
    assert call("run", "", ["study.yaml", "--plain", "--strict"]) == 2
    assert "(KT414)" in capsys.readouterr().err
