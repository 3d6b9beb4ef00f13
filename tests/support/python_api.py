"""Functions that are tuned from Python, as people write them in files of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

GOOD = '''\
import kftune
from kftune import Choice, Hparam, Hparams, LogUniform, Uniform


class Net(Hparams):
    """A net."""

    lr: float = Hparam(1e-3, gt=0, search=LogUniform(1e-4, 1e-2))
    """Step size."""
    units: int = Hparam(64, ge=1, search=Choice(32, 64))
    """Width."""
    dropout: float = Hparam(0.1, search=Uniform(0.0, 0.5))
    """Share of units to drop."""


def objective(h: Net) -> float:
    for step in range(3):
        kftune.report(step=step, val_loss=h.lr * h.units + 1 / (step + 1))
    return h.lr * h.units


def several(h: Net) -> dict[str, float]:
    return {"val_loss": h.lr, "size": h.units}
'''

STUDY = """\
name: net
hparams: good:Net
objective: {metric: val_loss, direction: minimize}
algorithm: {name: cmaes, seed: 5}
budget: {max_trials: 4}
step: {command: [python, script.py]}
"""

SCRIPT = """\
import kftune
from good import Net, objective

kftune.report(val_loss=objective(Net.from_args()))
"""


def call_script(folder: Path, code: str, *, name: str = "script_of_mine.py") -> subprocess.CompletedProcess[str]:
    """Runs a script in its folder.

    Args:
        folder: The folder.
        code: The script.
        name: The name of its file.
    """
    (folder / name).write_text(code)
    command = [sys.executable, name]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
