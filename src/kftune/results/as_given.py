"""A trial's values in the form in which the study's script takes them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from kftune.argv import Kind, Kinds, to_arguments, to_json
from kftune.results.records import Meta, Trial


def given_lines(trial: Trial, meta: Meta) -> list[str]:
    """Returns the tokens of a command line, the variables, or the JSON object that a trial's script gets, one a line.

    Args:
        trial: The trial.
        meta: Its study, with the form of its last run.
    """
    command = meta.compared.get("command")  # of a study
    if not isinstance(command, Mapping):
        # What an Experiment searches may be an encoded value, or a share of a distribution.
        return to_arguments({name: trial.given(name) for name in trial.assignment})
    stored = command.get("arguments")
    if stored is None:
        return to_arguments(trial.assignment)
    from kftune.spec.arguments import Arguments  # noqa: PLC0415 - pydantic models; most studies need none here
    from kftune.spec.container import Command  # noqa: PLC0415

    kinds = _kinds(trial, meta)
    step = Command.model_construct(arguments=Arguments.model_construct(set(), **stored))
    if step.arguments is not None and step.arguments.way == "json-file":
        return [json.dumps(to_json(trial.assignment, step.form, kinds), ensure_ascii=False)]
    variables = step.variables(trial.assignment, kinds)
    return [f"{name}={text}" for name, text in variables.items()] or step.arguments_of(trial.assignment, kinds, "")


def _kinds(trial: Trial, meta: Meta) -> Kinds:
    """Returns what is known about each value, from the values that the study has: a store has no class."""
    found: dict[str, Kind] = {}
    for name in trial.assignment:
        known = {type(value) for value in _values(name, meta)}
        found[name] = Kind(
            is_boolean=bool in known,
            is_optional=type(None) in known,
            is_text=str in known and known <= {str, type(None)},
            is_hparam=True,
        )
    return found


def _values(name: str, meta: Meta) -> list[Any]:
    """Returns the values that a study lists for a hyperparameter; none for a range of numbers."""
    if name in meta.compared["fixed"]:
        return [meta.compared["fixed"][name]]
    return list(meta.compared["space"].get(name, {}).get("choice", ()))
