"""The pod of a trial, or of one node of a step: what Katib leaves intact, and what Katib does not allow."""

from __future__ import annotations

from typing import Any

from kftune.errors import RenderError
from kftune.katib.trial import COLLECTOR
from kftune.render import pods
from kftune.render.command import PLACEHOLDER, checked_text
from kftune.study import Step

# Source: katib v0.19.0, pkg/webhook/v1beta1/{common,pod}: what Katib adds to the pod of a trial.
_KATIB_VOLUME = "metrics-volume"
_KATIB_MOUNT = "/var/log/katib"

DATA_VARIABLE = "KFTUNE_DATA"


def check_for_katib(step: Step, name: str) -> None:
    """Checks that the pod leaves room for what Katib adds, and that Katib's collector starts in it, and ends.

    Args:
        step: What it runs.
        name: The container's name.

    Raises:
        RenderError: It does not.

    Source: katib v0.19.0, pkg/webhook/v1beta1/pod/inject_webhook.go; pkg/metricscollector/v1beta1/common/pns.go; each
    case was seen on a cluster.
    """
    if name == COLLECTOR:
        raise RenderError(f"step.name must not be {name!r}: Katib adds a container of that name to the pod")
    for volume in step.volumes:
        if volume.name == _KATIB_VOLUME or pods.path_of(volume) == _KATIB_MOUNT:
            raise RenderError(
                f"Katib mounts its volume {_KATIB_VOLUME!r} at {_KATIB_MOUNT}, but step.volumes has "
                f"{volume.name!r} at {volume.mount}; choose another name and path"
            )
    if step.pod:
        _check_fragment_for_katib(step)


def _check_fragment_for_katib(step: Step) -> None:
    if step.pod.get("hostPID"):
        raise RenderError(
            "Katib lets the containers of a trial's pod share their processes, which excludes step.pod.hostPID: "
            "Kubernetes rejects the pod; remove it"
        )
    for helper in step.pod.get("initContainers") or ():
        if helper.get("restartPolicy") == "Always":
            raise RenderError(
                f"Katib's collector waits for the end of all containers, but {helper['name']!r} in "
                f"step.pod.initContainers ends after all others, so the trial would never end; remove its "
                f"restartPolicy, or start it in the step's command"
            )
    shared = step.pod.get("securityContext") or {}
    if shared.get("runAsNonRoot") and not shared.get("runAsUser"):
        raise RenderError(
            "Katib's collector runs as root unless the pod names a user, so step.pod.securityContext.runAsNonRoot "
            "keeps it from starting, and the trial would never end; remove it (step.security.run_as_non_root is for "
            "the training alone), or add runAsUser"
        )


def pod_template(step: Step, group: str, name: str, script: str) -> dict[str, Any]:
    """Returns the pod template of a trial.

    Args:
        step: What it runs.
        group: The name of the study or pipeline.
        name: The container's name.
        script: The command line as one shell command.
    """
    spec: dict[str, Any] = {**pods.placement(step, group), "containers": [_container(step, name, script)]}
    if mounted := pods.volumes(step):
        spec["volumes"] = mounted
    if step.service_account is None:
        spec["automountServiceAccountToken"] = False
    spec = with_fragments(spec, step)
    # Katib's collector waits until everything in the pod has ended, so it has no proxy.
    return {"metadata": pods.metadata(step, group), "spec": spec}


def with_fragments(spec: dict[str, Any], step: Step) -> dict[str, Any]:
    """Returns the spec of a pod with the parts that the study has in Kubernetes' own words.

    Args:
        spec: The spec.
        step: What runs.

    Raises:
        RenderError: A part changes a volume of kftune, or holds a placeholder of Katib.
    """
    if not step.pod and not step.container:
        return spec
    return pods.with_fragments(spec, step, lambda text, which: _without_placeholder(text, f"step.{which}"))


def _container(step: Step, name: str, script: str) -> dict[str, Any]:
    container: dict[str, Any] = {"name": name, "image": image(step), **command(script)}
    if step.image_pull_policy is not None:
        container["imagePullPolicy"] = step.image_pull_policy
    if step.working_dir is not None:
        container["workingDir"] = _without_placeholder(step.working_dir, "step.working_dir")
    if variables := environment(step):
        container["env"] = variables
    if amounts := pods.resources(step):
        container["resources"] = amounts
    if mounted := mounts(step):
        container["volumeMounts"] = mounted
    container["securityContext"] = pods.security(step)
    return container


def image(step: Step) -> str:
    """Returns the image of a study's trials."""
    return pods.image(step, "the trials", "step.image of the study")


def command(script: str) -> dict[str, Any]:
    """Returns command and arguments in the one form that Katib wraps without harm."""
    return {"command": ["sh", "-c"], "args": [script]}


def environment(step: Step) -> list[dict[str, Any]]:
    """Returns the environment variables of a trial, among them the path of its data."""
    variables = pods.environment(step, lambda value, which: _literal(value, f"step.{which}"))
    for variable in variables:
        if variable.get("value") == "":
            del variable["value"]  # Katib refuses a Job that Go would write differently
    if step.data.mount is not None and all(variable["name"] != DATA_VARIABLE for variable in variables):
        variables.insert(0, {"name": DATA_VARIABLE, "value": _literal(step.data.mount, "step.data.mount")})
    return variables


def mounts(step: Step) -> list[dict[str, Any]]:
    """Returns the volume mounts of a trial.

    Raises:
        RenderError: A path or a name is already in use.
    """
    for volume in step.volumes:
        _without_placeholder(volume.mount, f"the mount of volume {volume.name}")
    return pods.mounts(step)


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
