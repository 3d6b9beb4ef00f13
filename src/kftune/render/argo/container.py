"""One step as a template of Argo: a pod with one container, what it is given, and where it leaves what it writes."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from kftune.errors import RenderError
from kftune.pipeline import EXECUTOR_OUTPUT, Argument, Constant, Node, Retries, TuneStep
from kftune.pipeline.ports import METRICS_TYPES, text_of
from kftune.render import pods
from kftune.render.argo.text import BRACE_VARIABLE, carried, check_tags, literal, needs_brace, tag, wire
from kftune.render.command import torchrun_arguments, under_torchrun
from kftune.render.names import object_name
from kftune.render.tuning import Tuning, launcher_command

INPUTS, OUTPUTS = "/kftune/inputs", "/kftune/outputs"
_OUTPUT_VOLUME = "kftune-outputs"
# Artifacts of one file that pages show: Argo packs all others into an archive.
_SHOWN = ("html", "markdown", *METRICS_TYPES)
RUN_ID = "RUN_ID"
"""The input that tells a tune step apart from all others of a run."""


def step_template(node: Node, version: str, tuning: Tuning | None) -> dict[str, Any]:
    """The template that runs a step.

    Args:
        node: The step.
        version: Argo's version on the cluster.
        tuning: What a tune step runs.

    Raises:
        RenderError: Argo cannot run it so.
    """
    step = node.step
    if step.resources.nodes > 1:
        raise RenderError(
            f"a step of Argo runs on one node, but step {node.name!r} has {step.resources.nodes}; "
            f"set instance_count to 1, or make it a tune step whose trials are PyTorchJobs or TrainJobs"
        )
    template: dict[str, Any] = {"name": node.name, "metadata": _metadata(node)}
    inputs = _inputs(node)
    if inputs:
        template["inputs"] = inputs
    outputs = _outputs(node)
    if outputs:
        template["outputs"] = outputs
    template |= _placement(node)
    if step.timeout is not None:
        template["activeDeadlineSeconds"] = math.ceil(step.timeout)
    if step.retries.limit:
        template["retryStrategy"] = _retries(step.retries, node.name, version)
    if isinstance(step, TuneStep) and node.loop is None:
        lock = object_name(f"kftune-{step.study.name}", 63)
        template["synchronization"] = {"mutexes": [{"name": lock}]}
    template["container"] = _container(node, tuning)
    volumes = pods.volumes(step)
    if outputs:
        volumes.append({"name": _OUTPUT_VOLUME, "emptyDir": {}})
    if volumes:
        template["volumes"] = volumes
    check_tags(template, node.name)
    return template


def _metadata(node: Node) -> dict[str, Any]:
    # No Istio proxy beside the step: it would never end.
    return {
        "labels": {"kftune.io/job-type": node.step.job_type},
        "annotations": {"sidecar.istio.io/inject": "false"},
    }


def _inputs(node: Node) -> dict[str, Any]:
    parameters: list[dict[str, Any]] = []
    artifacts: list[dict[str, Any]] = []
    for argument in node.arguments.values():
        if isinstance(argument.source, Constant):
            continue
        if argument.is_artifact:
            artifacts.append({"name": wire(argument.name), "path": f"{INPUTS}/{wire(argument.name)}"})
            if argument.optional:
                artifacts[-1]["optional"] = True
                # The path as the step gets it: nothing where there is no artifact.
                parameters.append({"name": wire(argument.name), "default": ""})
        else:
            parameters.append({"name": wire(argument.name), **default_of(argument)})
    if isinstance(node.step, TuneStep):
        parameters.append({"name": RUN_ID})
    return {key: value for key, value in (("parameters", parameters), ("artifacts", artifacts)) if value}


def default_of(argument: Argument) -> dict[str, Any]:
    """What stands in for a value that nobody wrote, because its producer was skipped or its loop had no items.

    Raises:
        RenderError: Argo or the kubelet would change it on the way.
    """
    if argument.fan_in:
        return {"default": "[]"}
    if argument.default is None:
        return {}
    return {"default": carried(text_of(argument.default), f"the default of {argument.name}")}


def _outputs(node: Node) -> dict[str, Any]:
    parameters: list[dict[str, Any]] = []
    artifacts: list[dict[str, Any]] = []
    for name, output in node.outputs.items():
        path = f"{OUTPUTS}/{wire(name)}"
        if output.type in _PARAMETERS:
            parameters.append({"name": wire(name), "valueFrom": {"path": path}})
        else:
            artifacts.append({"name": wire(name), "path": path})
            if output.type in _SHOWN:
                artifacts[-1]["archive"] = {"none": {}}
    return {key: value for key, value in (("parameters", parameters), ("artifacts", artifacts)) if value}


_PARAMETERS = ("int", "float", "bool", "str", "list", "dict")


def _placement(node: Node) -> dict[str, Any]:
    placed = pods.placement(node.step)
    names = ("serviceAccountName", "nodeSelector", "tolerations")
    fields: dict[str, Any] = {name: placed[name] for name in names if name in placed}
    if "terminationGracePeriodSeconds" in placed:
        patch = {"terminationGracePeriodSeconds": placed["terminationGracePeriodSeconds"]}
        fields["podSpecPatch"] = json.dumps(patch, separators=(",", ":"))
    return fields


def _retries(retries: Retries, name: str, version: str) -> dict[str, Any]:
    # Always: after a lost node as well as after a failure of the program.
    strategy: dict[str, Any] = {"limit": str(retries.limit), "retryPolicy": "Always"}
    if retries.backoff is None:
        return strategy
    if not float(retries.factor).is_integer():
        raise RenderError(
            f"Argo takes whole numbers for the factor between waits, but retries.factor of step {name!r} is "
            f"{retries.factor:g}; set it to {math.ceil(retries.factor)}"
        )
    backoff = {"duration": _duration(retries.backoff), "factor": str(int(retries.factor))}
    if retries.max_backoff is not None:
        if version == "3.6":
            raise RenderError(
                f"Argo 3.6 has no longest wait between tries, but retries.max_backoff of step {name!r} is set; "
                f"take it out, or set targets.argo.version to 3.7 or newer where the cluster has it"
            )
        backoff["cap"] = _duration(retries.max_backoff)
    return {**strategy, "backoff": backoff}


def _duration(seconds: float) -> str:
    return f"{math.ceil(seconds * 1000)}ms" if seconds < 1 else f"{math.ceil(seconds)}s"


def _container(node: Node, tuning: Tuning | None) -> dict[str, Any]:
    step = node.step
    start, rest = _command(node, tuning)
    variables = _environment(node)
    texts = [*start, *rest, *(variable.get("value", "") for variable in variables)]
    if needs_brace(texts):
        variables.insert(0, {"name": BRACE_VARIABLE, "value": "{"})
    if step.image is None:
        what = "the image of kftune's launcher" if tuning else "an image"
        raise RenderError(f"a cluster needs {what} to run step {node.name!r}, but its image is not set")
    # A command always: without one, Argo's controller looks the image up in its registry.
    container: dict[str, Any] = {"image": pods.image(step), "command": start, "args": rest}
    if not rest:
        del container["args"]
    if step.working_dir is not None:
        container["workingDir"] = step.working_dir
    if variables:
        container["env"] = variables
    amounts = pods.resources(step)
    if amounts:
        container["resources"] = amounts
    mounts = _mounts(node)
    if mounts:
        container["volumeMounts"] = mounts
    container["securityContext"] = pods.security()
    return container


def _command(node: Node, tuning: Tuning | None) -> tuple[list[str], list[str]]:
    """The command line, what starts the program apart from its arguments."""
    what = f"an argument of step {node.name!r}"
    values = _values(node)
    if tuning is not None:
        values = {**values, **{name: tag(f"inputs.parameters.{wire(name)}") for name in tuning.run_values}}
        line = launcher_command(node, tuning, literal(tuning.text, what), tag(f"inputs.parameters.{RUN_ID}"), values)
        return line[:3], line[3:]
    arguments = node.argument_names
    tokens = node.command_line(values)
    count = len(tokens) - len(arguments)
    start = [literal(token, what) for token in tokens[:count]]
    launcher = torchrun_arguments(node.step.resources, "Job")
    if launcher:
        start = under_torchrun(start, launcher)
    first = 3 if start[1:2] == ["-m"] else 1
    return start[:first], [*start[first:], *tokens[count:]]


def _values(node: Node) -> dict[str, str]:
    """The text or tag of everything on the step's command line."""
    values: dict[str, str] = {}
    for argument in node.arguments.values():
        if isinstance(argument.source, Constant):
            values[argument.name] = literal(argument.source.text, f"{argument.name} of step {node.name!r}")
        elif argument.is_artifact and not argument.optional:
            values[argument.name] = f"{INPUTS}/{wire(argument.name)}"
        else:
            values[argument.name] = tag(f"inputs.parameters.{wire(argument.name)}")
    for name in (*node.outputs, EXECUTOR_OUTPUT):
        values[name] = f"{OUTPUTS}/{wire(name)}"
    return values


