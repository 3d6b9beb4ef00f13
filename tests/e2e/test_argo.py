"""A pipeline on the cluster's Argo ends as it does here, with the permissions that kftune renders and no others."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cluster_run import LAUNCHER, TRAIN, kubectl, missing_for_a_run, said, true_conditions, wait_until
from e2e_argo import (
    ACCOUNT,
    PATH,
    Tour,
    applied_tour,
    experiments,
    finished,
    launcher_pod,
    local_run,
    nodes,
    outputs_locally,
    outputs_on_argo,
    phases,
    seen,
    spans_locally,
    spans_on_argo,
    start,
    too_early,
    with_arguments,
)

LACKING = missing_for_a_run(os.environ, TRAIN, LAUNCHER)
pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(600),
    pytest.mark.skipif(LACKING is not None, reason=str(LACKING)),
]
MAY = {
    "experiments.kubeflow.org": {"create", "get"},
    "trials.kubeflow.org": {"list"},
    "suggestions.kubeflow.org": {"get"},
    "pods": {"list", "watch"},
    "pods/log": {"get"},
    "workflowtaskresults.argoproj.io": set(),
    "secrets": set(),
    "jobs.batch": set(),
}
EXECUTOR = "tour-executor"
EXECUTOR_MAY = {**{kind: set() for kind in MAY}, "workflowtaskresults.argoproj.io": {"create", "patch"}}
TOKENS = "/var/run/secrets/kubernetes.io/serviceaccount"
DRAWN = {"use"}
"""Steps that get the best values: two searches draw different ones."""
VERBS = ("create", "get", "list", "watch", "update", "patch", "delete")
RUN_SECONDS = 300


@pytest.fixture(scope="module")
def tour(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tour]:
    with applied_tour(tmp_path_factory.mktemp("tour"), images()) as made:
        yield made


def images() -> dict[str, str]:
    return {"train": os.environ[TRAIN], "launcher": os.environ[LAUNCHER]}


@pytest.fixture(scope="module")
def here(tour: Tour) -> Path:
    """The steps of a run of the same files on this machine."""
    return local_run(tour)


@pytest.fixture(scope="module")
def run(tour: Tour) -> dict[str, Any]:
    """A run whose launcher's pod is deleted as soon as the Experiment is there."""
    name = start(tour)
    wait_until("experiments", tour.namespace, lambda found: found["items"], RUN_SECONDS)
    launcher = wait_until(f"workflow/{name}", tour.namespace, launcher_pod, RUN_SECONDS)
    kubectl(["kubectl", "delete", "pod", str(launcher_pod(launcher)), f"--namespace={tour.namespace}", "--wait=false"])
    return finished(tour, name, RUN_SECONDS)


@pytest.mark.smoke
def test_a_run_whose_launcher_is_deleted_in_the_middle_still_succeeds_with_one_experiment(
    tour: Tour, run: dict[str, Any]
) -> None:
    assert run["status"]["phase"] == "Succeeded", json.dumps(run["status"], indent=1)[-4000:]
    (experiment,) = experiments(tour)
    assert "Succeeded" in true_conditions(experiment)
    assert experiment["status"]["trials"] == 3
    tries = phases(run)["tune"]
    assert sorted(tries) == ["Failed", "Succeeded"] or sorted(tries) == ["Error", "Succeeded"]


def test_each_step_gets_the_command_line_of_this_machine(here: Path, run: dict[str, Any], record_property: Any) -> None:
    local, there = seen(outputs_locally(here)), seen(outputs_on_argo(run))
    record_property("command lines", sum(map(len, there.values())))
    assert names(there) == names(local)
    same = local.keys() - DRAWN
    assert {step: there[step] for step in same} == {step: local[step] for step in same}


def names(told: dict[str, list[dict[str, str]]]) -> dict[str, list[list[str]]]:
    """The names of the arguments or outputs in their order."""
    return {step: [[*one] for one in each] for step, each in told.items()}


def test_each_step_writes_what_it_writes_on_this_machine(here: Path, run: dict[str, Any], record_property: Any) -> None:
    local, there = outputs_locally(here), outputs_on_argo(run)
    record_property("values", sum(len(one) for each in there.values() for one in each))
    assert names(there) == names(local)
    same = local.keys() - DRAWN - {"tune"}
    assert {step: there[step] for step in same} == {step: local[step] for step in same}


def test_no_step_starts_before_those_that_it_waits_for_end(
    tour: Tour, here: Path, run: dict[str, Any], record_property: Any
) -> None:
    spans = spans_on_argo(run)
    record_property("pods", len(spans))
    assert too_early(tour, spans) == []
    assert too_early(tour, spans_locally(here)) == []


def test_a_condition_that_does_not_hold_skips_its_step(run: dict[str, Any]) -> None:
    found = phases(run)
    assert found["small"] == ["Skipped"]
    assert found["large"] == ["Succeeded"]
    assert found["each"] == ["Succeeded"] * 3


def test_the_best_values_are_those_of_the_experiment(tour: Tour, run: dict[str, Any]) -> None:
    (experiment,) = experiments(tour)
    best = experiment["status"]["currentOptimalTrial"]
    (assignment,) = best["parameterAssignments"]
    (metric,) = best["observation"]["metrics"]
    (got,) = seen(outputs_on_argo(run))["use"]
    assert got["x"] == assignment["value"]
    assert float(got["objective"]) == float(metric["min"])


