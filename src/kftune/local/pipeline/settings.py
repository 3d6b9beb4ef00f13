"""Reads the parameters of a run from a command line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

from kftune import json_input
from kftune.errors import KftuneError, UnknownNameError, UsageError
from kftune.pipeline import ParameterReference, Pipeline
from kftune.pipeline.ports import float_as_written, typed_value
from kftune.spec.part import PartError

_EXAMPLES = {"int": "3", "float": "0.5", "bool": "true", "list": "[1,2]", "dict": '{"a":1}'}


def read_parameters(pipeline: Pipeline, given: Sequence[str]) -> dict[str, Any]:
    """Returns the values of a command line.

    Args:
        pipeline: The pipeline.
        given: Texts of the form ``name=value``.

    Raises:
        UnknownNameError: The pipeline does not have such a parameter.
        UsageError: A value is not of the parameter's type, or a hyperparameter rejects it.
    """
    values: dict[str, Any] = {}
    for setting in given:
        name, equals, text = setting.partition("=")
        if not equals:
            raise UsageError(f"a parameter of the run is name=value, but got {setting!r}")
        if name in values:
            raise UsageError(f"a parameter is given once, but {name} is there twice")
        if name not in pipeline.run_parameters:
            raise UnknownNameError("run parameter", name, pipeline.run_parameters)
        wanted = str(pipeline.run_parameters[name].type)
        values[name] = _read(name, wanted, text)
        _check_hparam(pipeline, name, text)
    return values


def _read(name: str, wanted: str, text: str) -> Any:
    if wanted == "str":
        return text
    try:
        value = typed_value(json_input.loads(text, parse_constant=_refuse), wanted)
        return float_as_written(value, text.strip()) if wanted == "float" else value
    except (ValueError, PartError) as error:
        raise UsageError(
            f"the parameter {name} is of type {wanted}, for example {name}={_EXAMPLES[wanted]}, but got {text!r}"
        ) from error


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def _check_hparam(pipeline: Pipeline, name: str, text: str) -> None:
    """Checks that the hyperparameters which a parameter sets accept its value."""
    for node in pipeline.plan.nodes.values():
        for argument in node.hparams.values():
            hparams = node.step.hyperparameters
            if argument.source == ParameterReference(name) and hparams is not None:
                try:
                    leaf = hparams.leaf(argument.name)
                    leaf.jsonable(leaf.decode(text))
                except KftuneError as error:
                    raise UsageError(
                        f"the parameter {name} sets {argument.name} of step {node.name}: {error}"
                    ) from error
