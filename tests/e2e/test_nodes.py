"""A step on two nodes of a cluster runs as a job to its end, and the next step reads what its rank 0 wrote."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from cluster_run import LAUNCHER, missing_for_a_run, read_object
from e2e_argo import Tour, finished, nodes, outputs_on_argo, phases, start
from e2e_nodes import applied_nodes, failing_in

LACKING = missing_for_a_run(os.environ, LAUNCHER)
pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(600),
    pytest.mark.skipif(LACKING is not None, reason=str(LACKING)),
]
PLURALS = {"PyTorchJob": "pytorchjobs.kubeflow.org", "TrainJob": "trainjobs.trainer.kubeflow.org"}
RUN_SECONDS = 300


@pytest.fixture(scope="module", params=[*PLURALS])
def tour(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Tour, str]]:
    with applied_nodes(tmp_path_factory.mktemp("nodes"), os.environ[LAUNCHER], request.param) as made:
        yield made, request.param


def test_the_next_step_reads_what_rank_0_wrote_and_the_run_owns_the_job(tour: tuple[Tour, str]) -> None:
    made, kind = tour
    run = finished(made, start(made), RUN_SECONDS)
    assert run["status"]["phase"] == "Succeeded", run["status"].get("message")
    assert phases(run) == {"data": ["Succeeded"], "train": ["Succeeded"], "evaluate": ["Succeeded"]}
    assert outputs_on_argo(run)["evaluate"] == [{"seen": "weights of a $b 0.25"}]
    (job,) = read_object(PLURALS[kind], made.namespace)["items"]
    assert [owner["name"] for owner in job["metadata"]["ownerReferences"]] == [run["metadata"]["name"]]


# Trainer's own runtime starts a failed process again, for minutes.
@pytest.mark.parametrize("tour", ["PyTorchJob"], indirect=True)
def test_a_node_that_fails_is_named_in_the_steps_message_with_what_it_printed(tour: tuple[Tour, str]) -> None:
    made, _ = tour
    run = finished(made, start(made, failing_in("0")), RUN_SECONDS)
    assert run["status"]["phase"] == "Failed"
    message = next(node["message"] for node in nodes(run) if node["templateName"] == "train")
    assert "exit code 1" in message
    assert "no such layer in rank 0" in message
