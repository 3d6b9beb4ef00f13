"""What a trial's object asks to be run: its primary container, as far as one machine can do that."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from kftune.errors import RunError
from kftune.katib.go.quantity import parse
from kftune.katib.trial.kubelet import expanded

_REPLICAS = {
    "PyTorchJob": "pytorchReplicaSpecs",
    "TFJob": "tfReplicaSpecs",
    "XGBoostJob": "xgbReplicaSpecs",
}
_NEEDED = {
    "Workflow": "Argo's controller runs its steps; to search here, make the training step a Job",
    "PipelineRun": "Tekton's controller runs its tasks; to search here, make the training task a Job",
    "MPIJob": "its launcher starts workers over MPI; with one worker, the same command runs as a Job",
}
_GPU = re.compile(r"[\w.-]+/gpu|[\w.-]+/mig-[\w.-]+")
_GRACE = 30.0


class Mount(NamedTuple):
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


class Pod(NamedTuple):
    """What one trial runs."""

    container: str
    image: str
    command: tuple[str, ...]
    args: tuple[str, ...]
    env: tuple[Mapping[str, Any], ...]
    env_from: tuple[Mapping[str, Any], ...]
    working_dir: str
    limits: Mapping[str, Any]
    mounts: tuple[Mount, ...]
    deadline: float | None
    """Seconds."""
    grace: float
    """Seconds between the request to stop and the kill."""
    others: tuple[str, ...]
    """Containers beside the primary one."""
    retries: int
    """How often a cluster would start a failed trial again."""
    user: tuple[int, int] | None
    """User and group by number, where the template says so."""
    read_only: bool
    """Whether its file system is read-only."""

    @property
    def gpus(self) -> int:
        """Accelerators that the container asks for."""
        amounts = (parse(str(amount)) for name, amount in self.limits.items() if _GPU.fullmatch(name))
        return int(sum(amount for amount in amounts if amount is not None))


def pod_of(run: Mapping[str, Any], primary: str) -> Pod:
    """The primary container of a trial's object.

    Args:
        run: The object, placeholders replaced.
        primary: The template's primaryContainerName.

    Raises:
        RunError: One machine cannot run such an object.
    """
    kind = str(run.get("kind"))
    spec = _map(run.get("spec"))
    if kind == "Job":
        _one("spec.parallelism", spec.get("parallelism", 1))
        _one("spec.completions", spec.get("completions", 1))
        return _from_template(_map(spec.get("template")), primary, spec, spec.get("backoffLimit", 6))
    if kind in _REPLICAS:
        field = _REPLICAS[kind]
        replicas = _map(spec.get(field))
        count = sum(int(_map(replica).get("replicas", 1) or 0) for replica in replicas.values())
        _one(f"the replicas in spec.{field}", count)
        only = next(_map(replica) for replica in replicas.values() if _map(replica).get("replicas", 1))
        policy = _map(spec.get("runPolicy"))
        return _from_template(_map(only.get("template")), primary, policy, policy.get("backoffLimit", 0))
    if kind == "TrainJob":
        return _from_trainer(spec, primary)
    needed = _NEEDED.get(kind, "here run Job, PyTorchJob, TFJob, XGBoostJob and TrainJob, each with one replica")
    raise RunError(f"a {kind} of {run.get('apiVersion')} is not run locally: {needed}")


def _one(what: str, count: object) -> None:
    if count != 1:
        raise RunError(
            f"a trial of one replica runs here, but {what} make {count}; set them to 1, or run it on a cluster"
        )


def _from_template(template: Mapping[str, Any], primary: str, policy: Mapping[str, Any], retries: Any) -> Pod:
    spec = _map(template.get("spec"))
    containers = [_map(container) for container in spec.get("containers") or ()]
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
        {str(_map(volume).get("name")): _map(volume) for volume in spec.get("volumes") or ()},
        min((float(seconds) for seconds in deadlines if seconds is not None), default=None),
        float(spec.get("terminationGracePeriodSeconds") or _GRACE),
        tuple(str(_map(container).get("name")) for container in others),
        int(retries or 0),
        _map(spec.get("securityContext")),
    )


def _from_trainer(spec: Mapping[str, Any], primary: str) -> Pod:
    trainer = _map(spec.get("trainer"))
    _one("spec.trainer.numNodes", trainer.get("numNodes", 1))
    if not trainer.get("command"):
        raise RunError(
            "a TrainJob without spec.trainer.command runs what its runtime says, which only the cluster knows; give "
            "the command in the template"
        )
    resources = {"limits": _map(_map(trainer.get("resourcesPerNode")).get("limits"))}
    container = {**trainer, "name": primary, "resources": resources}
    deadline = spec.get("activeDeadlineSeconds")
    return _pod(container, {}, None if deadline is None else float(deadline), _GRACE, (), 0, {})


def _pod(
    container: Mapping[str, Any],
    volumes: Mapping[str, Mapping[str, Any]],
    deadline: float | None,
    grace: float,
    others: tuple[str, ...],
    retries: int,
    security: Mapping[str, Any],
) -> Pod:
    mounts = []
    for each in map(_map, container.get("volumeMounts") or ()):
        name = str(each.get("name"))
        volume = volumes.get(name, {})
        kind = next((key for key in volume if key != "name"), "unknown")
        path = str(each.get("mountPath", "")).rstrip("/")
        read_only, sub_path = bool(each.get("readOnly")), str(each.get("subPath", ""))
        mounts.append(Mount(name, path, kind, _map(volume.get(kind)), sub_path, read_only))
    return Pod(
        str(container.get("name")),
        str(container.get("image", "")),
        tuple(map(str, container.get("command") or ())),
        tuple(map(str, container.get("args") or ())),
        tuple(map(_map, container.get("env") or ())),
        tuple(map(_map, container.get("envFrom") or ())),
        str(container.get("workingDir") or ""),
        _map(_map(container.get("resources")).get("limits")),
        tuple(mounts),
        deadline,
        grace,
        others,
        retries,
        _user(_map(container.get("securityContext")), security),
        bool(_map(container.get("securityContext")).get("readOnlyRootFilesystem")),
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
    """Those that the user gave; they count before all others."""
    outside: Mapping[str, str]
    """This process's environment: it has the values of secrets."""
    config_maps: Mapping[str, Mapping[str, str]]
    """Name -> data, of the Experiment's namespace."""
    fields: Mapping[str, str]
    """Field path -> text, of the trial's pod."""


