"""Reads what a trial's object runs: its primary container."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, NamedTuple

from kftune.errors import RunError
from kftune.katib.go.names import is_dns_label
from kftune.katib.go.quantity import parse
from kftune.katib.go.unstructured import as_map
from kftune.katib.pod.checks import is_below
from kftune.katib.trial.kubelet import expanded

_REPLICAS = {"PyTorchJob": "pytorchReplicaSpecs", "TFJob": "tfReplicaSpecs", "XGBoostJob": "xgbReplicaSpecs"}
_NEEDED = {
    "Workflow": "Argo's controller runs its steps; to search here, make the training step a Job",
    "PipelineRun": "Tekton's controller runs its tasks; to search here, make the training task a Job",
    "MPIJob": "its launcher starts workers over MPI; with one worker, the same command runs as a Job",
}
_NODES = re.compile(r"(--nnodes[= ])[0-9]+(?::[0-9]+)?")
_REPLICA_TYPE = "training.kubeflow.org/replica-type"
_GPU = re.compile(r"[\w.-]+/gpu|[\w.-]+/mig-[\w.-]+")
# A Job has no bound for pods that are lost with their node; here one that is ended over and over must not hang a run.
_LOST_RETRIES = 3


class PodMount(NamedTuple):
    """A volume under a path."""

    volume: str
    path: str
    kind: str
    """What it is: emptyDir, persistentVolumeClaim, …"""
    source: Mapping[str, Any]
    """What the volume says of itself."""
    sub_path: str
    read_only: bool

    @property
    def in_memory(self) -> bool:
        """Whether it is an empty folder in memory."""
        return self.kind == "emptyDir" and self.source.get("medium") == "Memory"


@dataclass(frozen=True, kw_only=True, slots=True)
class TrialPod:
    """What one trial runs.

    Attributes:
        container: Name of the primary container.
        image: Its image; empty for none.
        command: Its command; empty leaves the image's.
        args: Its arguments.
        env: Its variables, as the object has them.
        env_from: The objects that give further variables.
        working_dir: Its working folder; empty leaves the image's.
        limits: What it may use, as the object has it.
        mounts: Its volumes.
        user: User and group by number; None takes the image's.
        read_only: Whether its file system is read-only.
        deadline: The longest that the trial may run, in seconds; None for any time.
        grace: Seconds between the request to stop and the kill.
        others: Names of the other containers.
        retries: How often a cluster would start a failed trial again.
        lost_retries: How often a trial that is ended from outside starts again here.
        replicas: What a trial of several pods has on a cluster, and what of it runs here; empty for one of one pod.
    """

    container: str
    image: str
    command: tuple[str, ...]
    args: tuple[str, ...]
    env: tuple[Mapping[str, Any], ...]
    env_from: tuple[Mapping[str, Any], ...]
    working_dir: str
    limits: Mapping[str, Any]
    mounts: tuple[PodMount, ...]
    user: tuple[int, int] | None
    read_only: bool
    deadline: float | None = None
    grace: float = 30.0
    others: tuple[str, ...] = ()
    retries: int = 0
    lost_retries: int = 0
    replicas: str = ""

    @property
    def gpus(self) -> int:
        """Accelerators that the container asks for."""
        amounts = (parse(str(amount)) for name, amount in self.limits.items() if _GPU.fullmatch(name))
        return int(sum(amount for amount in amounts if amount is not None))


def pod_of(run: Mapping[str, Any], primary: str, labels: Mapping[str, str] = MappingProxyType({})) -> TrialPod:
    """Returns the primary container of a trial's object. Of several replicas, it is the one that reports metrics.

    Args:
        run: The object, with its placeholders replaced.
        primary: The template's primaryContainerName.
        labels: The template's primaryPodLabels.

    Raises:
        RunError: One machine cannot run such an object.
    """
    kind = str(run.get("kind"))
    spec = as_map(run.get("spec"))
    if kind == "Job":
        counts = {name: spec[name] for name in ("parallelism", "completions") if spec.get(name) is not None}
        pod = _from_template(as_map(spec.get("template")), primary, spec, spec.get("backoffLimit", 6))
        replicas = _several("spec.parallelism or spec.completions", counts)
        return replace(pod, replicas=replicas, lost_retries=_LOST_RETRIES if _survives_loss(spec) else 0)
    if kind in _REPLICAS:
        field = _REPLICAS[kind]
        return _from_replicas(field, as_map(spec.get(field)), primary, labels, as_map(spec.get("runPolicy")))
    if kind == "TrainJob":
        return _from_trainer(spec, primary)
    needed = _NEEDED.get(kind, "only Job, PyTorchJob, TFJob, XGBoostJob and TrainJob run here")
    raise RunError(f"a {kind} of {run.get('apiVersion')} is not run locally: {needed}")


def _survives_loss(job: Mapping[str, Any]) -> bool:
    """Whether a Job starts its pod again when a node is lost, although it does not when the program fails."""
    rules = [as_map(rule) for rule in as_map(job.get("podFailurePolicy")).get("rules") or ()]
    # The first rule that fits a pod decides.
    return next((rule.get("action") == "Ignore" for rule in rules if _is_of_lost_nodes(rule)), False)


def _is_of_lost_nodes(rule: Mapping[str, Any]) -> bool:
    conditions = [as_map(condition) for condition in rule.get("onPodConditions") or ()]
    return any(each.get("type") == "DisruptionTarget" and each.get("status", "True") == "True" for each in conditions)


def _several(what: str, counts: Mapping[str, object]) -> str:
    """Returns the numbers that make a trial of several pods, as text; empty if each is 1.

    Raises:
        RunError: One is 0.
    """
    if 0 in counts.values():
        raise RunError(f"a trial needs a pod, but {what} is 0; set it to 1")
    return "" if all(count == 1 for count in counts.values()) else _listed(counts)


def _listed(counts: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def _from_replicas(
    field: str, specs: Mapping[str, Any], primary: str, labels: Mapping[str, str], policy: Mapping[str, Any]
) -> TrialPod:
    """Returns the container of the replica that reports metrics: that of the labels, or the one that leads."""
    counts = {name: 1 if (count := as_map(each).get("replicas")) is None else count for name, each in specs.items()}
    counts = {name: count for name, count in counts.items() if count != 0}
    if not counts:
        raise RunError(f"a trial needs a pod, but spec.{field} has no replica; set the replicas of one to 1")
    leaders = [str(labels.get(_REPLICA_TYPE, "")).lower(), "master", "chief", "worker"]
    chosen = min(counts, key=lambda name: [*leaders, name.lower()].index(name.lower()))
    template = as_map(as_map(specs[chosen]).get("template"))
    pod = _from_template(template, primary, policy, policy.get("backoffLimit", 0))
    if counts == {chosen: 1}:
        return pod
    return _on_one_node(replace(pod, replicas=f"{_listed(counts)} ({chosen} runs here)"))


def _on_one_node(pod: TrialPod) -> TrialPod:
    """Returns a pod whose torchrun does not wait for nodes that do not run here."""
    command, args = ([_NODES.sub(r"\g<1>1", word) for word in words] for words in (pod.command, pod.args))
    return replace(pod, command=tuple(command), args=tuple(args))


def _from_template(template: Mapping[str, Any], primary: str, policy: Mapping[str, Any], retries: Any) -> TrialPod:
    spec = as_map(template.get("spec"))
    containers = [as_map(container) for container in spec.get("containers") or ()]
    found = next((container for container in containers if container.get("name") == primary), None)
    if found is None:
        names = ", ".join(str(container.get("name")) for container in containers) or "none"
        raise RunError(
            f"primaryContainerName is {primary!r}, but the trial's containers are: {names}; give one of them"
        )
    others = (*spec.get("initContainers", ()), *(container for container in containers if container is not found))
    deadlines = [policy.get("activeDeadlineSeconds"), spec.get("activeDeadlineSeconds")]
    return _pod(
        found,
        {str(as_map(volume).get("name")): as_map(volume) for volume in spec.get("volumes") or ()},
        as_map(spec.get("securityContext")),
        deadline=min((float(seconds) for seconds in deadlines if seconds is not None), default=None),
        grace=float(spec.get("terminationGracePeriodSeconds") or 30),
        others=tuple(str(as_map(container).get("name")) for container in others),
        retries=int(retries or 0),
    )


def _from_trainer(spec: Mapping[str, Any], primary: str) -> TrialPod:
    trainer = as_map(spec.get("trainer"))
    nodes = _several("spec.trainer.numNodes", {"numNodes": trainer.get("numNodes", 1)})
    if not trainer.get("command"):
        raise RunError(
            "a TrainJob without spec.trainer.command runs what its runtime says, which only the cluster knows; give "
            "the command in the template"
        )
    resources = {"limits": as_map(as_map(trainer.get("resourcesPerNode")).get("limits"))}
    container = {**trainer, "name": primary, "resources": resources}
    deadline = spec.get("activeDeadlineSeconds")
    pod = _pod(container, {}, {}, deadline=None if deadline is None else float(deadline), replicas=nodes)
    return _on_one_node(pod) if nodes else pod


def _pod(
    container: Mapping[str, Any],
    volumes: Mapping[str, Mapping[str, Any]],
    security: Mapping[str, Any],
    **of_object: Any,
) -> TrialPod:
    own = as_map(container.get("securityContext"))
    return TrialPod(
        container=str(container.get("name")),
        image=str(container.get("image", "")),
        command=tuple(map(str, container.get("command") or ())),
        args=tuple(map(str, container.get("args") or ())),
        env=tuple(map(as_map, container.get("env") or ())),
        env_from=tuple(map(as_map, container.get("envFrom") or ())),
        working_dir=str(container.get("workingDir") or ""),
        limits=as_map(as_map(container.get("resources")).get("limits")),
        mounts=tuple(_mount(as_map(mount), volumes) for mount in container.get("volumeMounts") or ()),
        user=_user(own, security),
        read_only=bool(own.get("readOnlyRootFilesystem")),
        **of_object,
    )


def _mount(mount: Mapping[str, Any], volumes: Mapping[str, Mapping[str, Any]]) -> PodMount:
    name, sub_path = str(mount.get("name")), str(mount.get("subPath") or "")
    if not is_dns_label(name):
        raise RunError(
            f"a volume's name is lower-case letters, digits and '-', but is {name[:80]!r}; a cluster refuses it too"
        )
    if not is_below(sub_path):
        raise RunError(
            f"the subPath of the volume {name} must be a relative path without '..', but is {sub_path[:80]!r}; a "
            f"cluster refuses it too"
        )
    volume = volumes.get(name, {})
    kind = next((key for key in volume if key != "name"), "unknown")
    return PodMount(
        volume=name,
        path=str(mount.get("mountPath", "")).rstrip("/"),
        kind=kind,
        source=as_map(volume.get(kind)),
        sub_path=sub_path,
        read_only=bool(mount.get("readOnly")),
    )


def _user(own: Mapping[str, Any], of_pod: Mapping[str, Any]) -> tuple[int, int] | None:
    user = own.get("runAsUser", of_pod.get("runAsUser"))
    if user is None:
        return None
    return int(user), int(own.get("runAsGroup", of_pod.get("runAsGroup", user)))


# -- variables -----------------------------------------------------------------------------------------------------


class Known(NamedTuple):
    """Where a container's variables come from."""

    given: Mapping[str, str]
    """Variables that the user gave; they replace all others."""
    config_maps: Mapping[str, Mapping[str, str]]
    """Name -> data, of the Experiment's namespace."""
    fields: Mapping[str, str]
    """Field path -> text, of the trial's pod."""


