"""What a server says of pods with many settings: strictly, in namespaces with rules, and next to its own merge."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cluster_run import apply_command, kubectl, missing_for_a_run, own_namespace
from e2e_pod_admission import Templates, admitted, fragments, pod_of, standard_namespaces
from e2e_rendered import Rendered
from golden_renders import GOLDEN, VARIANTS
from pod_standards import CASES, STANDARDS, container_of

from kftune import yaml_text
from kftune.render.merging import merged
from kftune.render.pod_notes import least_strict_standard
from kftune.spec.container import ContainerSettings

LACKING = missing_for_a_run(os.environ)
pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(LACKING is not None, reason=str(LACKING)),
    pytest.mark.timeout(300),
]
MERGES = 60
STUDIES = [name for name in VARIANTS if name.startswith("study")]
GIVEN_TO_A_CLUSTER = [name for name in VARIANTS if "kfp" not in name]
PODS = {f"case-{number}": name for number, name in enumerate(CASES)}
QUOTA = {"requests.cpu": "4", "requests.memory": "4Gi", "limits.cpu": "4", "limits.memory": "4Gi"}
RESOURCES = {
    "none": {},
    "with-requests-alone": {"cpu": "1", "cpu_limit": "none", "memory": "1Gi", "memory_limit": "none"},
    "cpu-alone": {"cpu": "1"},
    "whole": {"cpu": "1", "memory": "1Gi"},
    "limits-of-their-own": {"cpu": "1", "cpu_limit": "2", "memory": "1Gi", "memory_limit": "2Gi"},
    "too-much": {"cpu": "8", "memory": "1Gi"},
}


@pytest.fixture(scope="module")
def namespace() -> Iterator[str]:
    with own_namespace("dry") as name:
        yield name


def golden(name: str, namespace: str) -> str:
    text = (GOLDEN / "renders" / f"{name}.yaml").read_text(encoding="utf-8")
    return Rendered(name, text).moved(namespace).text


@pytest.mark.parametrize("name", GIVEN_TO_A_CLUSTER)
def test_the_server_takes_every_setting_of_a_pod_strictly(name: str, namespace: str) -> None:
    kubectl(apply_command(dry_run=True), golden(name, namespace))


@pytest.mark.parametrize("name", STUDIES)
def test_the_server_takes_the_object_of_a_trial_with_every_setting_strictly(name: str, namespace: str) -> None:
    experiment: Any = yaml_text.load(golden(name, namespace))
    trial = experiment["spec"]["trialTemplate"]["trialSpec"]
    trial["metadata"] |= {"name": "golden", "namespace": namespace}
    kubectl(apply_command(dry_run=True), yaml_text.dump(trial))


def test_a_server_admits_a_pod_where_its_notes_say_so(record_property: Callable[[str, Any], None]) -> None:
    given = [pod_of(pod, container_of(name)) for pod, name in PODS.items()]
    record_property("pods", len(given) * len(STANDARDS))
    needed = {pod: least_strict_standard(container_of(name))[0] for pod, name in PODS.items()}
    with standard_namespaces(STANDARDS) as spaces:
        # A server may be set up so that no container is privileged.
        possible = admitted(spaces["privileged"], given, "disallowed by cluster policy")
        reasons = ("violates PodSecurity", "disallowed by cluster policy")
        restricted, baseline = (admitted(spaces[name], given, *reasons) for name in ("restricted", "baseline"))
    assert len(possible) > len(PODS) - 3
    assert {PODS[pod] for pod in restricted} == {PODS[pod] for pod in possible if needed[pod] == "restricted"}
    assert {PODS[pod] for pod in baseline} == {PODS[pod] for pod in possible if needed[pod] != "privileged"}


def pods_with_resources() -> list[dict[str, Any]]:
    image = "registry.example/train:1"
    settings = {
        name: ContainerSettings.model_validate({"image": image, "resources": wanted})
        for name, wanted in RESOURCES.items()
    }
    return [pod_of(name, container) for name, container in settings.items()]


def limited(namespace: str, kind: str, spec: dict[str, Any]) -> str:
    metadata = {"name": "limits", "namespace": namespace}
    return json.dumps({"apiVersion": "v1", "kind": kind, "metadata": metadata, "spec": spec})


def test_a_quota_takes_pods_with_requests_and_limits_below_it() -> None:
    with standard_namespaces(["restricted"]) as spaces:
        namespace = spaces["restricted"]
        kubectl(apply_command(dry_run=False), limited(namespace, "ResourceQuota", {"hard": QUOTA}))
        assert admitted(namespace, pods_with_resources(), "quota") == {"whole", "limits-of-their-own"}


def test_a_limit_range_gives_a_quota_what_a_pod_does_not_say() -> None:
    with standard_namespaces(["restricted"]) as spaces:
        namespace = spaces["restricted"]
        kubectl(apply_command(dry_run=False), limited(namespace, "ResourceQuota", {"hard": QUOTA}))
        amounts = {"default": {"cpu": "2", "memory": "2Gi"}, "max": {"cpu": "4", "memory": "4Gi"}}
        limits = {"limits": [{"type": "Container", **amounts}]}
        kubectl(apply_command(dry_run=False), limited(namespace, "LimitRange", limits))
        assert admitted(namespace, pods_with_resources(), "maximum cpu usage per Container") == {*RESOURCES} - {
            "too-much"
        }


def test_a_fragment_makes_the_pod_that_the_server_s_own_merge_makes(
    namespace: str, record_property: Callable[[str, Any], None]
) -> None:
    experiment: Any = yaml_text.load(golden("study.job", namespace))
    spec = experiment["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]
    (first,) = spec["containers"]
    templates = Templates(namespace)
    assert templates.store(spec).taken
    answers = [
        (
            templates.create({**merged(spec, of_pod), "containers": [merged(first, of_container)]}),
            templates.merge({**of_pod, "containers": [{"name": first["name"], **of_container}]}),
        )
        for of_pod, of_container in fragments(MERGES)
    ]
    record_property("accepted", sum(theirs.taken for _, theirs in answers))
    assert [ours.taken for ours, _ in answers] == [theirs.taken for _, theirs in answers]
    assert [ours.content for ours, _ in answers if ours.taken] == [
        theirs.content for _, theirs in answers if theirs.taken
    ]
    assert sum(theirs.taken for _, theirs in answers) > MERGES // 2
