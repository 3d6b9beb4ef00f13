"""A study that has run, and a file with the values that are used now."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import model_validator

from kftune import Choice, Conditional, Hparam, Hparams
from kftune.cli import main
from kftune.local import run_study
from kftune.results import Trials, open_results
from kftune.study import Algorithm, Budget, Objective, Step, Study


class Net(Hparams):
    """A net."""

    lr: float = Hparam(1e-3, gt=0, search=Choice(1e-5, 1e-3))
    """Step size."""
    units: int = Hparam(64, ge=1, search=Choice(32, 64))
    """Width."""
    epochs: int = 10
    """Passes through the data."""
    warmup: int = 0
    """Steps before the step size is reached."""

    @model_validator(mode="after")
    def _check(self) -> Net:
        if self.warmup > self.units:
            raise ValueError("warmup must not be greater than units")
        return self


# lr=1e-05 is better, and fewer units are.
SCRIPT = 'case "$0 $1" in *1e-05*32) echo val_loss=0.25;; *1e-05*) echo val_loss=0.5;; *) echo val_loss=1;; esac'

STUDY = f"""\
name: net
hparams: applied:Net
objective: {{metric: val_loss, direction: minimize}}
algorithm: {{name: grid, seed: 1}}
budget: {{max_trials: 4, parallel: 2}}
step:
  command: [sh, -c, '{SCRIPT}']
"""

CONFIG = """\
# Values of each circuit.
P1:
  C1: # measured
    lr: 0.001   # by hand
    'units': "64"
    epochs: 10
  C2: {lr: 1.0e-05, units: 32}
  C3: {lr: 0.001, units: 64, epochs: 30}
  C4: {lr: 0.01, units: 64}
  C5: {lr: 0.001, units: 64, warmup: 40}
"""


def write(folder: Path) -> None:
    """Writes the study and the file with values."""
    (folder / "study.yaml").write_text(STUDY)
    (folder / "config.yaml").write_text(CONFIG)


def run(folder: Path, *more: str) -> None:
    """Runs the study."""
    assert main(["run", str(folder / "study.yaml"), "--plain", *more]) == 0


def git(folder: Path, *arguments: str) -> str:
    """Returns what git prints."""
    command = ["git", "-C", str(folder), "-c", "user.name=A", "-c", "user.email=a@example.com", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def committed(folder: Path, names: Sequence[str] = ("config.yaml", "study.yaml")) -> None:
    """Makes a repository with one commit, whose own settings say who commits."""
    git(folder, "init", "-q", "-b", "main")
    git(folder, "config", "user.name", "Ada")
    git(folder, "config", "user.email", "ada@example.com")
    git(folder, "add", *names)
    git(folder, "commit", "-q", "-m", "First")


def trade_off(folder: Path) -> Trials:
    """Returns the results of a study with two objectives; two of four points are in the Pareto set."""
    study = Study(
        name="two",
        hparams=Net,
        objectives=(
            Objective(metric="loss", direction="minimize"),
            Objective(metric="speed", direction="maximize"),
        ),
        algorithm=Algorithm(name="grid", seed=1),
        budget=Budget(max_trials=4, parallel=1),
        step=Step(
            command=(
                "sh",
                "-c",
                'case "$0 $1" in *1e-05*32) echo loss=1 speed=1;; *32) echo loss=2 speed=2;; '
                "*) echo loss=3 speed=1;; esac",
            )
        ),
    )
    run_study(study, folder)
    return open_results(folder)


class Optimizer(Hparams):
    """A group."""

    name: str = Hparam("adam", search=Choice("adam", "sgd"))
    """Which one."""
    momentum: float = Hparam(0.0, search=Conditional(Choice(0.5, 0.9), when={"name": ("sgd",)}))
    """Only sgd has it."""


class Deep(Hparams):
    """A class with a group, a list and a mapping."""

    optimizer: Optimizer = Optimizer()
    """A group."""
    layers: tuple[int, ...] = Hparam((64, 32), search=Choice((64, 32), (16,)))
    """A list."""
    options: dict[str, Any] = {"a": 1, "b": {"c": 2.0}}  # noqa: RUF012  # pydantic copies it
    """A mapping."""


def deep(folder: Path, *points: dict[str, Any]) -> Trials:
    """Returns the results of a study of `Deep` that has tried some points; the later ones are better."""
    study = Study(
        name="deep",
        hparams=Deep,
        search={"options.b.c": Choice(1.0, 2.0)},
        objective=Objective(metric="loss", direction="minimize"),
        algorithm=Algorithm(name="random", seed=1),
        budget=Budget(max_trials=len(points), parallel=1),
        points=points,
        step=Step(command=("sh", "-c", "echo loss=-$(date +%s%N | cut -c 6-)")),
    )
    run_study(study, folder)
    return open_results(folder)
