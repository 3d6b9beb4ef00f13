"""A user's script has the types that mypy needs: of the hyperparameters that come back, and of wrong calls."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from python_api import GOOD

import kftune

TYPED = f"""{GOOD}
from kftune.pipeline import Pipeline

tuned = kftune.tune(objective, max_trials=3, search={{"lr": LogUniform(1e-3, 1.0)}})
reveal_type(tuned.best.hparams.lr)
reveal_type(kftune.tune("study.yaml").best.value)
with kftune.ask_tell(Net, objective="loss", direction="maximize") as loop:
    for trial in loop:
        reveal_type(trial.hparams.units)
        loop.report(trial, step=1, loss=0.5)
        reveal_type(loop.tell(trial, loss=1))
reveal_type(kftune.render("study.yaml", "katib"))


def manifests(pipeline: Pipeline) -> int:
    return len(kftune.render(pipeline, "argo").documents)


kftune.tune(objective, max_trails=3)
kftune.tune(objective, direction="up")
"""


@pytest.mark.nightly  # mypy reads kftune, pydantic and numpy
def test_a_strict_type_checker_knows_the_results(tmp_path: Path):
    (tmp_path / "good.py").write_text(TYPED)
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", "", "good.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=280)
    lines = done.stdout.splitlines()
    assert [line.partition("note: Revealed type is ")[2] for line in lines if "Revealed" in line] == [
        '"float"',
        '"float"',
        '"int"',
        "\"Literal['Created'] | Literal['Running'] | Literal['Paused'] | Literal['Succeeded']\"",
        '"kftune.render.rendering.Rendering"',
    ]
    errors = [line for line in lines if ": error:" in line]
    assert len(errors) >= 2
    assert all(line.startswith(("good.py:46:", "good.py:47:")) for line in errors)


def test_render_is_a_function_and_a_module():
    import kftune.render.katib as katib
    from kftune.render import render_pipeline

    assert callable(kftune.render)
    assert callable(katib.render_katib)
    assert callable(render_pipeline)
