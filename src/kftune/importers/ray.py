"""Ray Tune: search spaces as JSON, and as calls of `tune.*` in Python text, which is not run.

Source: Ray's reference of tune's search space API. Bounds of logarithmic ranges are values there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kftune.errors import ForeignFileError, suggestion
from kftune.importers.document import Found, find
from kftune.importers.draft import Draft
from kftune.importers.imported import Imported, Options
from kftune.importers.node import Node
from kftune.importers.python_text import Call, Code, Lined
from kftune.importers.spaces import Space, choice, integers, log_uniform, normal, quantised, uniform

# Function -> its parameters.
_FUNCTIONS: Mapping[str, tuple[str, ...]] = {
    "uniform": ("lower", "upper"),
    "quniform": ("lower", "upper", "q"),
    "loguniform": ("lower", "upper", "base"),
    "qloguniform": ("lower", "upper", "q", "base"),
    "randn": ("mean", "sd"),
    "qrandn": ("mean", "sd", "q"),
    "randint": ("lower", "upper"),
    "qrandint": ("lower", "upper", "q"),
    "lograndint": ("lower", "upper", "base"),
    "qlograndint": ("lower", "upper", "q", "base"),
    "choice": ("categories",),
    "grid_search": ("values",),
}
_SCHEDULERS = ("ASHAScheduler", "AsyncHyperBandScheduler", "HyperBandScheduler", "MedianStoppingRule", "FIFOScheduler")
_ALGORITHMS = {
    "OptunaSearch": "multivariate-tpe",
    "HyperOptSearch": "tpe",
    "BayesOptSearch": "bayesianoptimization",
    "BasicVariantGenerator": "random",
}
_WRAPPER = "train_loop_config"
"""What Ray Train's trainers put around the values of the training function."""


def read(path: Path, options: Options) -> Imported:
    """Returns the study of a Ray Tune run.

    Args:
        path: JSON or YAML in which each searched value is a mapping of one function to its arguments,
            ``{"lr": {"loguniform": [1e-4, 1e-1]}}``, other mappings are groups and other values are fixed; or Python
            text with `tune.Tuner`, `tune.run`, or a dict of `tune.*` calls.
        options: What the user decides.

    Raises:
        ForeignFileError: There is no search space, or it is invalid.
        OSError: The file cannot be read.
    """
    found = find(path, _wanted, "a Ray search space")
    draft = Draft(path.stem, options)
    node = found.node
    if node is None:
        node = _python_space(found, path)
        _python_settings(draft, found)
    else:
        node = node.get("param_space") or node
    _space_of(draft, node, "")
    if _has_grid(node.value):
        draft.to_fill(
            "algorithm",
            "grid_search tries every value with each sample; write algorithm: {name: grid} if all are lists",
        )
    draft.printed("Ray gets metrics from tune.report")
    if "budget" not in draft.study:
        draft.to_fill(
            "budget.max_trials", "the file names no number of samples; a study has 10 trials without this key"
        )
    return draft.finish()


def _wanted(value: Mapping[str, Any]) -> bool:
    space = value.get("param_space", value)
    return isinstance(space, Mapping) and any(_is_searched(each) for each in _leaves(space))


def _leaves(value: Mapping[str, Any]) -> list[Any]:
    found: list[Any] = []
    for each in value.values():
        if isinstance(each, Mapping) and not _is_searched(each):
            found += _leaves(each)
        else:
            found.append(each)
    return found


def _is_searched(value: Any) -> bool:
    if isinstance(value, Call):
        return value.name in (*_FUNCTIONS, "sample_from")
    return isinstance(value, Mapping) and len(value) == 1 and next(iter(value)) in _FUNCTIONS


def _has_grid(value: Mapping[str, Any]) -> bool:
    return any(
        each.name == "grid_search" if isinstance(each, Call) else isinstance(each, Mapping) and "grid_search" in each
        for each in _leaves(value)
    )


# -- the space ---------------------------------------------------------------------------------------------------------


