"""Runs for several entities in containers: what each sees, and that none is left behind by a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import Any

import pytest
from container_engine import IMAGE, containers_of, needed_engine
from entity_runs import counts, many, run
from local_study import log_of, trials_in, wait_until
from places import SUPPORT

pytestmark = pytest.mark.container

RUN = (
    "import json, sys; from pathlib import Path; from entity_runs import many; "
    "from kftune.local.entities.run import run_entities; "
    "run_entities(many(**json.loads(sys.argv[2])), Path(sys.argv[1]), runtime='container')"
)


def test_containers_of_each_entity_see_their_own_data_and_a_kill_leaves_none_behind(tmp_path):
    engine = needed_engine()
    for name in "ab":
        (tmp_path / f"{name}.txt").write_text(f"of {name}\n")
    arguments: dict[str, Any] = {
        "entities": {"items": ["a", "b"], "budget": {"parallel": 2}},
        "trials": 1,
        "script": 'cat "$KFTUNE_DATA"; sleep 2; echo loss=0.5',
        "step": {"image": IMAGE, "data": {"path": str(tmp_path / "${entity}.txt")}},
    }
    folder = tmp_path / "runs"
    env = {**os.environ, "PYTHONPATH": str(SUPPORT)}
    with subprocess.Popen([sys.executable, "-c", RUN, str(folder), json.dumps(arguments)], env=env) as process:
        wait_until(lambda: len(counts_running(folder)) == 2, 60)
        time.sleep(0.5)
        process.send_signal(signal.SIGKILL)
    outcome, _ = run(many(**arguments), folder, runtime="container")
    assert outcome.counts == {"Succeeded": 2}
    for name in "ab":
        (trial,) = trials_in(folder / name)
        assert trial.attempt == 2
        assert f"of {name}" in log_of(folder / name, trial)
    assert containers_of(engine, folder) == []


def counts_running(folder):
    """Returns the entities of which a trial runs."""
    return [name for name, found in (counts(folder) if (folder / "entities.json").exists() else {}).items() if found]