def environment(pod: TrialPod, known: Known) -> dict[str, str]:
    """Returns the variables of the container.

    Args:
        pod: What the trial runs.
        known: Where values come from.

    Raises:
        RunError: A value is known on the cluster only.
    """
    found: dict[str, str] = {}
    for source in pod.env_from:
        found.update(_all_of(source, known))
    for variable in pod.env:
        name = str(variable.get("name"))
        value = known.given.get(name)
        if value is None and "valueFrom" in variable:
            value = _fetched(name, as_map(variable["valueFrom"]), known)
        elif value is None:
            value = expanded(str(variable.get("value") or ""), found)
        if value is not None:
            found[name] = value
    return {**found, **known.given}


def unknown_sources(pod: TrialPod, known: Known) -> list[str]:
    """Returns the Secrets and ConfigMaps with variables that only the cluster knows.

    Args:
        pod: What the trial runs.
        known: Where values come from.
    """
    found = []
    for source in pod.env_from:
        secret, config_map = as_map(source.get("secretRef")), as_map(source.get("configMapRef"))
        if secret:
            found.append(f"Secret {secret.get('name')}")
        elif config_map.get("name") not in known.config_maps:
            found.append(f"ConfigMap {config_map.get('name')}")
    return found


def _all_of(source: Mapping[str, Any], known: Known) -> dict[str, str]:
    data = known.config_maps.get(str(as_map(source.get("configMapRef")).get("name")), {})
    return {f"{source.get('prefix') or ''}{key}": text for key, text in data.items()}