def _space_of(draft: Draft, node: Node, prefix: str) -> None:
    for key, each in node.items():
        name, value = f"{prefix}{key}", each.value
        if not prefix and key == _WRAPPER and isinstance(value, Mapping):
            draft.converted(each, "its values are those of the training function")
            _space_of(draft, each, "")
            continue
        if isinstance(value, Code) or (isinstance(value, Call) and value.name not in _FUNCTIONS):
            text = "its value depends on other values, which a study cannot say; compute it in the script"
            draft.lost(
                each,
                text
                if "sample_from" in repr(value)
                else f"{value!r} is code, and the file is not run: write the value",
            )
        elif _is_searched(value):
            draft.search(name, each, _domain(each))
        elif isinstance(value, Mapping):
            function = next(iter(value), "")
            if (
                len(value) == 1
                and isinstance(value[function], list)
                and (near := suggestion(str(function), _FUNCTIONS)).startswith("did")
            ):
                raise each.fail(f"unknown function {function!r}; {near}")
            _space_of(draft, each, f"{name}.")
        else:
            draft.fix(name, each, value)


def _domain(node: Node) -> Space:
    """Returns the domain of a call, or of a mapping that stands for one."""
    function, args, kwargs = _parts(node.value)
    names = _FUNCTIONS[function]
    if args and isinstance(args[0], str):
        raise node.fail(
            f"{function} with a name in front is of HyperOpt; kftune reads Ray's own functions: tune.{function}("
            f"{', '.join(names)})"
        )
    if len(args) > len(names):
        raise node.fail(f"{function} takes {len(names)} arguments ({', '.join(names)}), but got {len(args)}")
    unknown = next((name for name in kwargs if name not in names), None)
    if unknown is not None:
        raise node.fail(f"{function} has no argument {unknown!r}; {suggestion(unknown, names)}")
    given = Lined({**dict(zip(names, args, strict=False)), **kwargs})
    given.lines = {}
    return _of_function(Node(node.source, given, node.path, node.line), function)


def _parts(value: Any) -> tuple[str, tuple[Any, ...], Mapping[str, Any]]:
    """Returns the function, the arguments and the named arguments of what is searched."""
    if isinstance(value, Call):
        return value.name, value.args, value.kwargs
    [(function, inner)] = value.items()
    if isinstance(inner, Mapping):
        return function, (), inner
    listed = isinstance(inner, list) and function not in ("choice", "grid_search")
    return function, tuple(inner) if listed else (inner,), {}


def _of_function(node: Node, function: str) -> Space:
    if function in ("choice", "grid_search"):
        return choice(node.need(_FUNCTIONS[function][0], function).values())
    if function in ("randn", "qrandn"):
        mean, std = node.get("mean"), node.get("sd")
        q = node.need("q", function).number() if function == "qrandn" else None
        return normal(0.0 if mean is None else mean.number(), 1.0 if std is None else std.number(), q)
    lower, upper = node.need("lower", function), node.need("upper", function)
    low, high = lower.number(), upper.number()
    if low > high:
        raise node.fail(f"lower must not be above upper, but {low:g} > {high:g}")
    if "log" in function and low <= 0:
        raise node.fail(f"{function} needs lower above 0, but it is {low:g}")
    if function in ("randint", "lograndint"):
        made = integers(lower.integer(), upper.integer() - 1, log=function == "lograndint")
        return made._replace(converted=f"the upper bound {high:g} is never drawn")
    if function in ("uniform", "loguniform"):
        return uniform(low, high) if function == "uniform" else log_uniform(low, high)
    q = node.need("q", function).number()
    if q <= 0:
        raise node.fail(f"q must be above 0, but is {q:g}")
    return quantised(low, high, q, log="log" in function)


# -- Python text -------------------------------------------------------------------------------------------------------


def _python_space(found: Found, path: Path) -> Node:
    """Returns the search space of Python text."""
    for call in reversed(found.python.calls):
        for key in ("param_space", "config", "hp_space"):
            value = call.kwargs.get(key)
            if call.name in ("Tuner", "run") and isinstance(value, Mapping) and _wanted(value):
                return Node(found.source, value, (), call.line)
    node = found.assigned(_wanted)
    if node is None:
        raise ForeignFileError(
            "this is not a Ray search space: it has no dict with calls of tune.uniform, tune.choice or the like",
            str(path),
        )
    return node


