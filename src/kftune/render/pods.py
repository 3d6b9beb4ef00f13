"""The parts of a pod that trials and pipeline steps share.

Unless the file says otherwise, security follows the Pod Security Standard *restricted*, on the container and not on the
pod: Katib adds a container to every pod, which runs as root and would not start in a pod that forbids it. The file
system stays writable, because training writes caches and checkpoints; *restricted* does not ask for more.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kftune.errors import RenderError
from kftune.images import PREFIX
from kftune.render.merging import merged
from kftune.render.names import LONGEST_LABEL, object_name
from kftune.render.rendering import present
from kftune.spec.container import ContainerSettings
from kftune.spec.pod import QUEUE_LABEL, SHARED_MEMORY, Affinity, Volume
from kftune.spec.quantities import UNLIMITED

NO_PROXY = {"sidecar.istio.io/inject": "false"}
"""The annotation that keeps Istio's proxy out of a pod: the proxy never ends, so the pod would not either."""
JOB_TYPE_LABEL = "kftune.io/job-type"
"""The label of a step's pods that says what the step is for."""
_DEFAULT_GRACE_SECONDS = 30
_STORAGE = "ephemeral-storage"
MEMORY_VOLUME = "kftune-shared-memory"
"""The volume of /dev/shm."""
_GROUP_LABEL = "app.kubernetes.io/part-of"


def metadata(container: ContainerSettings, group: str) -> dict[str, Any]:
    """Returns the metadata of a pod.

    Args:
        container: The container that runs in it.
        group: The name of the study or pipeline.
    """
    labels = {**container.labels, **(group_labels(group) if _has_neighbours(container) else {})}
    annotations = {**NO_PROXY, **container.annotations}
    return {"labels": labels, "annotations": annotations} if labels else {"annotations": annotations}


def queue_labels(container: ContainerSettings) -> dict[str, str]:
    """Returns the label by which Kueue admits an object: a Job as a whole, or the pod of a step."""
    return {} if container.queue is None else {QUEUE_LABEL: container.queue}


def group_labels(group: str) -> dict[str, str]:
    """Returns the labels by which the pods of a study or pipeline find each other."""
    return {_GROUP_LABEL: object_name(group, LONGEST_LABEL)}


def _has_neighbours(container: ContainerSettings) -> bool:
    affinity = container.affinity
    return affinity.same_node or affinity.spread or bool(container.topology_spread)


def placement(container: ContainerSettings, group: str) -> dict[str, Any]:
    """Returns the fields of a pod spec that say where it runs, as whom, and how long it may take to stop.

    Args:
        container: The container that runs in it.
        group: The name of the study or pipeline.
    """
    spec: dict[str, Any] = {}
    if container.service_account is not None:
        spec["serviceAccountName"] = container.service_account
    if selector := node_selector(container):
        spec["nodeSelector"] = selector
    if tolerated := tolerations(container):
        spec["tolerations"] = tolerated
    if container.grace_period != _DEFAULT_GRACE_SECONDS:
        spec["terminationGracePeriodSeconds"] = math.ceil(container.grace_period)
    if not container.model_fields_set.isdisjoint(_RARE):
        spec |= _rare(container, group)
    return spec


def node_selector(container: ContainerSettings) -> dict[str, str]:
    """Returns the labels that the node must have."""
    resources, spot = container.resources, container.preemption.spot
    product = {} if resources.gpu_type is None else {f"{resources.gpu_resource}.product": resources.gpu_type}
    lost = _SPOT_NODES[spot] if isinstance(spot, str) else {}
    return {**lost, **container.node_selector, **product}


def tolerations(container: ContainerSettings) -> list[dict[str, Any]]:
    """Returns the taints that the pod tolerates."""
    found = [toleration.model_dump(exclude_none=True) for toleration in container.tolerations]
    spot = container.preemption.spot
    if spot is not False:
        taints = [taint for name, taint in _SPOT_TAINTS.items() if spot in (True, name)]
        found += [{"key": key, "operator": "Equal", "value": value, "effect": "NoSchedule"} for key, value in taints]
    return found


# Source: the providers' documentation. EKS and Karpenter set no taint.
_SPOT_NODES = {
    "gke": {"cloud.google.com/gke-spot": "true"},
    "aks": {"kubernetes.azure.com/scalesetpriority": "spot"},
    "eks": {"eks.amazonaws.com/capacityType": "SPOT"},
    "karpenter": {"karpenter.sh/capacity-type": "spot"},
}
_SPOT_TAINTS = {
    "gke": ("cloud.google.com/gke-spot", "true"),
    "aks": ("kubernetes.azure.com/scalesetpriority", "spot"),
}

# The settings that most containers do not have.
_RARE = frozenset(
    {
        "affinity",
        "host_ipc",
        "host_network",
        "image_pull_secrets",
        "priority_class",
        "runtime_class",
        "scheduler",
        "security",
        "topology_spread",
    }
)


