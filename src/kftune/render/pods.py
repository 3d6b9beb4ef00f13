"""The pod of a trial: its one container, and where and as whom it may run.

Security follows the Pod Security Standard *restricted*, on the container and not on the pod: Katib adds a container of
its own to every pod, which runs as root and would not start in a pod that forbids it. The file system stays writable,
since training writes caches and checkpoints; *restricted* does not ask for more.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

from kftune.errors import RenderError
from kftune.images import PREFIX
from kftune.render.command import PLACEHOLDER, checked_text
from kftune.spec.container import ContainerSettings
from kftune.study import Step, Volume

# Source: katib v0.19.0, pkg/webhook/v1beta1/{common,pod}: what Katib adds to the pod of a trial.
_KATIB_CONTAINER = "metrics-logger-and-collector"
_KATIB_VOLUME = "metrics-volume"
_KATIB_MOUNT = "/var/log/katib"

DATA_VARIABLE = "KFTUNE_DATA"
# The grace period that Kubernetes takes by itself.
_USUAL_GRACE = 30


def pod_template(step: Step, name: str, script: str) -> dict[str, Any]:
    """The pod template that runs a step.

    Args:
        step: What is run.
        name: Name of the container.
        script: The command line as one shell command.
    """
    return {"metadata": pod_metadata(), "spec": _pod_spec(step, name, script)}


def pod_metadata() -> dict[str, Any]:
    """No Istio proxy beside the trial: it would never end, and Katib's collector waits for everything to end."""
    return {"annotations": {"sidecar.istio.io/inject": "false"}}


def _pod_spec(step: Step, name: str, script: str) -> dict[str, Any]:
    spec: dict[str, Any] = {**placement(step), "containers": [_container(step, name, script)]}
    if step.volumes:
        spec["volumes"] = volumes(step)
    if step.service_account is None:
        spec["automountServiceAccountToken"] = False
    return spec


def placement(step: ContainerSettings) -> dict[str, Any]:
    """What decides where a pod runs, as whom, and how long it may take to stop."""
    spec: dict[str, Any] = {}
    if step.service_account is not None:
        spec["serviceAccountName"] = step.service_account
    selector = {key: plain(value, f"step.node_selector.{key}") for key, value in step.node_selector.items()}
    if step.resources.gpu_type is not None:
        selector[f"{step.resources.gpu_resource}.product"] = plain(step.resources.gpu_type, "step.resources.gpu_type")
    if selector:
        spec["nodeSelector"] = selector
    if step.tolerations:
        spec["tolerations"] = [toleration.model_dump(exclude_none=True) for toleration in step.tolerations]
    if step.grace_period != _USUAL_GRACE:
        spec["terminationGracePeriodSeconds"] = math.ceil(step.grace_period)
    return spec


def _container(step: Step, name: str, script: str) -> dict[str, Any]:
    if name == _KATIB_CONTAINER:
        raise RenderError(f"step.name must not be {name!r}, the name of a container that Katib adds to the pod")
    container: dict[str, Any] = {"name": name, "image": image(step), **command(script)}
    if step.working_dir is not None:
        container["workingDir"] = plain(step.working_dir, "step.working_dir")
    variables = environment(step)
    if variables:
        container["env"] = variables
    amounts = resources(step)
    if amounts:
        container["resources"] = amounts
    if step.volumes:
        container["volumeMounts"] = mounts(step)
    container["securityContext"] = security()
    return container


def command(script: str) -> dict[str, Any]:
    """Command and arguments in the one form that Katib wraps without harm."""
    return {"command": ["sh", "-c"], "args": [script]}


def image(step: ContainerSettings) -> str:
    """The step's image.

    Raises:
        RenderError: It has none, or one of the project that nobody looked up: a render reads no lock file.
    """
    if step.image is not None and step.image.startswith(PREFIX):
        raise RenderError(f"{step.image} is an image of the project; look it up first: kftune.images.resolve")
    if step.image is None:
        raise RenderError(
            "a cluster needs an image to run, but step.image is not set; for example registry.example/app:1"
        )
    return step.image


