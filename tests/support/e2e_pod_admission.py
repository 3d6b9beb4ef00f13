"""Pods that a cluster judges and does not start: as kftune builds them, and as the server's own merge would."""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import kubernetes
from cluster_run import apply_command, kubectl, removed_at_end, unused_name, wait_until

from kftune import yaml_text
from kftune.render import pods
from kftune.spec.container import ContainerSettings

SECONDS = 60


@contextmanager
def standard_namespaces(standards: Sequence[str]) -> Iterator[dict[str, str]]:
    """Makes a namespace for each Pod Security Standard.

    Args:
        standards: The standards.
    """
    named = {standard: unused_name(standard) for standard in standards}
    spaces = [
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": name, "labels": {"pod-security.kubernetes.io/enforce": standard}},
        }
        for standard, name in named.items()
    ]
    with removed_at_end(*named.values()):
        kubectl(apply_command(dry_run=False), yaml_text.dump_all(spaces))
        for name in named.values():
            _await_account(name)
        yield named


def _await_account(namespace: str) -> None:
    """Waits until the server takes pods in a new namespace: each needs the namespace's account."""
    wait_until("serviceaccounts", namespace, lambda found: found["items"], SECONDS)


def pod_of(name: str, container: ContainerSettings) -> dict[str, Any]:
    """Returns the pod of a container, as the targets build it.

    Args:
        name: Its name.
        container: The container.
    """
    first = {
        "name": "train",
        "image": container.image,
        "resources": pods.resources(container),
        "volumeMounts": pods.mounts(container),
        "securityContext": pods.security(container),
    }
    spec = {**pods.placement(container, name), "restartPolicy": "Never", "containers": [first]}
    spec["volumes"] = pods.volumes(container)
    metadata = {"name": name, **pods.metadata(container, name)}
    whole = pods.with_fragments(spec, container, lambda text, _: text)
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": whole}


def admitted(namespace: str, given: Sequence[dict[str, Any]], *reasons: str) -> set[str]:
    """Returns the names of the pods that a namespace takes. None is created.

    Args:
        namespace: The namespace.
        given: Pods with different names.
        reasons: One of them must stand in what the server says of each of the others.
    """
    command = ["kubectl", "create", f"--namespace={namespace}", "--dry-run=server", "--validate=strict", "-o", "name"]
    text = yaml_text.dump_all(given)
    done = subprocess.run([*command, "-f", "-"], input=text, capture_output=True, text=True, check=False)
    taken = {line.removeprefix("pod/") for line in done.stdout.splitlines()}
    refused = [line for line in done.stderr.splitlines() if not line.startswith("Warning:")]
    assert [line for line in refused if not any(reason in line for reason in reasons)] == []
    assert len(refused) == len(given) - len(taken)
    return taken


# -- merges ------------------------------------------------------------------------------------------------------------


class Answer(NamedTuple):
    """What the server says of an object that it does not store."""

    taken: bool
    content: Any
    """The pod's spec as it would be stored, or the server's words."""


class Templates:
    """Asks the server about pod templates."""

    def __init__(self, namespace: str) -> None:
        self._client = kubernetes.config.new_client_from_config()
        self._path = f"/api/v1/namespaces/{namespace}/podtemplates"

    def store(self, spec: Mapping[str, Any]) -> Answer:
        """Stores a pod as ``base``."""
        return self._ask("POST", self._path, _template("base", spec), "application/json", dry_run=False)

    def create(self, spec: Mapping[str, Any]) -> Answer:
        """Returns what the server says of a pod."""
        return self._ask("POST", self._path, _template("other", spec), "application/json")

    def merge(self, patch: Mapping[str, Any]) -> Answer:
        """Returns what the server's strategic merge makes of the pod that is stored as ``base``."""
        body = {"template": {"spec": patch}}
        return self._ask("PATCH", f"{self._path}/base", body, "application/strategic-merge-patch+json")

    def _ask(self, method: str, path: str, body: Any, kind: str, *, dry_run: bool = True) -> Answer:
        query = [("fieldValidation", "Strict"), *([("dryRun", "All")] if dry_run else [])]
        try:
            found, *_ = self._client.call_api(
                path,
                method,
                query_params=query,
                header_params={"Content-Type": kind, "Accept": "application/json"},
                body=body,
                response_type="object",
                auth_settings=["BearerToken"],
            )
        except kubernetes.client.ApiException as error:
            return Answer(False, json.loads(error.body)["message"])
        return Answer(True, found["template"]["spec"])


