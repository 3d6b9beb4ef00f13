"""Renders a step as an Argo template: a pod with one container, its inputs and its outputs."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Iterator
from typing import Any

from kftune.errors import RenderError
from kftune.pipeline import (
    EXECUTOR_OUTPUT,
    Argument,
    FixedValue,
    Node,
    OutputReference,
    Pipeline,
    Reference,
    StepConfig,
    TuneStep,
)
from kftune.pipeline.ports import METRICS_TYPES, text_of
from kftune.pipeline.targets import ArgoTarget
from kftune.render import pods
from kftune.render.argo.retrying import retry_strategy
from kftune.render.argo.text import BRACE_VARIABLE, carried, check_tags, literal, needs_brace, tag, wire
from kftune.render.launching import Launching
from kftune.render.names import object_name
from kftune.render.rendering import present, whole_seconds
from kftune.render.steps import argo_account, command_of, image_of, split_command

INPUTS, OUTPUTS = "/kftune/inputs", "/kftune/outputs"
_OUTPUT_VOLUME = "kftune-outputs"
_READABLE = 0o644
_MAIN = "main"  # Argo's name of a step's container
# Artifacts that pages show are one file; Argo packs all others into an archive.
_SHOWN = ("html", "markdown", *METRICS_TYPES)
RUN_ID = "RUN_ID"
"""The input that identifies a step with a launcher in a run."""


def shown_outputs(nodes: Iterable[Node]) -> set[OutputReference]:
    """Returns the outputs that Argo keeps as plain files, without an archive."""
    return {
        OutputReference(node.name, name)
        for node in nodes
        for name, output in node.outputs.items()
        if output.type in _SHOWN
    }


def step_template(
    node: Node, pipeline: Pipeline, launching: Launching | None = None, shown: Container[Reference] = ()
) -> dict[str, Any]:
    """Renders the template that runs a step.

    Args:
        node: The step.
        pipeline: Its pipeline.
        launching: What kftune's launcher creates for the step; None if the step's own program runs.
        shown: The outputs of all steps that are plain files.

    Raises:
        RenderError: Argo cannot run it.
    """
    access = _launcher_access(node.step, pipeline.targets.argo)
    if launching is not None:
        node = launching.node
    step = node.step
    mutex = None
    if isinstance(step, TuneStep) and node.loop is None:
        mutex = {"mutexes": [{"name": object_name(f"kftune-{step.study.name}", 63)}]}
    fields = {
        "name": node.name,
        "metadata": _metadata(node, pipeline.name),
        "inputs": ports(_inputs(node, shown, launching is not None)),
        "outputs": ports(_outputs(node)),
        **_placement(node, pipeline.name),
        **access,
        "activeDeadlineSeconds": whole_seconds(step.timeout),
        "retryStrategy": retry_strategy(step, node.name, pipeline.targets.argo.version),
        "synchronization": mutex,
        "container": _container(node, launching),
        "volumes": [*pods.volumes(step), *([{"name": _OUTPUT_VOLUME, "emptyDir": {}}] if node.outputs else [])],
    }
    template = present(fields)
    check_tags(template, node.name)
    return template


def _inputs(node: Node, shown: Container[Reference], launches: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    for argument in node.arguments.values():
        if isinstance(argument.source, FixedValue):
            continue
        name = wire(argument.name)
        if not argument.is_artifact:
            yield "parameters", {"name": name, **default_of(argument)}
            continue
        # Argo's executor writes a plain file so that only its own user can read it.
        mode = {"mode": _READABLE} if argument.source in shown else {}
        optional = {"optional": True} if argument.optional else {}
        yield "artifacts", {"name": name, "path": f"{INPUTS}/{name}", **mode, **optional}
        if argument.optional:
            # The path that the step receives: empty if there is no artifact.
            yield "parameters", {"name": name, "default": ""}
    if launches:
        yield "parameters", {"name": RUN_ID}


def ports(found: Iterable[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    """Returns the inputs, outputs or arguments of a template or task.

    Args:
        found: Pairs of `parameters` or `artifacts`, and one of them.
    """
    grouped: dict[str, list[dict[str, Any]]] = {"parameters": [], "artifacts": []}
    for kind, port in found:
        grouped[kind].append(port)
    return present(grouped)


def default_of(argument: Argument) -> dict[str, Any]:
    """Returns the default of an argument, used when its producer was skipped or its loop had no items.

    Raises:
        RenderError: Argo or the kubelet would change it.
    """
    if argument.fan_in:
        return {"default": "[]"}
    if argument.default is None:
        return {}
    return {"default": carried(text_of(argument.default), f"the default of {argument.name}")}


def _outputs(node: Node) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, output in node.outputs.items():
        path = f"{OUTPUTS}/{wire(name)}"
        if output.type in _PARAMETERS:
            yield "parameters", {"name": wire(name), "valueFrom": {"path": path}}
        else:
            shown: dict[str, Any] | None = {"none": {}} if output.type in _SHOWN else None
            yield "artifacts", present({"name": wire(name), "path": path, "archive": shown})


_PARAMETERS = ("int", "float", "bool", "str", "list", "dict")


def _metadata(node: Node, group: str) -> dict[str, Any]:
    made = pods.metadata(node.step, group)
    labels = {pods.JOB_TYPE_LABEL: node.step.job_type, **made.get("labels", {}), **pods.queue_labels(node.step)}
    return {"labels": labels, "annotations": made["annotations"]}


# Source: argo-workflows v4.1.2: a template has these fields of a pod; its patch is merged into the pod.
_OF_TEMPLATES = (
    "affinity",
    "nodeSelector",
    "priorityClassName",
    "schedulerName",
    "securityContext",
    "serviceAccountName",
    "tolerations",
)
POD_SECURITY = {"seccompProfile": {"type": "RuntimeDefault"}}
"""The security context of the pods. Users are set on each container: Argo's own run as root unless the cluster is set
up differently."""


def _placement(node: Node, group: str) -> dict[str, Any]:
    placed = pods.placement(node.step, group)
    if "securityContext" in placed:  # it replaces that of the workflow
        placed["securityContext"] = {**POD_SECURITY, **placed["securityContext"]}
    patch = {field: placed.pop(field) for field in [*placed] if field not in _OF_TEMPLATES}
    if node.step.pod or node.step.container:
        patch |= _fragments(node)
    if patch:
        placed["podSpecPatch"] = json.dumps(patch, separators=(",", ":"))
    return placed


def _launcher_access(step: StepConfig, target: ArgoTarget) -> dict[str, Any]:
    """Returns the account and token with which the launcher creates objects; other steps have the workflow's."""
    if not step.launches:
        return {}
    account = {"serviceAccountName": argo_account(step, target)} if target.launcher_account else {}
    # Argo's containers of its pod have the token of the executor's account.
    return {**account, **({"automountServiceAccountToken": True} if target.executor_account else {})}


