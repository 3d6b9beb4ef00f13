"""The options of ``kftune run`` that give an Experiment something of this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from local_experiment import experiment, sh


def kftune(folder: Path, *options: str, container: dict[str, object] | None = None) -> subprocess.CompletedProcess[str]:
    (folder / "e.json").write_text(json.dumps(experiment(container, trials=1)))
    command = [sys.executable, "-m", "kftune", "run", "e.json", "--plain", *options]
    environment = {**os.environ, "TOKEN": "0.125"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_a_variable_that_the_user_names_is_given_to_trials(tmp_path):
    variable = {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
    container = {**sh("echo loss=$TOKEN"), "env": [variable]}
    refused = kftune(tmp_path, container=container)
    assert (refused.returncode, "--secret TOKEN" in refused.stderr) == (2, True)
    assert "loss=0.125" in kftune(tmp_path, "--secret=TOKEN", container=container).stdout


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--secret=NOT_SET_HERE"], "NOT_SET_HERE is not set; export NOT_SET_HERE=..."),
        (["--secret=TOKEN=h1dd3n"], "give no value"),
        (["--network=engine"], "--network is for trials in containers"),
        (["--network=bridge", "--runtime=container"], "bridge"),
    ],
)
def test_an_option_that_gives_nothing_is_refused(tmp_path, options, told):
    done = kftune(tmp_path, *options)
    assert done.returncode == 2
    assert told in done.stderr
    assert "h1dd3n" not in done.stderr
