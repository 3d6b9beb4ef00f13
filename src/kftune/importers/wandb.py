"""Weights & Biases: sweep configurations as YAML, JSON or Python text.

Source: W&B's reference of sweep configuration keys.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kftune.errors import ForeignFileError
from kftune.importers.document import find
from kftune.importers.draft import Draft
from kftune.importers.imported import Imported, Options
from kftune.importers.node import Node
from kftune.importers.spaces import Bounds, Space, choice, exponents, integers, log_uniform, normal, quantised, uniform

DISTRIBUTIONS = (
    *("constant", "categorical", "categorical_w_probabilities", "int_uniform", "uniform", "q_uniform", "log_uniform"),
    *("log_uniform_values", "q_log_uniform", "q_log_uniform_values", "inv_log_uniform", "inv_log_uniform_values"),
    *("normal", "q_normal", "log_normal", "q_log_normal", "beta", "q_beta"),
)
_KEYS = ("value", "values", "probabilities", "distribution", "min", "max", "mu", "sigma", "q", "a", "b", "parameters")
_REASONS = {
    "entity": "results are on this machine or on the cluster, without accounts",
    "project": "results are on this machine or on the cluster, without accounts",
    "controller": "kftune run is the controller",
    "prior_runs": "write the best values of earlier runs into points",
    "job": "write step.command and step.image",
    "launch": "write step.resources and step.queue",
    "scheduler": "kftune run is the scheduler",
    "imageuri": "write step.image",
}
_HYPERBAND = (
    "judged at each rung against all trials that reached it, as in W&B; the resource is the step that is reported"
)


def read(path: Path, options: Options) -> Imported:
    """Returns the study of a sweep.

    Args:
        path: A sweep configuration as YAML or JSON, or Python text with one as a dict.
        options: What the user decides.

    Raises:
        ForeignFileError: There is no sweep, or it is invalid.
        OSError: The file cannot be read.
    """
    found = find(path, _wanted, "a W&B sweep")
    node = found.node or found.assigned(_wanted)
    if node is None:
        raise ForeignFileError("this is not a W&B sweep: it has no mapping with the key parameters", str(path))
    given = node.get("name")
    draft = Draft(path.stem if given is None else given.text(), options)
    if found.python.values:
        draft.converted(node, "read as Python text, which is not run")
    if given is not None:
        draft.exact(given, f"name: {given.text()}")
    draft.carry(node.get("description"), "description")
    for name, each in node.need("parameters").items():
        _parameter(draft, name, each)
    _metric(draft, node.get("metric"))
    cap = node.get("run_cap")
    draft.carry(cap, "budget", "max_trials")
    _method(draft, node.need("method", "a sweep"), cap is not None)
    _early_terminate(draft, node.get("early_terminate"))
    _command(draft, node)
    draft.printed("W&B gets metrics from wandb.log")
    node.ignore(["version", "$schema"])
    draft.leave(node, _REASONS)
    return draft.finish()


def _wanted(value: Mapping[str, Any]) -> bool:
    parameters = value.get("parameters")
    return isinstance(parameters, Mapping) and "apiVersion" not in value


# -- parameters --------------------------------------------------------------------------------------------------------


def _parameter(draft: Draft, name: str, node: Node) -> None:
    if not isinstance(node.value, Mapping):
        raise node.fail(f"a parameter is a mapping with value, values, or min and max, but this is {node.value!r}")
    inner = node.get("parameters")
    if inner is not None:
        for each, below in inner.items():
            _parameter(draft, f"{name}.{each}", below)
        draft.leave(node, {})
        return
    if "value" in node.value and "distribution" not in node:
        value = node.get("value")
        draft.fix(name, node, None if value is None else value.value)
    else:
        kind = _distribution(node)
        if kind == "constant":
            draft.fix(name, node, node.need("value", kind).value)
        else:
            draft.search(name, node, _space(draft, node, kind))
    draft.leave(node, {})


def _distribution(node: Node) -> str:
    """Returns the distribution; without one, W&B infers it."""
    given = node.get("distribution")
    if given is not None:
        return given.one_of(DISTRIBUTIONS)
    if "values" in node:
        return "categorical"
    if "min" in node or "max" in node:
        ends = [node.need("min", "a range").value, node.need("max", "a range").value]
        whole = all(isinstance(each, int) and not isinstance(each, bool) for each in ends)
        return "int_uniform" if whole else "uniform"
    if "mu" in node or "sigma" in node:
        return "normal"
    raise node.fail(
        f"a parameter needs value, values, or min and max; it has: {', '.join(map(str, node.value)) or 'nothing'}"
    )


def _space(draft: Draft, node: Node, kind: str) -> Space:
    if kind.startswith("categorical"):
        return _categorical(node, kind)
    if kind.endswith("beta"):
        return _beta(node)
    q = _positive(node, "q", 1.0) if kind.startswith("q_") else None
    if kind.endswith("normal"):
        mu = node.get("mu")
        return normal(0.0 if mu is None else mu.number(), _positive(node, "sigma", 1.0), q, log="log" in kind)
    low, high = _ends(node, kind)
    if kind == "int_uniform":
        return integers(int(low), int(high))
    if "log" in kind:
        return _logarithmic(draft, node, kind, (low, high), q)
    return uniform(low, high) if q is None else quantised(low, high, q)


def _categorical(node: Node, kind: str) -> Space:
    weights = node.get("probabilities")
    values = node.need("values", kind).values()
    if weights is None:
        return choice(values)
    shares = [each.number() for each in weights.each()]
    if len(shares) != len(values):
        raise weights.fail(f"there are {len(values)} values, but {len(shares)} probabilities")
    return choice(values, shares)


def _positive(node: Node, key: str, default: float) -> float:
    found = node.get(key)
    value = default if found is None else found.number()
    if value <= 0:
        raise node.fail(f"{key} must be above 0, but is {value:g}")
    return value


def _ends(node: Node, kind: str) -> tuple[float, float]:
    """Returns the bounds; without them, W&B takes 0 and 1."""
    low, high = node.get("min"), node.get("max")
    if kind == "int_uniform":
        return node.need("min", kind).integer(), node.need("max", kind).integer()
    ends = (0.0 if low is None else low.number(), 1.0 if high is None else high.number())
    if ends[0] > ends[1]:
        raise node.fail(f"min must not be above max, but {ends[0]:g} > {ends[1]:g}")
    return ends


def _logarithmic(draft: Draft, node: Node, kind: str, ends: tuple[float, float], q: float | None) -> Space:
    low, high = ends
    note, check = "", ""
    if kind.endswith("_values"):
        if low <= 0:
            raise node.fail(f"{kind} needs min above 0, but it is {low:g}")
    else:
        if kind.startswith("inv_"):  # X with log(1 / X) between min and max
            low, high = -high, -low
        bounds: Bounds = draft.options.log_bounds or "exponents"
        if bounds == "values" and kind.startswith("inv_"):
            low, high = 1 / ends[1], 1 / ends[0]
        try:
            low, high, note, check = exponents(low, high, bounds)
        except ValueError as error:
            raise node.fail(str(error)) from error
    made = log_uniform(low, high) if q is None else quantised(low, high, q, log=True)
    return made._replace(converted="; ".join(filter(None, (note, made.converted))), check=check)


def _beta(node: Node) -> Space:
    shape = (_positive(node, "a", 1.0), _positive(node, "b", 1.0))
    node.get("q")
    if shape == (1.0, 1.0):
        return uniform(0, 1)._replace(converted="a beta distribution with a = b = 1 is uniform")
    mean = shape[0] / sum(shape)
    std = math.sqrt(shape[0] * shape[1] / (sum(shape) ** 2 * (sum(shape) + 1)))
    spec = {"normal": [float(f"{mean:.6g}"), float(f"{std:.6g}")], "low": 0, "high": 1}
    return Space(
        spec,
        "float",
        lost="a study has no beta distribution: this is a normal one of that mean and deviation, within 0 and 1",
    )


# -- the rest ----------------------------------------------------------------------------------------------------------


def _metric(draft: Draft, node: Node | None) -> None:
    if node is None:
        return
    goal = node.get("goal")
    draft.objective(
        node,
        node.need("name", "a metric").text(),
        "minimize" if goal is None else goal.one_of(("minimize", "maximize")),
    )
    if goal is None:
        draft.converted(node, "direction: minimize, W&B's default")
    draft.carry(node.get("target"), "objective", "goal")
    draft.leave(node, {"impute": "a trial without a value counts as failed"})


def _method(draft: Draft, node: Node, capped: bool) -> None:
    name = node.one_of(("grid", "random", "bayes", "custom"))
    if name == "bayes":
        draft.bayesian(node)
    elif name == "custom":
        draft.lost(node, "a search in a controller of one's own: see docs/guides/plug-ins.md")
    elif name == "random":
        draft.carry(node, "algorithm", "name", value=name)
    if name == "grid":
        draft.grid(node)
    elif not capped:
        draft.to_fill("budget.max_trials", "a sweep without run_cap has no end; a study has 10 trials without this key")


def _early_terminate(draft: Draft, node: Node | None) -> None:
    if node is None:
        return
    node.need("type", "early_terminate").one_of(("hyperband",))
    eta = node.get("eta")
    factor = 3 if eta is None else eta.number()
    rule: dict[str, int] = {"reduction_factor": max(2, round(factor))}
    low, high, brackets = node.get("min_iter"), node.get("max_iter"), node.get("s")
    if low is not None:
        rule["min_resource"] = low.integer()
    elif high is not None:
        rungs = 1 if brackets is None else brackets.integer()
        rule["min_resource"] = max(1, int(high.integer() / factor**rungs))
        rule["max_resource"] = high.integer()
    else:
        raise node.fail("hyperband needs min_iter, or max_iter and s")
    if factor != rule["reduction_factor"]:
        draft.put("stopping", "asha", value=rule)
        draft.lost(node, f"stopping.asha: {_text(rule)}; reduction_factor is an integer, but eta is {factor:g}")
    else:
        draft.carry(node, "stopping", "asha", value=rule, note=_HYPERBAND)
    strict = node.get("strict")
    if strict is not None and strict.value is True:
        draft.lost(strict, "stopping.asha judges like W&B without strict")
    draft.leave(node, {})


def _text(rule: Mapping[str, int]) -> str:
    return ", ".join(f"{key}: {value}" for key, value in rule.items())


_ARGUMENTS = {
    "${args}": {},
    "${args_no_hyphens}": {"style": "name=value"},
    "${args_no_boolean_flags}": {"booleans": "flag"},
    "${args_json_file}": {"as": "json-file"},
}
"""Macro -> `step.arguments` that give the script the same."""


def _command(draft: Draft, node: Node) -> None:
    program, command = node.get("program"), node.get("command")
    place = command or program
    if place is None:
        return
    words = ["${interpreter}", "${program}", "${args}"] if command is None else map(str, command.values())
    known = {
        "${env}": [],
        "/usr/bin/env": [],
        "${interpreter}": ["python"],
        "${program}": [] if program is None else [program.text()],
    }
    made: list[str] = []
    for word in words:
        if word in _ARGUMENTS:
            for key, value in _ARGUMENTS[word].items():
                draft.put("step", "arguments", key, value=value)
        elif word == "${args_json}":
            draft.lost(place, "${args_json}: a study writes one argument each, or a JSON file (step.arguments.as)")
        elif word.startswith("${envvar:"):
            draft.lost(place, f"{word}: write the value into step.args, or read the variable in the script")
        else:
            made += known.get(word, [word])
    if made:
        draft.start(place, made)
