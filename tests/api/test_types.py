"""A user's script has the types that mypy needs: of the hyperparameters that come back, and of wrong calls."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from python_api import GOOD

import kftune

RIGHT = f"""{GOOD}
from typing import assert_type

from kftune.pipeline import Pipeline
from kftune.render import Rendering
from kftune.results import State

tuned = kftune.tune(objective, max_trials=3, search={{"lr": LogUniform(1e-3, 1.0)}})
assert_type(tuned.best.hparams, Net)
assert_type(kftune.tune("study.yaml").best.value, float)
with kftune.ask_tell(Net, objective="loss", direction="maximize") as loop:
    for trial in loop:
        assert_type(trial.hparams, Net)
        loop.report(trial, step=1, loss=0.5)
        assert_type(loop.tell(trial, loss=1), State)
assert_type(kftune.render("study.yaml", "katib"), Rendering)


def manifests(pipeline: Pipeline) -> int:
    return len(kftune.render(pipeline, "argo").documents)
"""

WRONG = """\
import kftune
from good import objective

kftune.tune(objective, max_trails=3)
kftune.tune(objective, direction="up")
kftune.tune("study.yaml").best.hparams.lr
"""


@pytest.mark.nightly  # mypy reads kftune, pydantic and numpy
def test_a_strict_type_checker_knows_the_results(tmp_path: Path):
    (tmp_path / "good.py").write_text(RIGHT)
    (tmp_path / "wrong.py").write_text(WRONG)
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", "", "good.py", "wrong.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=280)
    found = [line.split(": error:")[0] for line in done.stdout.splitlines() if ": error:" in line]
    assert list(dict.fromkeys(found)) == ["wrong.py:4", "wrong.py:5", "wrong.py:6"], done.stdout


def test_render_is_a_function_and_a_module():
    import kftune.render.katib as katib
    from kftune.render import render_pipeline

    assert callable(kftune.render)
    assert callable(katib.render_katib)
    assert callable(render_pipeline)