def _fragments(node: Node) -> dict[str, Any]:
    """Returns the parts of the pod in Kubernetes' own words, as Argo merges them into the pod."""
    found = pods.fragments(node.step, lambda text, which: literal(text, f"{which} of step {node.name!r}"))
    of_container = found.pop("container")
    return {**found, **({"containers": [{"name": _MAIN, **of_container}]} if of_container else {})}


def _container(node: Node, launching: Launching | None) -> dict[str, Any]:
    step = node.step
    start, rest = _command(node, launching)
    variables = pods.environment(step, lambda value, which: literal(value, f"{which} of step {node.name!r}"))
    texts = [*start, *rest, *(variable.get("value", "") for variable in variables)]
    if needs_brace(texts):
        variables.insert(0, {"name": BRACE_VARIABLE, "value": "{"})
    container = {
        "image": image_of(node),
        "imagePullPolicy": step.image_pull_policy,
        # Always a command: without one, Argo's controller asks the image's registry for it.
        "command": start,
        "args": rest,
        "workingDir": step.working_dir,
        "env": variables,
        "resources": pods.resources(step),
        "volumeMounts": _mounts(node),
        "securityContext": pods.security(step),
    }
    return present(container)


def _command(node: Node, launching: Launching | None) -> tuple[list[str], list[str]]:
    """Returns the container's command and arguments."""
    values = _values(node)
    if launching is not None:
        values = {**values, **{name: tag(f"inputs.parameters.{wire(name)}") for name in launching.run_values}}
        text = literal(launching.text, f"the {launching.object['kind']} of step {node.name!r}")
        return split_command(launching.command(text, tag(f"inputs.parameters.{RUN_ID}"), values))
    start, rest = command_of(node, values, literal)
    return split_command([*start, *rest])


def _values(node: Node) -> dict[str, str]:
    """Returns the text or tag of each argument and output."""
    values: dict[str, str] = {}
    for argument in node.arguments.values():
        if isinstance(argument.source, FixedValue):
            values[argument.name] = literal(argument.source.text, f"{argument.name} of step {node.name!r}")
        elif argument.is_artifact and not argument.optional:
            values[argument.name] = f"{INPUTS}/{wire(argument.name)}"
        else:
            values[argument.name] = tag(f"inputs.parameters.{wire(argument.name)}")
    for name in (*node.outputs, EXECUTOR_OUTPUT):
        values[name] = f"{OUTPUTS}/{wire(name)}"
    return values


def _mounts(node: Node) -> list[dict[str, Any]]:
    for volume in node.step.volumes:
        if volume.name == _OUTPUT_VOLUME or f"{pods.path_of(volume)}/".startswith("/kftune/"):
            raise RenderError(
                f"kftune mounts its volume {_OUTPUT_VOLUME!r} below /kftune, but step {node.name!r} has "
                f"{volume.name!r} at {volume.mount}; choose another name and path"
            )
    outputs = [{"name": _OUTPUT_VOLUME, "mountPath": OUTPUTS}] if node.outputs else []
    return [*pods.mounts(node.step), *outputs]
