"""What a script shows when `fit` refuses what it was given. Lightning takes seconds to import: most is without it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from places import ROOT

SCRIPT = """
from kftune.errors import HparamsError
from kftune.training.lightning.script_errors import ends_scripts_with_one_line

@ends_scripts_with_one_line()
def fit(error):
    raise error

try:
    fit(HparamsError("caught"))
except HparamsError as error:
    print(error)
"""


def ended(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", SCRIPT + code], capture_output=True, text=True, check=False)


def test_an_error_of_fit_that_a_script_does_not_catch_ends_it_with_one_line():
    done = ended('fit(HparamsError("lr must be a number"))')
    assert (done.returncode, done.stdout, done.stderr) == (1, "caught\n", "-c: lr must be a number\n")


@pytest.mark.parametrize("code", ['fit(KeyError("lr"))', 'raise HparamsError("from another place")'])
def test_other_errors_keep_their_traceback(code: str):
    done = ended(code)
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback")


@pytest.mark.nightly
def test_a_script_with_a_typed_model_ends_so():
    script = str(ROOT / "tests" / "support" / "lightning_net.py")
    command = [sys.executable, script, "--model.optimizer.module_name=torch.optim.Adamm"]
    done = subprocess.run(
        command, env={**os.environ, "KFTUNE_DEVICE": "cpu"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"{script}: ")
    assert "did you mean 'Adam'" in line
