"""A small experiment list: its class, a script that notes each start, and how it is run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

CLASS = '''
from kftune import Choice, Hparam, Hparams, LogUniform


class Optimizer(Hparams):
    """An optimizer."""

    kind: str = Hparam("adam", search=Choice("adam", "sgd"))
    momentum: float = Hparam(0.9, ge=0, lt=1)


class Toy(Hparams):
    """A toy."""

    lr: float = Hparam(1e-3, gt=0, search=LogUniform(1e-4, 1e-2))
    """Step size."""
    epochs: int = Hparam(2, ge=1)
    optimizer: Optimizer = Optimizer()
    seconds: float = 0.0
    fails: bool = False
'''

SCRIPT = """
import os, sys, time
from pathlib import Path
from toy import Toy
import kftune

given = Toy.from_args()
with Path("started.txt").open("a") as file:
    file.write(f"{os.environ['KFTUNE_TRIAL_NAME']}\\n")
Path(os.environ["KFTUNE_OUTPUT_DIR"], "weights.txt").write_text(str(given.lr))
for epoch in range(1, given.epochs + 1):
    if given.fails:
        sys.exit("the disk is on fire")
    kftune.report(val_loss=given.lr + 1 / epoch, accuracy=1 - given.lr, step=epoch)
    time.sleep(given.seconds)
"""

LIST = """\
name: toys
hparams: toy:Toy
step: {command: [python, train.py], image: registry.example/toy:1}
objective: {metric: val_loss, direction: minimize}
metrics: [{name: accuracy, reduce: max}]
experiments:
  slow_and_sure: {lr: 0.001, epochs: 3}
  broken: {lr: 0.01, fails: true}
  slow: {lr: 0.002, optimizer: {kind: sgd, momentum: 0.5}}
targets: {val_loss: 0.4, accuracy: 0.99, training_time_per_epoch: 60, convergence_epochs: {at_most: 2}}
"""


def project(folder: Path, text: str = LIST) -> Path:
    """Writes the class, the script and the list into a folder, and returns the list's file."""
    (folder / "toy.py").write_text(textwrap.dedent(CLASS))
    (folder / "train.py").write_text(textwrap.dedent(SCRIPT))
    file = folder / "list.yaml"
    file.write_text(text)
    return file


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "kftune", "experiments", *arguments]


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs `kftune experiments` on the list of a folder."""
    given = ["--config", "list.yaml", "--output-dir", "out", "--results-file", "results.json", *arguments]
    return subprocess.run(command(*given), cwd=folder, capture_output=True, text=True, check=False, env=environment())


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("KFTUNE_")}


def results(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "results.json").read_bytes())
    return found


def statuses(folder: Path) -> dict[str, str]:
    return {each["experiment_name"]: each["status"] for each in results(folder)["all_results"]}


def started(folder: Path) -> list[str]:
    """The experiments in the order of their starts."""
    file = folder / "started.txt"
    return file.read_text().split() if file.exists() else []