def _rare(container: ContainerSettings, group: str) -> dict[str, Any]:
    fs_group = container.security.fs_group
    spec: dict[str, Any] = {
        "priorityClassName": container.priority_class,
        "schedulerName": container.scheduler,
        "runtimeClassName": container.runtime_class,
        "imagePullSecrets": [{"name": name} for name in container.image_pull_secrets],
        "affinity": _affinity(container.affinity, group),
        "topologySpreadConstraints": [
            {
                "maxSkew": spread.max_skew,
                "topologyKey": spread.key,
                "whenUnsatisfiable": "DoNotSchedule" if spread.required else "ScheduleAnyway",
                "labelSelector": {"matchLabels": group_labels(group)},
            }
            for spread in container.topology_spread
        ],
        # OnRootMismatch: a large volume does not change its owner again for every trial.
        "securityContext": {} if fs_group is None else {"fsGroup": fs_group, "fsGroupChangePolicy": "OnRootMismatch"},
    }
    if container.host_network:
        spec |= {"hostNetwork": True, "dnsPolicy": "ClusterFirstWithHostNet"}
    if container.host_ipc:
        spec["hostIPC"] = True
    return present(spec)


def _affinity(given: Affinity, group: str) -> dict[str, Any]:
    """Returns the affinity of a pod.

    Args:
        given: What the study or pipeline asks for.
        group: The name of the study or pipeline.
    """
    term = {"labelSelector": {"matchLabels": group_labels(group)}, "topologyKey": "kubernetes.io/hostname"}
    nodes: dict[str, Any] = {}
    if given.require:
        nodes[_REQUIRED] = {"nodeSelectorTerms": [{"matchExpressions": expressions(given.require)}]}
    if given.prefer:
        nodes[_PREFERRED] = [{"weight": 100, "preference": {"matchExpressions": expressions(given.prefer)}}]
    return present(
        {
            "nodeAffinity": nodes,
            "podAffinity": {_REQUIRED: [term]} if given.same_node else {},
            "podAntiAffinity": {_PREFERRED: [{"weight": 100, "podAffinityTerm": term}]} if given.spread else {},
        }
    )


