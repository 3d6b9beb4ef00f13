"""Trials that kftune's early stopping service stops on Katib, compared with `kftune run` of the same Experiment.

One trial runs at a time, so that each one is created when the trials before it have ended, at both places.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cluster_run import TRAIN, missing_for_a_run, own_namespace, read_object, said
from e2e_admission import katib_config
from e2e_studies import COLLECTOR, STOPPED, SeenExperiment, image, run_here, run_on_cluster

from kftune.results import open_results

LACKING = missing_for_a_run(os.environ, TRAIN)
pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(LACKING is not None, reason=str(LACKING)),
    pytest.mark.timeout(1200),
]
AT_A_TIME = 2


class Stopped(NamedTuple):
    """A study that ran on the cluster."""

    seen: SeenExperiment
    rules: list[dict[str, Any]]
    """The rules of each trial that has some, in the order of the trials."""
    logs: list[str]
    """What the collectors of the stopped trials say."""


@pytest.fixture(scope="module")
def stopped() -> Iterator[Callable[[str], Stopped]]:
    """Gives what became of a study. All of them run side by side."""
    if "kftune-bandit" not in katib_config().early_stoppings:
        pytest.skip("the cluster has no early stopping service of kftune: kftune render --with-service")
    with own_namespace("stopping") as namespace, ThreadPoolExecutor(AT_A_TIME) as lanes:

        def run(name: str) -> Stopped:
            seen = run_on_cluster(name, namespace, image())
            trials = read_object(f"trials -l katib.kubeflow.org/experiment={name}", namespace)["items"]
            trials.sort(key=lambda trial: (trial["metadata"]["creationTimestamp"], trial["metadata"]["name"]))
            rules = [rule for trial in trials for rule in trial["spec"].get("earlyStoppingRules") or ()]
            early = [trial["metadata"]["name"] for trial in trials if "EarlyStopped" in str(trial["status"])]
            label = "katib.kubeflow.org/trial"
            command = ["kubectl", "logs", f"--namespace={namespace}", f"--container={COLLECTOR}", "--tail=-1"]
            return Stopped(seen, rules, [said([*command, f"--selector={label}={name}"]) for name in early])

        started = {name: lanes.submit(run, name) for name in STOPPED}
        yield lambda name: started[name].result()


def test_the_service_stops_the_trials_that_a_local_run_stops(
    stopped: Callable[[str], Stopped], tmp_path: Path, record_property: Callable[[str, Any], None]
) -> None:
    cluster = stopped("stopped")
    here = run_here("stopped", tmp_path, [trial.assignment for trial in cluster.seen.trials], parallel=1)
    states = [trial.state for trial in cluster.seen.trials]
    record_property("trials", len(states))
    assert states == [trial.state for trial in here.trials]
    assert states.count("EarlyStopped") >= 2
    assert states.count("Succeeded") >= 2
    assert cluster.seen.status == here.status
    with open_results(tmp_path / "stopped") as found:
        messages = [trial.message for trial in found.trials() if trial.state == "EarlyStopped"]
    limits = [re.search(r"greater than (\S+) after (\d+) reports", message) for message in messages]
    given = {(rule["value"], str(rule["startStep"])) for rule in cluster.rules}
    assert {(each[1], each[2]) for each in limits if each is not None} <= given
    assert None not in limits


@pytest.mark.parametrize("study", STOPPED)
def test_a_stopped_trial_of_any_kind_writes_its_checkpoint(stopped: Callable[[str], Stopped], study: str) -> None:
    logs = stopped(study).logs
    assert len(logs) >= 2
    assert all("checkpoint written" in log for log in logs)


@pytest.mark.parametrize("study", STOPPED)
def test_the_kind_of_the_trials_makes_no_difference(stopped: Callable[[str], Stopped], study: str) -> None:
    one, other = stopped(study).seen, stopped("stopped").seen
    assert [(trial.assignment, trial.state, trial.metrics) for trial in one.trials if trial.state == "Succeeded"] == [
        (trial.assignment, trial.state, trial.metrics) for trial in other.trials if trial.state == "Succeeded"
    ]
    assert [trial.state for trial in one.trials] == [trial.state for trial in other.trials]
