"""The half of the studies of the suite for a cluster that needs no cluster."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from e2e_studies import STOPPED, STUDIES, documents, given_in, run_here, sobol_assignments

from kftune.earlystopping.names import with_service
from kftune.katib.admission import admit
from kftune.katib.admission.cluster import Cluster

TOLD = {"argv": ["plain", "--lr=0.1"], "values": {"lr": 0.1}, "env": {}}


@pytest.mark.parametrize("study", [*STUDIES, *STOPPED])
def test_katib_takes_each_study(study: str) -> None:
    script, experiment = documents(study, "space", "registry.example/x:1")
    assert admit(experiment, cluster=with_service(Cluster(), experiment)).message == ""
    assert script["data"].keys() == {"e2e_trial.py"}
    assert experiment["spec"]["parallelTrialCount"] == 1


def test_the_trials_here_get_the_assignments_of_the_cluster(tmp_path: Path) -> None:
    rates = ("0.05", "0.0123456789", "5e-02", "0.1")
    given = [{"lr": rate, "units": "9", "optimizer": "sgd", "batch": "64"} for rate in rates]
    found = run_here("plain", tmp_path, given)
    assert [trial.assignment for trial in found.trials] == given
    told = [trial.given or {} for trial in found.trials]
    assert [one["argv"] for one in told] == [
        ["plain", *(f"--{name}={text}" for name, text in each.items())] for each in given
    ]
    assert found.trials[0].metrics["loss"] == ("0.649", "64.009", "0.649")
    assert found.status["trialsSucceeded"] == 4


def test_what_a_container_was_given_is_found_in_the_log_of_the_collector() -> None:
    told = json.dumps(TOLD).encode().hex()
    assert given_in(f"I1130 05:00:00.000000      16 main.go:143] given {told}\n loss=0.5\n") == TOLD
    assert given_in("nothing is given here\n") is None


@pytest.mark.parametrize(("study", "count"), [("hostile", 4), ("behaving", 7)])
def test_sobol_draws_all_that_is_to_be_seen(study: str, count: int) -> None:
    drawn = sobol_assignments(study)
    assert {len({each[name] for each in drawn}) for name in drawn[0]} == {count}