def test_the_accounts_may_do_what_is_documented_and_nothing_else(tour: Tour, record_property: Any) -> None:
    record_property("permissions", 2 * len(MAY) * len(VERBS))
    assert allowed(tour, ACCOUNT) == MAY
    assert allowed(tour, EXECUTOR) == EXECUTOR_MAY


def test_only_the_launchers_program_has_a_token(tour: Tour, run: dict[str, Any]) -> None:
    found = json.loads(kubectl(["kubectl", "get", "pods", f"--namespace={tour.namespace}", "-o", "json"]))
    ran = f"workflows.argoproj.io/workflow={run['metadata']['name']}".partition("=")
    pods = [one for one in found["items"] if one["metadata"].get("labels", {}).get(ran[0]) == ran[2]]
    mounts = {(pod["metadata"]["name"], *mount) for pod in pods for mount in token_mounts(pod)}
    assert {volume for _, container, volume in mounts if container == "wait"} == {"exec-sa-token"}
    with_token = {(name, volume) for name, container, volume in mounts if container == "main"}
    assert with_token
    assert {("-tune-" in name, volume.startswith("kube-api-access-")) for name, volume in with_token} == {(True, True)}


def token_mounts(pod: dict[str, Any]) -> list[tuple[str, str]]:
    """The containers of a pod that have a token, and the volume that it is in."""
    return [
        (container["name"], mount["name"])
        for container in pod["spec"]["containers"]
        for mount in container["volumeMounts"]
        if mount["mountPath"] == TOKENS
    ]


def allowed(tour: Tour, account: str) -> dict[str, set[str]]:
    user = f"--as=system:serviceaccount:{tour.namespace}:{account}"
    may: dict[str, set[str]] = {kind: set() for kind in MAY}
    for kind, verbs in may.items():
        for verb in VERBS:
            # In `pods/log`, kubectl would take `log` for the name of a pod.
            what, _, part = kind.partition("/")
            where = [f"--subresource={part}", f"--namespace={tour.namespace}"]
            command = ["kubectl", "auth", "can-i", verb, what, user, *where]
            verbs |= {verb} if answer(command) == "yes" else set()
    return may


def answer(command: list[str]) -> str:
    """`kubectl auth can-i` fails when the answer is no."""
    return said(command).split()[0]


def test_a_step_that_fails_fails_the_run_and_the_exit_step_hears_of_it(tour: Tour) -> None:
    def fail(workflow: dict[str, Any]) -> None:
        template = next(one for one in workflow["spec"]["templates"] if one["name"] == "make")
        with_arguments(template, "make", "fail")

    run = finished(tour, start(tour, fail), RUN_SECONDS)
    assert run["status"]["phase"] == "Failed"
    found = phases(run)
    assert found["make"] == ["Failed"]
    assert "gather" not in found or set(found["gather"]) <= {"Omitted", "Skipped"}
    (told,) = seen(outputs_on_argo(run))["exit"]
    assert told == {"status": "Failed", "seen": PATH}


def test_a_run_that_is_terminated_takes_its_experiment_with_it_where_delete_is_always(
    tmp_path: Path,
) -> None:
    with applied_tour(tmp_path, images(), delete="always") as tour:
        assert allowed(tour, ACCOUNT) == {**MAY, "experiments.kubeflow.org": {"create", "get", "delete", "patch"}}
        name = start(tour)
        wait_until("trials", tour.namespace, lambda found: found["items"], RUN_SECONDS)
        stop = json.dumps({"spec": {"shutdown": "Terminate"}})
        kubectl(["kubectl", "patch", f"workflow/{name}", f"--namespace={tour.namespace}", "--type=merge", "-p", stop])
        run = finished(tour, name, RUN_SECONDS)
        assert run["status"]["phase"] == "Failed", json.dumps(run["status"], indent=1)[-4000:]
        wait_until("experiments,trials", tour.namespace, lambda found: not found["items"], RUN_SECONDS)


def test_an_experiment_that_succeeded_is_deleted_with_its_run(tmp_path: Path) -> None:
    with applied_tour(tmp_path, images(), delete="succeeded") as tour:
        name = start(tour)
        run = finished(tour, name, RUN_SECONDS)
        assert run["status"]["phase"] == "Succeeded", json.dumps(run["status"], indent=1)[-4000:]
        (experiment,) = experiments(tour)
        assert [(one["kind"], one["name"]) for one in experiment["metadata"]["ownerReferences"]] == [("Workflow", name)]
        kubectl(["kubectl", "delete", f"workflow/{name}", f"--namespace={tour.namespace}"])
        wait_until("experiments,trials", tour.namespace, lambda found: not found["items"], RUN_SECONDS)


def test_a_study_that_fails_says_why_in_the_message_of_the_step_which_is_not_retried(
    tour: Tour, record_property: Any
) -> None:
    def fail(workflow: dict[str, Any]) -> None:
        container = next(one for one in workflow["spec"]["templates"] if one["name"] == "tune")["container"]
        container["args"] = [
            word.replace("time.sleep(4)", "time.sleep(4); sys.exit(given)") for word in container["args"]
        ]

    run = finished(tour, start(tour, fail), RUN_SECONDS)
    assert run["status"]["phase"] == "Failed"
    tries = [node["message"] for node in nodes(run) if node["templateName"] == "tune"]
    record_property("tries", len(tries))
    (told,) = (message for message in tries if "the Experiment has failed: " in message)
    assert "; exit code 1\n    {'x': '" in told
    assert [message for message in tries if "of an earlier try has failed: " in message] == []
