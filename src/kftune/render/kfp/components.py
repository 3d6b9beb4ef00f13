"""Makes a KFP component of a step: typed inputs and outputs, and a command line with KFP's placeholders."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kfp import dsl

from kftune.argv import OWN, Style
from kftune.errors import RenderError
from kftune.pipeline import (
    EXECUTOR_OUTPUT,
    Argument,
    FixedValue,
    ItemReference,
    Node,
    ParameterReference,
    StatusReference,
)
from kftune.pipeline.names import plain
from kftune.pipeline.ports import METRICS_TYPES, PARAMETER_TYPES
from kftune.render.launching import Launching
from kftune.render.steps import command_of, image_of, split_command

TYPES: Mapping[str, Any] = {
    "int": int,
    "float": float,
    "bool": bool,
    "str": str,
    "list": list,
    "dict": dict,
    "dataset": dsl.Dataset,
    "model": dsl.Model,
    "metrics": dsl.Metrics,
    "classification_metrics": dsl.ClassificationMetrics,
    "html": dsl.HTML,
    "markdown": dsl.Markdown,
    "artifact": dsl.Artifact,
}

EXPERIMENT, RUN, ITEM = "experiment", "run_id", "item"
"""Inputs that a component has in addition to those of its step."""

# KFP passes the exit step a JSON status; the script turns it into the one word that the step expects. The script's text
# is fixed: status, argument and command line are its arguments.
#
# Source: kubeflow/pipelines 2.17, backend/src/v2: the states are COMPLETE, FAILED, CANCELED and RUNNING, and only a
# launcher updates them: good and bad runs whose last task has no launcher stay RUNNING. kfp.local sends SUCCEEDED.
_STATUS_SCRIPT = (
    'case "$1" in '
    + "".join(
        f'*\'"state":"{state}"\'*|*\'"state": "{state}"\'*) status={word};; '
        for state, word in (("COMPLETE", "Succeeded"), ("SUCCEEDED", "Succeeded"), ("RUNNING", "Unknown"))
    )
    + "*) status=Failed;; esac; "
    'argument=$2; shift 2; exec "$@" "$argument$status"'
)
# KFP's backend does not replace the placeholder for the executor output, and reads the file from the folder of the
# output artifacts; kfp.local replaces the placeholder.
# Source: kubeflow/pipelines 2.17, backend/src/v2/driver: outputFile.
_OUTPUT_SCRIPT = (
    'case "$1" in /*) file=$1;; *) file=${2%/*}/output_metadata.json;; esac; '
    'argument=$3; shift 3; exec "$@" "$argument$file"'
)
_WRITE_SCRIPT = 'mkdir -p "$(dirname "$2")" && printf %s "$1" > "$2"'


def component_of(
    node: Node, parameter_types: Mapping[str, str], launching: Launching | None, item: str | None = None
) -> Any:
    """Makes the component that runs a step.

    Args:
        node: The step.
        parameter_types: Parameter of the run -> its type.
        launching: What kftune's launcher creates for the step; None if the step's own program runs.
        item: The type of an item of the step's loop, if the component gets the item for itself.

    Raises:
        RenderError: KFP cannot run it.
    """
    inputs = {name: input_type(argument, parameter_types) for name, argument in node.arguments.items()}
    if node.step.working_dir is not None:
        raise RenderError(f"KFP has no working_dir, which step {node.name!r} sets; set WORKDIR in the image")
    if node.step.has_executor_output:
        inputs[EXECUTOR_OUTPUT] = "str"
    further = {} if launching is None else {EXPERIMENT: "str", RUN: "str"}
    if item is not None:
        further[ITEM] = item
    if taken := sorted(inputs.keys() & further):
        raise RenderError(
            f"kftune gives step {node.name!r} an input {taken[0]!r} in KFP, but it has one of that name; rename it, "
            f"for example to {taken[0]}_value"
        )
    inputs |= further

    def line(values: dict[str, str]) -> list[str]:
        if launching is None:
            return _with_output_file(node, node.step.form, _line(node, values), values)
        run = f"{values[RUN]}/{node.name}" + (f"/{values[ITEM]}" if ITEM in values else "")
        return _with_output_file(node, OWN, launching.command(values[EXPERIMENT], run, values), values)

    outputs = {name: output.type for name, output in node.outputs.items()}
    return _component(node.name, image_of(node), inputs, outputs, line, description=node.step.description)


def constant_component(name: str, like: Node, output_type: str) -> Any:
    """Makes a component that writes its input: the default for the output of a skipped step.

    Args:
        name: The component's name.
        like: The step whose image is used.
        output_type: The type of the output.
    """

    def line(values: dict[str, str]) -> list[str]:
        return ["sh", "-c", _WRITE_SCRIPT, "sh", values["text"], values["value"]]

    return _component(name, image_of(like), {"text": "str"}, {"value": output_type}, line)


def input_type(argument: Argument, parameter_types: Mapping[str, str]) -> str:
    """Returns the type that a component declares: that of the value it receives, because KFP converts none.

    Items of a loop are texts: KFP has one type for all fields of an item. So are constants, because KFP would write
    ``2.0`` as ``2`` and escape signs in lists.

    Args:
        argument: The step's argument.
        parameter_types: Parameter of the run -> its type.
    """
    source = argument.source
    if isinstance(source, (ItemReference, FixedValue)):
        return "str"
    if isinstance(source, StatusReference):
        return "status"
    if isinstance(source, ParameterReference):
        return parameter_types[source.name]
    return argument.type


def _line(node: Node, values: dict[str, str]) -> list[str]:
    start, rest = command_of(node, values, literal)
    status = next((name for name, given in node.arguments.items() if isinstance(given.source, StatusReference)), None)
    if status is None:
        return [*start, *rest]
    return _computed(node.step.form, status, _STATUS_SCRIPT, [values[status]], [*start, *rest])


def _with_output_file(node: Node, form: Style, line: list[str], values: Mapping[str, str]) -> list[str]:
    """Returns a command line that ends with the path of the executor output, if the step has one."""
    shown = next((name for name, output in node.outputs.items() if output.type in METRICS_TYPES), None)
    if shown is None:
        return line
    return _computed(form, EXECUTOR_OUTPUT, _OUTPUT_SCRIPT, [values[EXECUTOR_OUTPUT], values[shown]], line)


def _computed(form: Style, name: str, script: str, given: Sequence[str], line: Sequence[str]) -> list[str]:
    """Returns a command line with an argument that a script computes and puts at the end.

    Args:
        form: The form of arguments.
        name: The argument.
        script: The script; it runs the command line.
        given: What the script computes it from.
        line: The command line, with the argument that the script replaces.
    """
    option, *value = form.tokens(name, "")
    if value:
        script = script.replace('"$argument$', '"$argument" "$')
        place = line.index(option)
        others = [*line[:place], *line[place + 2 :]]
    else:
        others = [token for token in line if not token.startswith(option)]
    return ["sh", "-c", script, "sh", *given, option, *others]


def literal(text: str, what: str) -> str:
    """Returns `text` if no engine changes it.

    Args:
        text: The text.
        what: Which text it is, for the error.

    Raises:
        RenderError: KFP, Argo or the kubelet would replace a part of it.
    """
    for mark in ("{{", "$(", "$$"):
        if mark in text:
            raise RenderError(
                f"{what} must not hold {mark!r}, which KFP or Kubernetes replaces, but got {text!r}; "
                f"put it into a file or a variable of the image"
            )
    return text


def kept(value: Any) -> Any:
    """Returns a constant in the form that the kubelet turns into `value` when it expands a command line.

    A lone `$` stays, because the kubelet and kfp.local leave it alone.
    """
    if isinstance(value, str):
        return _EXPANDED.sub(lambda found: found[0] * 2, value)
    if isinstance(value, dict):
        return {kept(key): kept(inner) for key, inner in value.items()}
    return [kept(inner) for inner in value] if isinstance(value, (list, tuple)) else value


# Source: kubernetes, third_party/forked/golang/expansion/expand.go.
_EXPANDED = re.compile(r"\$+(?=\()|\$\$+")


def _component(
    name: str,
    image: str,
    inputs: Mapping[str, str],
    outputs: Mapping[str, str],
    line: Callable[[dict[str, str]], list[str]],
    *,
    description: str = "",
) -> Any:
    """Makes a container component from types and a command line, without a function's source.

    Raises:
        RenderError: Two of its names are the same for KFP.
    """
    names = [*inputs, *outputs]
    annotations = [*map(_input, inputs.values()), *map(_output, outputs.values())]
    known: dict[str, str] = {}
    for given in names:
        other = known.setdefault(plain(given), given)
        if other != given:
            raise RenderError(
                f"names in KFP hold only letters, digits and '_', so {given!r} and {other!r} of step {name!r} would be "
                f"the same; rename one of them"
            )

    def body(*placeholders: Any) -> dsl.ContainerSpec:
        texts = [str(getattr(holder, "path", holder)) for holder in placeholders]
        command, arguments = split_command(line(dict(zip(names, texts, strict=True))))
        return dsl.ContainerSpec(image=image, command=command, args=arguments)

    body.__name__ = name.replace("-", "_")
    body.__doc__ = " ".join(description.split())
    body.__signature__ = inspect.Signature(  # type: ignore[attr-defined]  # kfp reads the signature and nothing else
        [
            inspect.Parameter(plain(given), inspect.Parameter.KEYWORD_ONLY, annotation=annotation)
            for given, annotation in zip(names, annotations, strict=True)
        ]
    )
    return dsl.container_component(body)


def _input(kind: str) -> Any:
    if kind == "status":
        return dsl.PipelineTaskFinalStatus
    return TYPES[kind] if kind in PARAMETER_TYPES else dsl.Input[TYPES[kind]]


def _output(kind: str) -> Any:
    return dsl.OutputPath(TYPES[kind]) if kind in PARAMETER_TYPES else dsl.Output[TYPES[kind]]
