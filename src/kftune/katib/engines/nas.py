"""`enas` and `darts`: Katib's own services for architectures.

Source: katib v0.19.0, pkg/suggestion/v1beta1/nas (common/validation.py, enas/service.py, enas/AlgorithmSettings.py,
darts/service.py), read; they were not run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kftune.katib.admission.webhook_template import is_meta_reference
from kftune.katib.engines.search import Problem
from kftune.katib.engines.settings import Values, integer, number
from kftune.katib.go.numbers import python_float
from kftune.katib.go.types import Path

# What the engines give every trial, with a short example each: JSON with single quotes.
_GIVEN = {
    "enas": {"architecture": "[[2], [4, 0]]", "nn_config": "{'num_layers': 2, 'input_sizes': [32, 32, 3]}"},
    "darts": {
        "algorithm-settings": "{'num_epochs': 50, 'w_lr': 0.025}",
        "search-space": "['max_pooling_3x3', 'skip_connection']",
        "num-layers": "8",
    },
}


def nas_examples(algorithm: str) -> Mapping[str, str]:
    """Returns an example of each text that enas or darts gives a trial; empty for other algorithms."""
    return _GIVEN.get(algorithm, {})


def _or_none(values: Values) -> Values:
    """Returns the values, and the text None."""
    return values._replace(
        holds=lambda value: value == "None" or values.holds(value),
        read=lambda text: text if text == "None" else values.read(text),
    )


# Conditions are negated ones: the engine lets NaN pass.
_ABOVE_0 = number("a number above 0", lambda value: not value <= 0)
_ABOVE_0_OR_NONE = _or_none(_ABOVE_0)
_SHARE = number("a number above 0, at most 1", lambda value: not (value <= 0 or value > 1))
_FROM_0 = number("a number of at least 0", lambda value: value >= 0)
_SETTINGS: Mapping[str, Mapping[str, Values]] = {
    "enas": {
        "controller_hidden_size": integer(1),
        "controller_temperature": _ABOVE_0_OR_NONE,
        "controller_tanh_const": _ABOVE_0_OR_NONE,
        "controller_entropy_weight": _ABOVE_0_OR_NONE,
        "controller_baseline_decay": _SHARE,
        "controller_learning_rate": _SHARE,
        "controller_skip_target": _SHARE,
        "controller_skip_weight": _ABOVE_0_OR_NONE,
        "controller_train_steps": integer(1),
        "controller_log_every_steps": integer(1),
    },
    "darts": {
        "num_epochs": integer(1),
        "w_lr": _FROM_0,
        "w_lr_min": _FROM_0,
        "alpha_lr": _FROM_0,
        "w_weight_decay": _FROM_0,
        "alpha_weight_decay": _FROM_0,
        "w_momentum": _FROM_0,
        "w_grad_clip": _FROM_0,
        "batch_size": _or_none(integer(1)),
        "num_workers": integer(0),
        "init_channels": integer(1),
        "print_step": integer(1),
        "num_nodes": integer(1),
        "stem_multiplier": integer(1),
    },
}


def nas_problems(spec: Mapping[str, Any]) -> Iterator[Problem]:
    """Yields what goes wrong with an Experiment of enas or darts.

    Args:
        spec: The decoded spec with its defaults.
    """
    algorithm = spec["algorithm"]["algorithmName"]
    refused = next(_refused(spec, algorithm), None)
    if refused is not None:
        yield refused
        return
    yield from _reference_problems(spec, algorithm)
    if algorithm == "darts" and spec.get("maxTrialCount") != spec["parallelTrialCount"]:
        message = "darts answers one request: from the second on, every request fails"
        yield Problem("KT225", "hangs", ("spec", "maxTrialCount"), message)


def _refused(spec: Mapping[str, Any], algorithm: str) -> Iterator[Problem]:
    config = spec.get("nasConfig") or {}
    graph = config.get("graphConfig") or {}
    path: Path = ("spec", "nasConfig")
    if algorithm == "enas":
        for field in ("inputSizes", "outputSizes", "numLayers"):
            if not graph.get(field):
                yield _fails((*path, "graphConfig"), f"enas needs graphConfig.{field}")
    for index, operation in enumerate(config.get("operations", ())):
        yield from _operation_problems(operation, (*path, "operations", index))
    yield from _setting_problems(spec, algorithm)


def _operation_problems(operation: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    if not operation.get("operationType"):
        yield _fails(path, "an operation has no operationType")
    parameters = operation.get("parameters", ())
    if not parameters:
        yield _fails(path, "an operation has no parameters")
    for index, parameter in enumerate(parameters):
        at = (*path, "parameters", index)
        kind, space = parameter.get("parameterType", ""), parameter.get("feasibleSpace") or {}
        if not parameter.get("name"):
            yield _fails(at, "a parameter has no name")
        if kind in ("", "unknown"):
            yield _fails(at, f"{parameter.get('name')!r} has no parameterType")
        elif kind in ("categorical", "discrete") and not space.get("list"):
            yield _fails((*at, "feasibleSpace"), f"the list of {parameter.get('name')!r} is empty")
        elif kind in ("int", "double"):
            yield from _number_problems(kind, space, (*at, "feasibleSpace"))


def _number_problems(kind: str, space: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    if not space.get("min") and not space.get("max"):
        yield _fails(path, "min and max are missing")
    step = python_float(space.get("step", ""))
    if kind == "double" and (step is None or step <= 0):
        yield _fails((*path, "step"), "a double needs a step above 0")


def _setting_problems(spec: Mapping[str, Any], algorithm: str) -> Iterator[Problem]:
    known = _SETTINGS[algorithm]
    for index, setting in enumerate(spec["algorithm"].get("algorithmSettings", ())):
        name, text = setting.get("name", ""), setting.get("value", "")
        path: Path = ("spec", "algorithm", "algorithmSettings", index)
        wanted = known.get(name)
        if wanted is None and algorithm == "enas":
            yield Problem("KT214", "fails", path, f"enas has no setting {name!r}: the Experiment fails")
        elif wanted is not None and not wanted.has_text(text):
            message = f"{name} must be {wanted.rule}, not {text!r}: the Experiment fails"
            yield Problem("KT214", "fails", (*path, "value"), message)


def _reference_problems(spec: Mapping[str, Any], algorithm: str) -> Iterator[Problem]:
    """Katib compares the engine's assignments with trialParameters only when it creates the first trial."""
    given = _GIVEN[algorithm]
    declared = spec["trialTemplate"]["trialParameters"]
    wanted = {parameter.get("reference", "") for parameter in declared}
    for name in given:
        if name not in wanted:
            message = (
                f"{algorithm} gives every trial {name!r}, which no trialParameter refers to: Katib cannot create trials"
            )
            yield Problem("KT230", "hangs", ("spec", "trialTemplate", "trialParameters"), message)
    for index, parameter in enumerate(declared):
        reference = parameter.get("reference", "")
        if reference not in given and not is_meta_reference(reference):
            path = ("spec", "trialTemplate", "trialParameters", index, "reference")
            message = f"{algorithm} gives {' and '.join(given)}, but not {reference!r}: Katib cannot create trials"
            yield Problem("KT230", "hangs", path, message)


def _fails(path: Path, message: str) -> Problem:
    return Problem("KT225", "fails", path, f"{message}: the Experiment fails")
