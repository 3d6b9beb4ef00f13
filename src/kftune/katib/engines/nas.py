"""What Katib's `enas` and `darts` do with a nasConfig.

Source: katib v0.19.0, pkg/suggestion/v1beta1/nas (common/validation.py, enas/service.py, enas/AlgorithmSettings.py,
darts/service.py), read; they were not run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from kftune.katib.admission.webhook_template import is_meta_reference
from kftune.katib.engines.search import Problem
from kftune.katib.go.numbers import python_float, python_int
from kftune.katib.go.types import Path

_GIVEN = {
    "enas": ("architecture", "nn_config"),
    "darts": ("algorithm-settings", "search-space", "num-layers"),
}


class _Range(NamedTuple):
    whole: bool
    """Whether it must be an integer."""
    holds: Callable[[float], bool]
    told: str
    may_be_none: bool = False


def _at_least(least: int, *, may_be_none: bool = False) -> _Range:
    return _Range(True, lambda value: value >= least, f"an integer of at least {least}", may_be_none)


# Conditions are negated ones: the engine lets NaN pass.
_ABOVE_ZERO = _Range(False, lambda value: not value <= 0, "a number above 0")
_ABOVE_ZERO_OR_NONE = _ABOVE_ZERO._replace(may_be_none=True)
_SHARE = _Range(False, lambda value: not (value <= 0 or value > 1), "a number above 0, at most 1")
_NOT_BELOW_ZERO = _Range(False, lambda value: value >= 0, "a number of at least 0")
_SETTINGS: dict[str, dict[str, _Range]] = {
    "enas": {
        "controller_hidden_size": _at_least(1),
        "controller_temperature": _ABOVE_ZERO_OR_NONE,
        "controller_tanh_const": _ABOVE_ZERO_OR_NONE,
        "controller_entropy_weight": _ABOVE_ZERO_OR_NONE,
        "controller_baseline_decay": _SHARE,
        "controller_learning_rate": _SHARE,
        "controller_skip_target": _SHARE,
        "controller_skip_weight": _ABOVE_ZERO_OR_NONE,
        "controller_train_steps": _at_least(1),
        "controller_log_every_steps": _at_least(1),
    },
    "darts": {
        "num_epochs": _at_least(1),
        "w_lr": _NOT_BELOW_ZERO,
        "w_lr_min": _NOT_BELOW_ZERO,
        "alpha_lr": _NOT_BELOW_ZERO,
        "w_weight_decay": _NOT_BELOW_ZERO,
        "alpha_weight_decay": _NOT_BELOW_ZERO,
        "w_momentum": _NOT_BELOW_ZERO,
        "w_grad_clip": _NOT_BELOW_ZERO,
        "batch_size": _at_least(1, may_be_none=True),
        "num_workers": _at_least(0),
        "init_channels": _at_least(1),
        "print_step": _at_least(1),
        "num_nodes": _at_least(1),
        "stem_multiplier": _at_least(1),
    },
}


def nas_problems(spec: Mapping[str, Any]) -> Iterator[Problem]:
    """What goes wrong with an Experiment of enas or darts; nothing for other algorithms.

    Args:
        spec: The decoded spec with its defaults.
    """
    algorithm = spec["algorithm"]["algorithmName"]
    if algorithm not in _GIVEN:
        return
    refused = next(_refused(spec, algorithm), None)
    if refused is not None:
        yield refused
        return
    yield from _reference_problems(spec, algorithm)
    if algorithm == "darts" and spec.get("maxTrialCount") != spec["parallelTrialCount"]:
        message = "darts answers once: when Katib asks for a second batch, every request fails"
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
        if wanted is None:
            if algorithm == "enas":
                yield Problem("KT214", "fails", path, f"enas has no setting {name!r}: the Experiment fails")
            continue
        if wanted.may_be_none and text == "None":
            continue
        value = python_int(text) if wanted.whole else python_float(text)
        if value is None or not wanted.holds(value):
            message = f"{name} must be {wanted.told}, not {text!r}: the Experiment fails"
            yield Problem("KT214", "fails", (*path, "value"), message)


def _reference_problems(spec: Mapping[str, Any], algorithm: str) -> Iterator[Problem]:
    """Katib compares what the engine gives with trialParameters only when it makes the first trial."""
    given = _GIVEN[algorithm]
    declared = spec["trialTemplate"]["trialParameters"]
    wanted = {parameter.get("reference", "") for parameter in declared}
    for name in given:
        if name not in wanted:
            message = f"{algorithm} gives every trial {name!r}, to which no trialParameter refers: no trial can be made"
            yield Problem("KT230", "hangs", ("spec", "trialTemplate", "trialParameters"), message)
    for index, parameter in enumerate(declared):
        reference = parameter.get("reference", "")
        if reference not in given and not is_meta_reference(reference):
            path = ("spec", "trialTemplate", "trialParameters", index, "reference")
            message = f"{algorithm} gives {' and '.join(given)}, and no {reference!r}: no trial can be made"
            yield Problem("KT230", "hangs", path, message)


def _fails(path: Path, message: str) -> Problem:
    return Problem("KT225", "fails", path, f"{message}: the Experiment fails")