def _python_settings(draft: Draft, found: Found) -> None:
    call = found.python.last_call("TuneConfig") or found.python.last_call("run")
    if call is None:
        return
    given = Lined(call.kwargs)
    given.lines = dict.fromkeys(given, call.line)
    node = Node(found.source, given, (call.name,), call.line)
    metric, mode = _plain(draft, node, "metric"), _plain(draft, node, "mode")
    if metric is not None:
        direction = "minimize" if mode is not None and mode.one_of(("min", "max")) == "min" else "maximize"
        draft.objective(metric, metric.text(), direction)
    draft.carry(_plain(draft, node, "num_samples"), "budget", "max_trials")
    draft.carry(_plain(draft, node, "max_concurrent_trials"), "budget", "parallel")
    draft.carry(_plain(draft, node, "time_budget_s"), "budget", "wall_clock")
    _algorithm(draft, node)
    _scheduler(draft, node)
    node.ignore(["config", "param_space"])
    draft.leave(
        node,
        {
            "stop": "end trials in the script, or with stopping",
            "resources_per_trial": "write step.resources",
            "fail_fast": "write budget.max_failed",
            "reuse_actors": "write step.warm",
        },
    )


def _plain(draft: Draft, node: Node, key: str) -> Node | None:
    found = node.get(key)
    if found is not None and isinstance(found.value, Code | Call):
        draft.lost(found, f"{found.value!r} is code, and the file is not run: write the value")
        return None
    return found


def _resolved(node: Node, key: str) -> Node | None:
    """Returns a setting that is the call of a class; a wrapper such as ConcurrencyLimiter is looked through."""
    found = node.get(key)
    if (
        found is not None
        and isinstance(found.value, Call)
        and found.value.name == "ConcurrencyLimiter"
        and found.value.args
    ):
        return Node(found.source, found.value.args[0], found.path, found.line)
    return found


def _algorithm(draft: Draft, node: Node) -> None:
    found = _resolved(node, "search_alg")
    if found is None:
        return
    name = found.value.name if isinstance(found.value, Call) else ""
    if name in _ALGORITHMS:
        draft.carry(found, "algorithm", "name", value=_ALGORITHMS[name], note=f"for {name}")
    else:
        draft.lost(found, f"{found.value!r} is not known here; the study uses its default, multivariate-tpe")


def _scheduler(draft: Draft, node: Node) -> None:
    found = node.get("scheduler")
    if found is None:
        return
    call = found.value
    name = call.name if isinstance(call, Call) else ""
    if name not in _SCHEDULERS or name == "FIFOScheduler":
        if name != "FIFOScheduler":
            draft.lost(found, f"{call!r} is not known here; docs/guides/stopping.md has the rules")
        return
    kwargs: Mapping[str, Any] = call.kwargs
    if name == "MedianStoppingRule":
        rule: dict[str, Any] = {
            "keep": 50,
            **_whole(kwargs, {"grace_period": "delay", "min_samples_required": "min_trials"}),
        }
        draft.put("stopping", "percentile", value=rule)
        draft.lost(found, "stopping.percentile with keep: 50, the median of the best values; Ray's is of averages")
        return
    keys = {
        "grace_period": "min_resource",
        "max_t": "max_resource",
        "reduction_factor": "reduction_factor",
        "brackets": "brackets",
    }
    rule = _whole(kwargs, keys)
    if name == "HyperBandScheduler":
        rule.setdefault("max_resource", 81)
        rule.pop("brackets", None)
        draft.carry(
            found, "stopping", "hyperband", value=rule, note="for HyperBandScheduler, without waiting for others"
        )
    else:
        rule = {"reduction_factor": 4, **rule}
        draft.carry(
            found, "stopping", "asha", value=rule, note=f"for {name}; the resource is the step that is reported"
        )


def _whole(kwargs: Mapping[str, Any], keys: Mapping[str, str]) -> dict[str, Any]:
    return {
        target: round(kwargs[key])
        for key, target in keys.items()
        if isinstance(kwargs.get(key), int | float) and math.isfinite(kwargs[key])
    }
