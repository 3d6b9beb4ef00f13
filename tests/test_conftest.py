"""The tests run in every place in which CI systems start them."""

from __future__ import annotations

import subprocess
import sys

from places import ROOT


def test_tests_that_send_signals_pass_where_the_parent_ignores_them():
    test = "tests/local/study/test_run.py::test_an_interrupt_stops_the_trials_saves_and_exits_130"
    run = f"trap '' INT HUP TERM; exec {sys.executable} -m pytest -q -p no:cacheprovider --timeout=60 {test}"
    done = subprocess.run(["sh", "-c", run], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout
