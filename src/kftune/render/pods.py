"""The parts of a pod that trials and pipeline steps share, and the pod of a trial.

Security follows the Pod Security Standard *restricted*, on the container and not on the pod: Katib adds a container to
every pod, which runs as root and would not start in a pod that forbids it. The file system stays writable, because
training writes caches and checkpoints; *restricted* does not ask for more.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

from kftune.errors import RenderError
from kftune.images import PREFIX
from kftune.katib.trial import COLLECTOR
from kftune.render.command import PLACEHOLDER, checked_text
from kftune.spec.container import ContainerSettings
from kftune.study import Step, Volume

# Source: katib v0.19.0, pkg/webhook/v1beta1/{common,pod}: what Katib adds to the pod of a trial.
_KATIB_VOLUME = "metrics-volume"
_KATIB_MOUNT = "/var/log/katib"

DATA_VARIABLE = "KFTUNE_DATA"
NO_PROXY = {"sidecar.istio.io/inject": "false"}
"""The annotation that keeps Istio's proxy out of a pod: the proxy never ends, so the pod would not either."""
_DEFAULT_GRACE_SECONDS = 30


def placement(container: ContainerSettings) -> dict[str, Any]:
    """Returns the fields of a pod spec that say where it runs, as whom, and how long it may take to stop."""
    spec: dict[str, Any] = {}
    resources = container.resources
    if container.service_account is not None:
        spec["serviceAccountName"] = container.service_account
    product = {} if resources.gpu_type is None else {f"{resources.gpu_resource}.product": resources.gpu_type}
    if product or container.node_selector:
        spec["nodeSelector"] = {**container.node_selector, **product}
    if container.tolerations:
        spec["tolerations"] = [toleration.model_dump(exclude_none=True) for toleration in container.tolerations]
    if container.grace_period != _DEFAULT_GRACE_SECONDS:
        spec["terminationGracePeriodSeconds"] = math.ceil(container.grace_period)
    return spec


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


def trial_image(step: Step) -> str:
    """Returns the image of a study's trials."""
    return image(step, "the trials", "step.image of the study")


def security() -> dict[str, Any]:
    """Returns the security context of a container."""
    return {
        "runAsNonRoot": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def limits(container: ContainerSettings) -> tuple[str | None, str | None]:
    """Returns the limits of CPU and memory: as much as is requested where the study gives no limit.

    With equal requests and limits, other pods never slow the container down.
    """
    wanted = container.resources
    return wanted.cpu_limit or wanted.cpu, wanted.memory_limit or wanted.memory


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
    if wanted.gpu:
        requests[wanted.gpu_resource] = most[wanted.gpu_resource] = str(wanted.gpu)
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
    return [{"name": volume.name, **_source(volume)} for volume in container.volumes]


def mounts(container: ContainerSettings) -> list[dict[str, Any]]:
    """Returns the volume mounts of the container.

    Raises:
        RenderError: Two volumes have the same path, or a path holds ':'.
    """
    if not container.volumes:
        return []
    counts = Counter(path_of(volume) for volume in container.volumes)
    for volume in container.volumes:
        if counts[path_of(volume)] > 1 or ":" in volume.mount:
            raise RenderError(
                f"each volume needs its own path without ':', but volume {volume.name!r} has {volume.mount!r}"
            )
    return [
        {"name": volume.name, "mountPath": volume.mount, **({"readOnly": True} if volume.read_only else {})}
        for volume in container.volumes
    ]


def path_of(volume: Volume) -> str:
    """Returns the path at which a volume is mounted, without a slash at its end."""
    return volume.mount.rstrip("/")


def _source(volume: Volume) -> dict[str, Any]:
    if volume.claim is not None:
        claim: dict[str, Any] = {"claimName": volume.claim}
        return {"persistentVolumeClaim": {**claim, "readOnly": True} if volume.read_only else claim}
    if volume.config_map is not None:
        return {"configMap": {"name": volume.config_map}}
    if volume.secret is not None:
        return {"secret": {"secretName": volume.secret}}
    return {"emptyDir": {} if volume.size_limit is None else {"sizeLimit": volume.size_limit}}


def pod_template(step: Step, name: str, script: str) -> dict[str, Any]:
    """Returns the pod template of a trial.

    Args:
        step: What runs.
        name: The container's name.
        script: The command line as one shell command.
    """
    spec: dict[str, Any] = {**placement(step), "containers": [_trial_container(step, name, script)]}
    if step.volumes:
        spec["volumes"] = volumes(step)
    if step.service_account is None:
        spec["automountServiceAccountToken"] = False
    return {"metadata": pod_metadata(), "spec": spec}


def pod_metadata() -> dict[str, Any]:
    """Returns the metadata of a trial's pod: Katib's collector waits until everything in the pod has ended."""
    return {"annotations": dict(NO_PROXY)}


def _trial_container(step: Step, name: str, script: str) -> dict[str, Any]:
    if name == COLLECTOR:
        raise RenderError(f"step.name must not be {name!r}: Katib adds a container of that name to the pod")
    container: dict[str, Any] = {"name": name, "image": trial_image(step), **command(script)}
    if step.working_dir is not None:
        container["workingDir"] = _without_placeholder(step.working_dir, "step.working_dir")
    if variables := trial_environment(step):
        container["env"] = variables
    if amounts := resources(step):
        container["resources"] = amounts
    if step.volumes:
        container["volumeMounts"] = trial_mounts(step)
    container["securityContext"] = security()
    return container


def command(script: str) -> dict[str, Any]:
    """Returns command and arguments in the one form that Katib wraps without harm."""
    return {"command": ["sh", "-c"], "args": [script]}


def trial_environment(step: Step) -> list[dict[str, Any]]:
    """Returns the environment variables of a trial, among them the path of its data."""
    variables = environment(step, lambda value, which: _literal(value, f"step.{which}"))
    for variable in variables:
        if variable.get("value") == "":
            del variable["value"]  # Katib refuses a Job that Go would write differently
    if step.data.mount is not None and all(variable["name"] != DATA_VARIABLE for variable in variables):
        variables.insert(0, {"name": DATA_VARIABLE, "value": _literal(step.data.mount, "step.data.mount")})
    return variables


def trial_mounts(step: Step) -> list[dict[str, Any]]:
    """Returns the volume mounts of a trial.

    Raises:
        RenderError: A path or a name is already in use.
    """
    for volume in step.volumes:
        if volume.name == _KATIB_VOLUME or path_of(volume) == _KATIB_MOUNT:
            raise RenderError(
                f"Katib mounts its volume {_KATIB_VOLUME!r} at {_KATIB_MOUNT}, but step.volumes has "
                f"{volume.name!r} at {volume.mount}; choose another name and path"
            )
        _without_placeholder(volume.mount, f"the mount of volume {volume.name}")
    return mounts(step)


def _without_placeholder(text: str, which: str) -> str:
    if PLACEHOLDER in text:
        raise RenderError(
            f"{which} must not hold {PLACEHOLDER!r}, where Katib's placeholders begin, but got {text!r}; "
            f"pass it in step.args, where it can be quoted"
        )
    return checked_text(text, which)


def _literal(text: str, which: str) -> str:
    # The kubelet expands `$(NAME)` and `$$` in values of variables too.
    return _without_placeholder(text, which).replace("$", "$$")