def _fetched(name: str, source: Mapping[str, Any], known: Known) -> str | None:
    field = str(as_map(source.get("fieldRef")).get("fieldPath"))
    if field in known.fields:
        return known.fields[field]
    reference = as_map(source.get("configMapKeyRef"))
    data = known.config_maps.get(str(reference.get("name")), {})
    if reference.get("key") in data:
        return data[str(reference["key"])]
    if any(as_map(part).get("optional") for part in source.values()):
        return None
    what = next(iter(source), "nothing")
    raise RunError(
        f"the variable {name} comes from the cluster ({what}), and is not known here; take it from the environment "
        f"(--secret {name}), or give --env {name}=..."
    )


def moved(places: Mapping[str, str], above: Mapping[str, str]) -> Callable[[str], str]:
    """Makes the function that replaces paths of the container in a text by paths of this machine.

    Args:
        places: Path in the container -> path here, for the path and everything below; the longest match wins.
        above: The same for a path alone, without what is below.
    """
    if not places and not above:
        return lambda text: text
    whole = [rf"(?:{_any_of(places)})(?![\w.-])"] if places else []
    alone = [rf"(?:{_any_of(above)})(?!/?[\w.-])"] if above else []
    pattern = re.compile(rf"(?<![\w./-])(?:{'|'.join((*whole, *alone))})")
    known = {**above, **places}
    return lambda text: pattern.sub(lambda match: known[match[0]], text)


def _any_of(paths: Iterable[str]) -> str:
    return "|".join(re.escape(path) for path in sorted(paths, key=len, reverse=True))
