"""What kftune export --to a tracker refuses, and what it says without the tracker's package."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tracked_study import saved, study, trials

from kftune.cli import main
from kftune.errors import UnknownNameError
from kftune.trackers import TRACKERS, write_runs


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--to", "tensorboard"), "TensorBoard reads a folder; say where to write: -o logs"),
        (("--to", "wandb"), "runs of W&B are written offline; say where: -o FOLDER"),
        (("--to", "wandb", "-o", "saved.json"), "the runs of wandb are in a folder, but saved.json is a file"),
        (("--to", "mlflow", "-o", "x", "--strict"), "--strict is for studies in other words"),
        (("--to", "tensorboard", "-o", "x", "--force"), "none is overwritten"),
        (("--to", "tensorboards"), "but got 'tensorboards'; did you mean 'tensorboard'?"),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, tuple) else "",
)
def test_a_wrong_use_says_what_to_write(tmp_path: Path, monkeypatch, capsys, arguments, says):
    monkeypatch.chdir(tmp_path)
    saved(tmp_path / "saved.json")
    assert main(["export", "saved.json", *arguments]) == 2
    assert says in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["saved.json"]


@pytest.mark.parametrize("tracker", TRACKERS)
def test_without_the_package_the_message_names_the_extra(tmp_path: Path, monkeypatch, capsys, tracker):
    for module in ("tensorboard", "mlflow", "wandb"):
        monkeypatch.setitem(sys.modules, module, None)
    file = saved(tmp_path / "saved.json")
    assert main(["export", file, "--to", tracker, "-o", str(tmp_path / "out")]) != 0
    assert f"install it with: pip install 'kftune[{tracker}]'" in capsys.readouterr().err


def test_an_unknown_tracker_is_answered_with_the_known_ones(tmp_path: Path):
    with pytest.raises(UnknownNameError, match="did you mean 'mlflow'"):
        write_runs("mlflw", study(trials()), tmp_path)