_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def expressions(required: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """Returns the expressions that match nodes with certain labels."""
    return [{"key": key, "operator": "In", "values": list(values)} for key, values in required.items()]


def with_fragments(
    spec: Mapping[str, Any], container: ContainerSettings, written: Callable[[str, str], str]
) -> dict[str, Any]:
    """Returns the spec of a pod with the parts that the file has in Kubernetes' own words.

    Args:
        spec: The spec; its first container is the one that kftune writes.
        container: The container.
        written: Escapes a text for the target; its second argument says which text it is.

    Raises:
        RenderError: A part changes a volume of kftune.
    """
    patch = fragments(container, written)
    of_container = patch.pop("container")
    made = merged(spec, patch)
    first, *others = made["containers"]
    return {**made, "containers": [merged(first, of_container), *others]}


def fragments(container: ContainerSettings, written: Callable[[str, str], str]) -> dict[str, Any]:
    """Returns the parts of a pod in Kubernetes' own words: fields of the pod, and the container's under ``container``.

    Args:
        container: The container.
        written: Escapes a text for the target; its second argument says which text it is.

    Raises:
        RenderError: A part changes a volume of kftune.
    """
    for volume in container.pod.get("volumes", ()):
        name = volume.get("name", "")
        if name.startswith("kftune-") or any(name == own.name for own in container.volumes):
            raise RenderError(
                f"pod.volumes adds volumes, but {name!r} is a volume that kftune writes; change it in volumes, or "
                f"choose another name"
            )
    return {**_each(container.pod, written, "pod"), "container": _each(container.container, written, "container")}


def _each(value: Any, written: Callable[[str, str], str], which: str) -> Any:
    """Returns a value with all its texts escaped."""
    if isinstance(value, str):
        return written(value, which)
    if isinstance(value, Mapping):
        return {key: _each(inner, written, f"{which}.{key}") for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_each(inner, written, f"{which}[{index}]") for index, inner in enumerate(value)]
    return value


def image(container: ContainerSettings, owner: str, key: str) -> str:
    """Returns the container's image.

    Args:
        container: The container.
        owner: What runs in it, for the error.
        key: The key of the image in the file, for the error.

    Raises:
        RenderError: It has no image, or one of the project that is not resolved: a render reads no lock file.
    """
    if container.image is None:
        raise RenderError(f"a cluster needs an image for {owner}; set {key}, for example registry.example/app:1")
    if container.image.startswith(PREFIX):
        raise RenderError(f"{container.image} is an image of the project; resolve it first with kftune.images.resolve")
    return container.image


def security(container: ContainerSettings) -> dict[str, Any]:
    """Returns the security context of a container."""
    wanted = container.security
    made: dict[str, Any] = {
        "runAsNonRoot": wanted.run_as_non_root,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    if wanted.run_as_user is not None:
        made["runAsUser"] = wanted.run_as_user
    if wanted.run_as_group is not None:
        made["runAsGroup"] = wanted.run_as_group
    if wanted.read_only_root:
        made["readOnlyRootFilesystem"] = True
    if wanted.capabilities.add:
        made["capabilities"] = {"add": list(wanted.capabilities.add), "drop": ["ALL"]}
    return made


def limits(container: ContainerSettings) -> tuple[str | None, str | None]:
    """Returns the limits of CPU and memory: as much as is requested where the study gives no limit.

    With equal requests and limits, other pods never slow the container down.
    """
    wanted = container.resources
    cpu, memory = wanted.cpu_limit or wanted.cpu, wanted.memory_limit or wanted.memory
    return None if cpu == UNLIMITED else cpu, None if memory == UNLIMITED else memory


def resources(container: ContainerSettings) -> dict[str, Any]:
    """Returns the container's requests and limits."""
    wanted = container.resources
    requests: dict[str, str] = {}
    most: dict[str, str] = {}
    for name, amount, limit in zip(("cpu", "memory"), (wanted.cpu, wanted.memory), limits(container), strict=True):
        if amount is not None:
            requests[name] = amount
        if limit is not None:
            most[name] = limit
    if wanted.ephemeral_storage is not None:
        requests[_STORAGE] = most[_STORAGE] = wanted.ephemeral_storage
    if wanted.gpu:
        requests[wanted.gpu_resource] = most[wanted.gpu_resource] = str(wanted.gpu)
    for name, amount in wanted.extra.items():
        requests[name] = most[name] = amount
    return {**({"requests": requests} if requests else {}), **({"limits": most} if most else {})}


def environment(container: ContainerSettings, written: Callable[[str, str], str]) -> list[dict[str, Any]]:
    """Returns the environment variables: plain values, and values from Secrets and ConfigMaps.

    Args:
        container: The container.
        written: Escapes a plain value for the target; its second argument says which value it is.
    """
    variables: list[dict[str, Any]] = [
        {"name": name, "value": written(value, f"env.{name}")} for name, value in container.env.items()
    ]
    for kind, entries in (("secretKeyRef", container.secrets), ("configMapKeyRef", container.config_maps)):
        for name, entry in entries.items():
            variables.append({"name": name, "valueFrom": {kind: {"name": entry.name, "key": entry.key}}})
    return variables


def volumes(container: ContainerSettings) -> list[dict[str, Any]]:
    """Returns the volumes of the pod."""
    made = [{"name": volume.name, **_source(volume)} for volume in container.volumes]
    if container.shared_memory is not None:
        made.append({"name": MEMORY_VOLUME, "emptyDir": {"medium": "Memory", "sizeLimit": container.shared_memory}})
    return made


def mounts(container: ContainerSettings) -> list[dict[str, Any]]:
    """Returns the volume mounts of the container.

    Raises:
        RenderError: Two volumes have the same path, a path holds ':', or a name is in use.
    """
    if not container.volumes and container.shared_memory is None:
        return []
    counts = Counter(path_of(volume) for volume in container.volumes)
    for volume in container.volumes:
        if counts[path_of(volume)] > 1 or ":" in volume.mount:
            raise RenderError(
                f"each volume needs its own path without ':', but volume {volume.name!r} has {volume.mount!r}"
            )
    made = [_mount(volume) for volume in container.volumes]
    if container.shared_memory is not None:
        if MEMORY_VOLUME in {volume.name for volume in container.volumes}:
            raise RenderError(f"kftune names the volume of shared_memory {MEMORY_VOLUME!r}; choose another name")
        made.append({"name": MEMORY_VOLUME, "mountPath": SHARED_MEMORY})
    return made


def path_of(volume: Volume) -> str:
    """Returns the path at which a volume is mounted, without a slash at its end."""
    return volume.mount.rstrip("/")


def _mount(volume: Volume) -> dict[str, Any]:
    made: dict[str, Any] = {"name": volume.name, "mountPath": volume.mount}
    if volume.sub_path is not None:
        made["subPath"] = volume.sub_path
    if volume.read_only:
        made["readOnly"] = True
    return made


def _source(volume: Volume) -> dict[str, Any]:
    read_only = {"readOnly": True} if volume.read_only else {}
    if volume.claim is not None:
        return {"persistentVolumeClaim": {"claimName": volume.claim, **read_only}}
    if volume.config_map is not None:
        return {"configMap": {"name": volume.config_map}}
    if volume.secret is not None:
        return {"secret": {"secretName": volume.secret}}
    if volume.csi is not None:
        csi = volume.csi
        secret = {} if csi.secret is None else {"nodePublishSecretRef": {"name": csi.secret}}
        attributes = {"volumeAttributes": dict(csi.attributes)} if csi.attributes else {}
        return {"csi": {"driver": csi.driver, **attributes, **secret, **read_only}}
    if volume.ephemeral is not None:
        claim = volume.ephemeral
        spec = {"accessModes": [claim.access], "resources": {"requests": {"storage": claim.size}}}
        named = {} if claim.storage_class is None else {"storageClassName": claim.storage_class}
        return {"ephemeral": {"volumeClaimTemplate": {"spec": {**spec, **named}}}}
    return {"emptyDir": {} if volume.size_limit is None else {"sizeLimit": volume.size_limit}}