def fetched_names(pod: Pod, known: Known) -> set[str]:
    """The variables whose values may be secret: those of the cluster's objects, and those that the user gave."""
    return {str(each.get("name")) for each in pod.env if "secretKeyRef" in _map(each.get("valueFrom"))} | set(
        known.given
    )


def environment(pod: Pod, known: Known) -> dict[str, str]:
    """The variables of the container.

    Raises:
        RunError: One comes from what only the cluster has.
    """
    found: dict[str, str] = {}
    for source in pod.env_from:
        found.update(_all_of(source, known))
    for variable in pod.env:
        name = str(variable.get("name"))
        value = known.given.get(name)
        if value is None and "valueFrom" in variable:
            value = _fetched(name, _map(variable["valueFrom"]), known)
        elif value is None:
            value = expanded(str(variable.get("value") or ""), found)
        if value is not None:
            found[name] = value
    return {**found, **known.given}


def unknown_sources(pod: Pod, known: Known) -> list[str]:
    """The Secrets and ConfigMaps whose variables only the cluster knows."""
    found = []
    for source in pod.env_from:
        secret, config_map = _map(source.get("secretRef")), _map(source.get("configMapRef"))
        if secret:
            found.append(f"Secret {secret.get('name')}")
        elif config_map.get("name") not in known.config_maps:
            found.append(f"ConfigMap {config_map.get('name')}")
    return found


def _all_of(source: Mapping[str, Any], known: Known) -> dict[str, str]:
    data = known.config_maps.get(str(_map(source.get("configMapRef")).get("name")), {})
    return {f"{source.get('prefix') or ''}{key}": text for key, text in data.items()}


def _fetched(name: str, source: Mapping[str, Any], known: Known) -> str | None:
    field = str(_map(source.get("fieldRef")).get("fieldPath"))
    if field in known.fields:
        return known.fields[field]
    reference = _map(source.get("configMapKeyRef"))
    data = known.config_maps.get(str(reference.get("name")), {})
    if reference.get("key") in data:
        return data[str(reference["key"])]
    if name in known.outside:
        return known.outside[name]
    if any(_map(part).get("optional") for part in source.values()):
        return None
    what = next(iter(source), "nothing")
    raise RunError(
        f"the variable {name} comes from the cluster ({what}), and is not known here; set it in the environment, or "
        f"give --env {name}=..."
    )


def moved(places: Mapping[str, str], above: Mapping[str, str]) -> Callable[[str], str]:
    """Makes what replaces paths of the container by those that stand for them here.

    Args:
        places: Path in the container -> path here, for it and all below; the longest counts first.
        above: The same for paths by themselves, not for what is below.
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


def tokens(pod: Pod, variables: Mapping[str, str], move: Callable[[str], str]) -> list[str]:
    """The container's command line as it runs here."""
    return [move(expanded(token, variables)) for token in (*pod.command, *pod.args)]


def _map(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def names_of(mounts: Sequence[Mount]) -> list[str]:
    """The volumes among mounts, each once."""
    return list(dict.fromkeys(mount.volume for mount in mounts))