def _template(name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": name}, "template": {"spec": spec}}


def fragments(count: int) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yields fragments of a pod and of its container, the same each time; few are invalid.

    Args:
        count: How many.
    """
    rng = random.Random(14)
    for _ in range(count):
        yield _some(_OF_PODS, rng), _some(_OF_CONTAINERS, rng)


def _some(parts: Sequence[Mapping[str, Any]], rng: random.Random) -> dict[str, Any]:
    chosen = rng.sample(parts, rng.randint(0, 4))
    return {name: value for part in chosen for name, value in part.items()}


_MORE = {"name": "more", "emptyDir": {}}
_HELPER = {"name": "helper", "image": "registry.example/helper:1"}
_OF_PODS: Sequence[Mapping[str, Any]] = (
    {"hostAliases": [{"ip": "10.0.0.1", "hostnames": ["db", "cache"]}]},
    {"hostAliases": [{"ip": "10.0.0.9", "hostnames": ["other"]}]},
    {"enableServiceLinks": None},
    {"shareProcessNamespace": True},
    {"dnsPolicy": "None", "dnsConfig": {"nameservers": ["10.0.0.2"]}},
    {"dnsConfig": {"options": [{"name": "ndots", "value": "1"}]}},
    {"tolerations": [{"key": "a", "operator": "Exists"}]},
    {"tolerations": None},
    {"nodeSelector": {"disk": "ssd"}},
    {"nodeSelector": {"pool": None, "disk": "hdd"}},
    {"nodeSelector": None},
    {"imagePullSecrets": [{"name": "second"}, {"name": "registry"}]},
    {"volumes": [_MORE]},
    {"volumes": [_MORE, {"name": "node", "hostPath": {"path": "/data"}}]},
    {"initContainers": [_HELPER]},
    {"initContainers": [{**_HELPER, "restartPolicy": "Always"}, {**_HELPER, "name": "other"}]},
    {"securityContext": {"fsGroup": 7, "supplementalGroups": [44, 109]}},
    {"securityContext": {"fsGroupChangePolicy": None}},
    {"securityContext": None},
    {"affinity": {"podAffinity": None, "nodeAffinity": None}},
    {"affinity": None},
    {
        "topologySpreadConstraints": [
            {"topologyKey": "rack", "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule"},
            {"topologyKey": "topology.kubernetes.io/zone", "maxSkew": 1, "whenUnsatisfiable": "ScheduleAnyway"},
        ]
    },
    {"topologySpreadConstraints": None},
    {"priorityClassName": None},
    {"terminationGracePeriodSeconds": 7},
    {"hostIPC": None, "hostNetwork": None},
    {"hostname": "trainer", "subdomain": "pods", "setHostnameAsFQDN": True},
    {"resources": {"limits": {"cpu": "64", "memory": "256Gi"}, "requests": {"cpu": "64", "memory": "256Gi"}}},
    {"hostUsers": True},
    {"schedulingGates": [{"name": "example.com/gate"}]},
    {"runtimeClassName": "not a name"},
    {"tolerations": [{"key": "a", "operator": "Equals"}]},
)
_OF_CONTAINERS: Sequence[Mapping[str, Any]] = (
    {"env": [{"name": "NCCL_DEBUG", "value": "WARN"}]},
    {"env": [{"name": "FIRST", "value": "1"}, {"name": "TOKEN", "valueFrom": None, "value": "x"}]},
    {"env": [{"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]},
    {"envFrom": [{"secretRef": {"name": "all"}}]},
    {"ports": [{"containerPort": 29500, "name": "ranks"}]},
    {"lifecycle": None},
    {"lifecycle": {"preStop": {"exec": None, "sleep": {"seconds": 5}}}},
    {"livenessProbe": {"exec": {"command": ["true"]}, "periodSeconds": 60}},
    {"securityContext": {"allowPrivilegeEscalation": True, "runAsUser": 0, "runAsNonRoot": False}},
    {"securityContext": {"procMount": None, "capabilities": {"add": ["SYS_PTRACE"]}}},
    {"securityContext": {"capabilities": {"drop": None}}},
    {"securityContext": None},
    {"resources": {"limits": {"nvidia.com/gpu": "3"}, "requests": {"nvidia.com/gpu": "3"}}},
    {"resources": {"limits": {"memory": "1Gi"}}},
    {"volumeMounts": [{"name": "notes", "mountPath": "/more"}]},
    {"volumeMounts": [{"name": "data", "mountPath": "/data", "subPath": "other"}, {"name": "tmp", "mountPath": "/t"}]},
    {"volumeMounts": [{"name": "missing", "mountPath": "/missing"}]},
    {"terminationMessagePolicy": "FallbackToLogsOnError"},
    {"imagePullPolicy": None},
    {"workingDir": "/elsewhere"},
    {"stdin": True, "tty": True},
)
