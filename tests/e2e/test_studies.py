"""Studies that run to their end on Katib, compared trial by trial with `kftune run` of the same Experiment.

The cluster draws the assignments; the local run gets the same ones.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import pytest
from cluster_run import TRAIN, missing_for_a_run, own_namespace
from e2e_studies import STUDIES, SeenExperiment, SeenTrial, image, run_here, run_on_cluster, sobol_assignments

LACKING = missing_for_a_run(os.environ, TRAIN)
pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(LACKING is not None, reason=str(LACKING)),
    pytest.mark.timeout(1200),
]

# Each study has one pod for the algorithm and one for its running trial: four pods at most.
AT_A_TIME = 2

# What the trial does -> its states on the cluster and here, and why they differ.
DIFFERENT_STATES: Mapping[str, tuple[str, str, str]] = {
    "memory": ("Failed", "Succeeded", "a process of this machine has no limit of memory; --runtime container has"),
}


class Seen(NamedTuple):
    """One study, run at both places."""

    cluster: SeenExperiment
    here: SeenExperiment

    def pairs(self) -> Iterator[tuple[SeenTrial, SeenTrial]]:
        """The trials, on the cluster and here."""
        return zip(self.cluster.trials, self.here.trials, strict=True)

    def as_expected(self) -> list[tuple[SeenTrial, SeenTrial]]:
        """The trials that are not known to differ."""
        return [pair for pair in self.pairs() if pair[0].assignment.get("how") not in DIFFERENT_STATES]


@pytest.fixture(scope="module")
def seen(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Seen]]:
    """Gives what became of a study. All studies that the selected tests need run side by side."""
    folder = tmp_path_factory.mktemp("studies")
    wanted = [item.callspec.params.get("study") for item in request.session.items if hasattr(item, "callspec")]
    with own_namespace("studies") as namespace, ThreadPoolExecutor(AT_A_TIME) as lanes:

        def run(name: str) -> Seen:
            cluster = run_on_cluster(name, namespace, image())
            return Seen(cluster, run_here(name, folder, [trial.assignment for trial in cluster.trials]))

        started: dict[str, Future[Seen]] = {name: lanes.submit(run, name) for name in STUDIES if name in wanted}
        yield lambda name: started[name].result()


ALL = pytest.mark.parametrize(
    "study", [pytest.param(name, marks=pytest.mark.smoke if name == "plain" else ()) for name in STUDIES]
)


@ALL
def test_a_container_gets_the_argv_values_and_variables_that_a_local_run_gives(
    seen: Callable[[str], Seen], study: str, record_property: Callable[[str, Any], None]
) -> None:
    pairs = [(theirs.given, ours.given) for theirs, ours in seen(study).pairs() if theirs.given is not None]
    record_property("command lines", len(pairs))
    assert [theirs for theirs, _ in pairs] == [ours for _, ours in pairs]
    assert pairs


@ALL
def test_trials_end_in_the_states_of_a_local_run(
    seen: Callable[[str], Seen], study: str, record_property: Callable[[str, Any], None]
) -> None:
    pairs = seen(study).as_expected()
    record_property("trials", len(pairs))
    assert [(one.assignment, one.state) for one, _ in pairs] == [(one.assignment, one.state) for _, one in pairs]


@ALL
def test_observations_are_those_of_a_local_run_to_the_letter(
    seen: Callable[[str], Seen], study: str, record_property: Callable[[str, Any], None]
) -> None:
    pairs = [
        (theirs.metrics, ours.metrics) for theirs, ours in seen(study).as_expected() if theirs.state == "Succeeded"
    ]
    record_property("observations", sum(len(theirs) for theirs, _ in pairs))
    assert [theirs for theirs, _ in pairs] == [ours for _, ours in pairs]
    assert pairs


@ALL
def test_the_best_trial_is_that_of_a_local_run(seen: Callable[[str], Seen], study: str) -> None:
    one, other = seen(study)
    best = ("best", "assignment", "observation")
    assert [one.status[name] for name in best] == [other.status[name] for name in best]
    assert one.status["best"] is not None


@pytest.mark.parametrize("study", [name for name in STUDIES if name != "behaving"])
def test_the_status_of_the_experiment_is_that_of_a_local_run(seen: Callable[[str], Seen], study: str) -> None:
    one, other = seen(study)
    assert one.status == other.status


@pytest.mark.parametrize("study", ["behaving"])
def test_states_that_are_known_to_differ_still_do(seen: Callable[[str], Seen], study: str) -> None:
    found = {theirs.assignment["how"]: (theirs.state, ours.state) for theirs, ours in seen(study).pairs()}
    known = {how: states[:2] for how, states in DIFFERENT_STATES.items()}
    assert {how: found[how] for how in known} == known


@pytest.mark.parametrize("study", ["behaving", "hostile"])
def test_sobol_draws_on_the_cluster_what_kftune_says_it_draws(seen: Callable[[str], Seen], study: str) -> None:
    drawn = [trial.assignment for trial in seen(study).cluster.trials]
    assert drawn == sobol_assignments(study)


@pytest.mark.parametrize("study", ["hostile"])
def test_every_hostile_text_reaches_a_container(
    seen: Callable[[str], Seen], study: str, record_property: Callable[[str, Any], None]
) -> None:
    trials = seen(study).cluster.trials
    found = {(name, text) for trial in trials for name, text in trial.assignment.items()}
    record_property("texts", len(found))
    assert len(found) == 12 * 4
    assert all(trial.given for trial in trials)