def _environment(node: Node) -> list[dict[str, Any]]:
    step = node.step
    variables: list[dict[str, Any]] = [
        {"name": name, "value": literal(value, f"env.{name} of step {node.name!r}")} for name, value in step.env.items()
    ]
    sources: Mapping[str, Mapping[str, Any]] = {"secretKeyRef": step.secrets, "configMapKeyRef": step.config_maps}
    for kind, entries in sources.items():
        for name, entry in entries.items():
            variables.append({"name": name, "valueFrom": {kind: {"name": entry.name, "key": entry.key}}})
    return variables


def _mounts(node: Node) -> list[dict[str, Any]]:
    mounts = []
    for volume in node.step.volumes:
        place = volume.mount.rstrip("/")
        if volume.name == _OUTPUT_VOLUME or f"{place}/".startswith("/kftune/") or ":" in place:
            raise RenderError(
                f"a volume needs a name other than {_OUTPUT_VOLUME!r} and a place outside of /kftune without ':', but "
                f"step {node.name!r} has {volume.name!r} at {volume.mount}"
            )
        read_only = {"readOnly": True} if volume.read_only else {}
        mounts.append({"name": volume.name, "mountPath": volume.mount, **read_only})
    if node.outputs:
        mounts.append({"name": _OUTPUT_VOLUME, "mountPath": OUTPUTS})
    return mounts