def security() -> dict[str, Any]:
    """What the container may not do."""
    return {
        "runAsNonRoot": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def resources(step: ContainerSettings) -> dict[str, Any]:
    """What a trial asks for, and the most it gets; left out, the same: its neighbours then never slow it down."""
    wanted = step.resources
    asked: dict[str, Any] = {}
    most: dict[str, Any] = {}
    if (cpu := wanted.cpu) is not None:
        asked["cpu"] = cpu
    if (cpu := wanted.cpu_limit or cpu) is not None:
        most["cpu"] = cpu
    if (memory := wanted.memory) is not None:
        asked["memory"] = memory
    if (memory := wanted.memory_limit or memory) is not None:
        most["memory"] = memory
    if gpu := wanted.gpu:
        asked[wanted.gpu_resource] = most[wanted.gpu_resource] = str(gpu)
    return {**({"requests": asked} if asked else {}), **({"limits": most} if most else {})}


def environment(step: Step) -> list[dict[str, Any]]:
    """The environment variables: the data's place, plain values, and values out of Secrets and ConfigMaps."""
    variables: list[dict[str, Any]] = []
    if step.data.mount is not None and DATA_VARIABLE not in {*step.env, *step.secrets, *step.config_maps}:
        variables.append({"name": DATA_VARIABLE, "value": _literal(step.data.mount, "step.data.mount")})
    for name, value in step.env.items():
        variable = {"name": name}
        if value:  # an empty one is left out: Katib refuses a Job that Go would write otherwise
            variable["value"] = _literal(value, f"step.env.{name}")
        variables.append(variable)
    for name, secret in step.secrets.items():
        key = plain(secret.key, f"step.secrets.{name}.key")
        variables.append({"name": name, "valueFrom": {"secretKeyRef": {"name": secret.name, "key": key}}})
    for name, config in step.config_maps.items():
        key = plain(config.key, f"step.config_maps.{name}.key")
        variables.append({"name": name, "valueFrom": {"configMapKeyRef": {"name": config.name, "key": key}}})
    return variables


def volumes(step: ContainerSettings) -> list[dict[str, Any]]:
    """The volumes of the pod."""
    return [{"name": volume.name, **_source(volume)} for volume in step.volumes]


def mounts(step: Step) -> list[dict[str, Any]]:
    """Where the container sees the volumes.

    Raises:
        RenderError: A place or a name is taken.
    """
    counts = Counter(volume.mount.rstrip("/") for volume in step.volumes)
    for volume in step.volumes:
        place = volume.mount.rstrip("/")
        if volume.name == _KATIB_VOLUME or place == _KATIB_MOUNT:
            raise RenderError(
                f"Katib mounts its own volume {_KATIB_VOLUME!r} at {_KATIB_MOUNT}, but step.volumes has "
                f"{volume.name!r} at {volume.mount}; take another name and place"
            )
        if counts[place] > 1 or ":" in place:
            raise RenderError(
                f"each volume needs a path of its own without ':', but {volume.name!r} has {volume.mount!r}"
            )
    return [
        {
            "name": volume.name,
            "mountPath": plain(volume.mount, f"the mount of volume {volume.name}"),
            **({"readOnly": True} if volume.read_only else {}),
        }
        for volume in step.volumes
    ]


def plain(text: str, what: str) -> str:
    """`text`, if Katib leaves it alone.

    Raises:
        RenderError: It holds what Katib takes for a placeholder, or is no Unicode text.
    """
    if PLACEHOLDER in text:
        raise RenderError(
            f"{what} must not hold {PLACEHOLDER!r}, which Katib takes for a hyperparameter, but got {text!r}; "
            f"pass it in step.args, where it can be quoted"
        )
    return checked_text(text, what)


def _literal(text: str, what: str) -> str:
    # The kubelet expands `$(NAME)` and `$$` in values of variables too.
    return plain(text, what).replace("$", "$$")


def _source(volume: Volume) -> dict[str, Any]:
    if volume.claim is not None:
        claim: dict[str, Any] = {"claimName": volume.claim}
        return {"persistentVolumeClaim": {**claim, "readOnly": True} if volume.read_only else claim}
    if volume.config_map is not None:
        return {"configMap": {"name": volume.config_map}}
    if volume.secret is not None:
        return {"secret": {"secretName": volume.secret}}
    return {"emptyDir": {} if volume.size_limit is None else {"sizeLimit": volume.size_limit}}
