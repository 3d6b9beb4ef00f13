"""Pods with every setting that a node without accelerators allows, seen from inside, on Katib and on Argo."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cluster_run import ROOT_IMAGE, TRAIN, apply_command, kubectl, missing_for_a_run, wait_until
from e2e_pods import (
    FULL,
    SECONDS,
    Place,
    Seen,
    collector_of,
    experiment,
    on_argo,
    on_katib,
    prepared,
    settings_of,
    start_on_argo,
    strict_place,
    trial_pod,
)
from e2e_studies import COLLECTOR

from kftune import yaml_text

LACKING = missing_for_a_run(os.environ, TRAIN)
pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(LACKING is not None, reason=str(LACKING)),
    pytest.mark.timeout(900),
]
NEEDS_ROOT = pytest.mark.skipif(ROOT_IMAGE not in os.environ, reason=f"{ROOT_IMAGE} names no image that runs as root")
AT_A_TIME = 4

TRIALS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    **{kind: ("full.yaml", changes) for kind, changes in FULL.items()},
    "host": ("plain.yaml", ("step.host_network=true", "step.host_ipc=true")),
    "user-of-the-pod": ("plain.yaml", ("step.pod.securityContext={runAsNonRoot: true, runAsUser: 4321, fsGroup: 7}",)),
    "own-processes": ("plain.yaml", ("step.pod={shareProcessNamespace: false}",)),
    "init": (
        "plain.yaml",
        (f"step.pod.initContainers=[{{name: helper, image: '{os.environ.get(TRAIN)}', command: ['true']}}]",),
    ),
    "root-by-number": (
        "plain.yaml",
        ("step.security={run_as_user: 0, run_as_non_root: false, capabilities: {add: [NET_BIND_SERVICE]}}",),
    ),
    "root-image": (
        "plain.yaml",
        ("step.security={run_as_non_root: false}", f"step.image={os.environ.get(ROOT_IMAGE)}"),
    ),
}
"""What a trial is -> its study, and what differs from it."""
HELPER = {"name": "helper", "image": os.environ.get(TRAIN), "restartPolicy": "Always", "command": ["sleep", "600"]}
STEPS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "Argo": ("full.yaml", {}),
    "Argo-helper": ("plain.yaml", {"grace_period": "1s", "pod": {"initContainers": [HELPER]}}),
    "Argo-user-of-the-pod": (
        "plain.yaml",
        {"pod": {"securityContext": {"runAsNonRoot": True, "runAsUser": 4321, "runAsGroup": 4321}}},
    ),
    "Argo-host": ("plain.yaml", {"host_network": True, "host_ipc": True, "pod": {"hostPID": True}}),
}
FULLY_SET = ["Job", "PyTorchJob", "TrainJob", "Argo"]
"""The pods that have every setting that their kind can have."""


def needed(name: str) -> Any:
    return pytest.param(name, marks=NEEDS_ROOT if name == "root-image" else ())


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with prepared(tmp_path_factory.mktemp("pods")) as made:
        yield made


@pytest.fixture(scope="module")
def seen(request: pytest.FixtureRequest, place: Place) -> Iterator[Callable[[str], Seen]]:
    """Gives the pod of a trial or step that has ended. All that the selected tests need run side by side."""
    wanted = {item.callspec.params.get("name") for item in request.session.items if hasattr(item, "callspec")}
    with ThreadPoolExecutor(AT_A_TIME) as lanes:
        started: dict[str, Future[Seen]] = {}
        for name in [*TRIALS, *STEPS]:
            if name in wanted:
                started[name] = lanes.submit(run, place, name)
        yield lambda name: started[name].result()


def run(place: Place, name: str) -> Seen:
    if name in STEPS:
        file, further = STEPS[name]
        return on_argo(place, name.lower(), {**settings_of(place, file), **further})
    file, changes = TRIALS[name]
    return on_katib(place, experiment(place, file, name.lower(), *changes))


@pytest.mark.parametrize("name", [needed(name) for name in (*TRIALS, *STEPS)])
def test_a_pod_with_settings_runs_to_its_end(seen: Callable[[str], Seen], name: str) -> None:
    found = seen(name)
    assert found.ended == "Succeeded"
    assert found.look is not None


@pytest.mark.parametrize("name", FULLY_SET)
def test_a_program_has_the_user_and_the_memory_that_are_set(seen: Callable[[str], Seen], name: str) -> None:
    look = seen(name).look or {}
    assert look["user"] == [4321, 4322, [4322, 4323]]
    assert (look["NoNewPrivs"], look["Seccomp"]) == ("1", "2")
    assert look["shm"] == 16 * 2**20


@pytest.mark.parametrize(
    ("name", "added", "effective"),
    [
        *((name, 1 << 10, 0) for name in FULLY_SET),
        ("root-by-number", 1 << 10, 1 << 10),
        pytest.param("root-image", 0, 0, marks=NEEDS_ROOT),
    ],
)
def test_only_a_program_that_is_root_has_the_capabilities_that_are_added(
    seen: Callable[[str], Seen], name: str, added: int, effective: int
) -> None:
    look = seen(name).look or {}
    assert (int(look["CapBnd"], 16), int(look["CapEff"], 16)) == (added, effective)


@pytest.mark.parametrize("name", FULLY_SET)
def test_fs_group_makes_a_fresh_claim_writable_and_nothing_else_is(seen: Callable[[str], Seen], name: str) -> None:
    look = seen(name).look or {}
    folders = ["/claim", "/scratch", "/empty", "/dev/shm", "/tmp"]  # in the container
    assert look["writable"] == folders
    assert look["groups"] == dict.fromkeys(folders, 4323)


@pytest.mark.parametrize("name", FULLY_SET)
def test_labels_variables_and_files_arrive_as_they_are_written(seen: Callable[[str], Seen], name: str) -> None:
    look = seen(name).look or {}
    assert {'e2e/team="vision"', 'cost-center="42"'} <= {*look["labels"]}
    assert 'e2e/owner="Vision <vision@example.com>"' in look["annotations"]
    assert look["notes"] == ["note"]
    variables = {"SECONDS": "5", "TEXT": "$HOME $(E2E_SECONDS) it's", "SECRET": "hidden", "CONFIG": "noted"}
    assert look["env"] == {f"E2E_{name}": text for name, text in variables.items()}
    assert look["hosts"] == ([] if name == "TrainJob" else [["10.0.0.7", "license-server"]])


@pytest.mark.parametrize("name", FULLY_SET)
def test_the_cluster_gives_the_pod_the_classes_and_accounts_that_are_named(
    seen: Callable[[str], Seen], place: Place, name: str
) -> None:
    spec = seen(name).pod["spec"]
    named = {"priorityClassName": place.namespace, "priority": 7, "runtimeClassName": place.namespace}
    has = {} if name == "TrainJob" else named
    assert {key: spec[key] for key in has} == has
    assert spec["serviceAccountName"] == place.namespace
    assert {"name": place.namespace} in spec["imagePullSecrets"]
    assert spec["terminationGracePeriodSeconds"] == 5
    assert spec["affinity"].keys() == {"nodeAffinity", "podAntiAffinity"}
    assert spec["tolerations"][0] == {"key": "e2e", "operator": "Exists", "effect": "NoSchedule"}


@pytest.mark.parametrize("name", ["Job", "host", "user-of-the-pod", "own-processes"])
def test_katibs_collector_takes_the_pods_fields_and_none_of_the_containers(
    seen: Callable[[str], Seen], name: str
) -> None:
    pod = seen(name).pod
    collector = collector_of(pod)
    assert "securityContext" not in collector
    assert "/var/log/katib" in [mount["mountPath"] for mount in collector["volumeMounts"]]
    assert pod["spec"]["shareProcessNamespace"] is True


@pytest.mark.parametrize("name", ["host", "Argo-host"])
def test_host_network_gives_the_pod_the_name_of_its_node(seen: Callable[[str], Seen], name: str) -> None:
    found = seen(name)
    assert (found.look or {})["node"] == found.pod["spec"]["nodeName"]


@pytest.mark.parametrize("name", ["root-by-number", pytest.param("root-image", marks=NEEDS_ROOT)])
def test_run_as_non_root_false_lets_a_program_be_root(seen: Callable[[str], Seen], name: str) -> None:
    assert (seen(name).look or {})["user"][:2] == [0, 0]


def test_a_namespace_with_the_standard_baseline_and_a_quota_runs_trials_and_steps(tmp_path: Path) -> None:
    with strict_place(tmp_path) as place, ThreadPoolExecutor(AT_A_TIME) as lanes:
        # The first change of each is the kind of the trial.
        documents = [experiment(place, "plain.yaml", kind.lower(), *FULL[kind][:1]) for kind in FULL]
        trials = [lanes.submit(on_katib, place, document) for document in documents]
        step = lanes.submit(on_argo, place, "argo", settings_of(place, "plain.yaml"))
        assert [each.result().ended for each in (*trials, step)] == ["Succeeded"] * 4


# -- what never runs ---------------------------------------------------------------------------------------------------


STUCK: Mapping[str, dict[str, Any]] = {
    "root-forbidden": {},
    "root-forbidden-in-pod": {"securityContext": {"runAsNonRoot": True}},
    "helped": {"initContainers": [HELPER]},
    "host-pid": {"hostPID": True},
    "pod-resources": {"resources": {"requests": {"cpu": "50m", "memory": "64Mi"}}},
}
"""An Experiment whose trial does not end -> the fields of its pod that the render refuses or notes."""
ROOT = os.environ.get(ROOT_IMAGE)
NO_ROOT = {"pod": {"securityContext": {"runAsNonRoot": True}}}


@pytest.fixture(scope="module")
def stuck(place: Place) -> Place:
    """Applies what does not end, all at once."""
    for name, fields in STUCK.items():
        changes = [f"step.image={ROOT}"] if name == "root-forbidden" and ROOT else []
        document = experiment(place, "plain.yaml", name, *changes)
        document["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"] |= fields
        kubectl(apply_command(dry_run=False), yaml_text.dump(document))
    start_on_argo(place, "argo-root-forbidden-in-pod", {**settings_of(place, "plain.yaml"), **NO_ROOT})
    return place


def states(pod: Mapping[str, Any], state: str) -> dict[str, dict[str, Any]]:
    """The containers in a state, and what is known of it."""
    found = pod["status"].get("containerStatuses", [])
    return {one["name"]: one["state"][state] for one in found if state in one["state"]}


def may_not_start(pod: Mapping[str, Any]) -> bool:
    return "CreateContainerConfigError" in [one["reason"] for one in states(pod, "waiting").values()]


@NEEDS_ROOT
def test_an_image_that_runs_as_root_does_not_start_unless_it_may(stuck: Place) -> None:
    waiting = states(trial_pod(stuck, "root-forbidden", may_not_start), "waiting")
    assert waiting["train"]["reason"] == "CreateContainerConfigError"
    assert "image will run as root" in waiting["train"]["message"]


def test_katibs_collector_never_starts_in_a_pod_that_forbids_root_without_a_user(stuck: Place) -> None:
    assert [*states(trial_pod(stuck, "root-forbidden-in-pod", may_not_start), "waiting")] == [COLLECTOR]


def test_argos_containers_never_start_in_a_pod_that_forbids_root_without_a_user(stuck: Place) -> None:
    def waiting(found: Any) -> list[str]:
        every = [status for pod in found["items"] for status in pod["status"].get("initContainerStatuses", ())]
        return [one["state"].get("waiting", {}).get("reason") for one in every]

    label = "pods -l workflows.argoproj.io/workflow=argo-root-forbidden-in-pod"
    wait_until(label, stuck.namespace, lambda found: "CreateContainerConfigError" in waiting(found), SECONDS)


def test_katibs_collector_waits_for_a_helper_that_ends_after_it(stuck: Place) -> None:
    pod = trial_pod(stuck, "helped", lambda found: "train" in states(found, "terminated"))
    assert states(pod, "terminated")["train"]["exitCode"] == 0
    assert [*states(pod, "running")] == [COLLECTOR]
    assert "running" in pod["status"]["initContainerStatuses"][0]["state"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("host-pid", "ShareProcessNamespace and HostPID cannot both be enabled"),
        ("pod-resources", "must be greater than or equal to aggregate container requests"),
    ],
)
def test_kubernetes_rejects_a_pod_that_katibs_container_does_not_fit(stuck: Place, name: str, message: str) -> None:
    def told(found: Any) -> list[str]:
        about = [one for one in found["items"] if one["involvedObject"]["name"].startswith(f"{name}-")]
        return [one["message"] for one in about if message in one["message"]]

    assert told(wait_until("events", stuck.namespace, told, SECONDS))
