"""Hydra: `hydra.sweeper` of a configuration, for the Optuna, Ax, Nevergrad and basic sweepers.

Source: Hydra's documentation of the sweepers, and their plugins.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kftune.errors import ForeignFileError
from kftune.importers.document import find
from kftune.importers.draft import Draft
from kftune.importers.hydra_grammar import NotASweepError, read_sweep
from kftune.importers.imported import Imported, Options
from kftune.importers.node import Node
from kftune.importers.spaces import Space, choice, integers, log_uniform, uniform

_SAMPLERS = {
    "TPESampler": "tpe",
    "RandomSampler": "random",
    "GridSampler": "grid",
    "CmaEsSampler": "cmaes",
    "NSGAIISampler": "nsga2",
    "GPSampler": "bayesianoptimization",
    "QMCSampler": "sobol",
}
# Names in the group hydra/sweeper/sampler.
_CHOSEN = {
    "tpe": "TPESampler",
    "random": "RandomSampler",
    "grid": "GridSampler",
    "cmaes": "CmaEsSampler",
    "nsgaii": "NSGAIISampler",
}
_SETTINGS = {
    "multivariate-tpe": {"n_startup_trials": "n_startup_trials", "n_ei_candidates": "n_ei_candidates"},
    "tpe": {"n_ei_candidates": "n_EI_candidates"},
    "nsga2": {
        "population_size": "population_size",
        "mutation_prob": "mutation_prob",
        "crossover_prob": "crossover_prob",
    },
}


def read(path: Path, options: Options) -> Imported:
    """Returns the study of a sweep.

    Args:
        path: A Hydra configuration with `hydra: {sweeper: …}`, that part alone, or a file of the group hydra/sweeper.
        options: What the user decides.

    Raises:
        ForeignFileError: There is no sweep, or it is invalid.
        OSError: The file cannot be read.
    """
    found = find(path, _wanted, "a Hydra sweep")
    node = found.node
    if node is None:
        raise ForeignFileError("this is not a Hydra sweep: it has no hydra.sweeper with params", str(path))
    sweeper = _sweeper(node)
    draft = Draft(path.stem, options)
    # Hydra takes name=value, without dashes.
    draft.put("step", "arguments", "style", value="name=value")
    chosen = _defaults(node)
    optuna = chosen.get("sweeper") == "optuna" or "n_trials" in sweeper or _target(sweeper, "Optuna")
    params = sweeper.get("params")
    if params is not None:
        nested = params.get("ax_config")  # where older versions of the Ax sweeper have it
        if nested is not None:
            _ax(draft, nested)
        # Source: its grid leaves out the last value of a range.
        grid = chosen.get("sweeper/sampler") == "grid" or _target(sweeper.get("sampler"), "GridSampler")
        _overrides(draft, params, inclusive=optuna and not grid)
    old = sweeper.get("search_space")
    if old is not None and params is None:
        _search_space(draft, old)
    elif old is not None:
        draft.lost(old, "Hydra itself ignores search_space where params is given")
    ax = sweeper.get("ax_config")
    if ax is not None:
        _ax(draft, ax)
    optim = sweeper.get("optim")
    if optim is not None or "parametrization" in sweeper:
        _nevergrad(draft, sweeper, optim)
    _settings(draft, node, sweeper)
    _sampler(draft, sweeper.get("sampler"), chosen.get("sweeper/sampler", ""), node)
    if "algorithm" not in draft.study and not optuna and "optim" not in sweeper:
        draft.grid(sweeper)
    return draft.finish()


def _wanted(value: Mapping[str, Any]) -> bool:
    sweeper = value
    for key in ("hydra", "sweeper"):
        inner = sweeper.get(key)
        sweeper = inner if isinstance(inner, Mapping) else sweeper
    return any(
        isinstance(sweeper.get(key), Mapping) for key in ("params", "search_space", "ax_config", "parametrization")
    )


def _sweeper(node: Node) -> Node:
    inner = node.get("hydra") or node
    return inner.get("sweeper") or inner


def _defaults(node: Node) -> dict[str, str]:
    """Returns what the defaults list chooses in the group hydra: sweeper, sweeper/sampler."""
    given = node.mapping().get("defaults")
    found: dict[str, str] = {}
    for entry in given if isinstance(given, list) else ():
        for key, value in entry.items() if isinstance(entry, Mapping) else ():
            group = str(key).removeprefix("override ").strip().lstrip("/")
            if group.startswith("hydra/"):
                found[group.removeprefix("hydra/")] = str(value)
    return found


def _target(node: Node | None, part: str) -> bool:
    target = None if node is None else node.get("_target_")
    return target is not None and part in str(target.value)


# -- the space ---------------------------------------------------------------------------------------------------------


def _overrides(draft: Draft, params: Node, *, inclusive: bool) -> None:
    for name, each in params.items():
        if name == "ax_config":
            continue
        if isinstance(each.value, list):
            draft.search(name, each, choice(each.values()))
            continue
        try:
            sweep = read_sweep(each.value, inclusive=inclusive)
        except NotASweepError as error:
            raise each.fail(f"{each.value}: {error}") from error
        if sweep.space is not None:
            draft.search(name, each, sweep.space)
        else:
            draft.fix(name, each, sweep.value)


def _search_space(draft: Draft, node: Node) -> None:
    """Takes the older form of the Optuna sweeper."""
    for name, each in node.items():
        kind = each.need("type", "a distribution").one_of(("categorical", "int", "float"))
        if kind == "categorical":
            draft.search(name, each, choice(each.need("choices", kind).values()))
            continue
        low, high, step, log = each.need("low", kind), each.need("high", kind), each.get("step"), each.get("log")
        is_log = log is not None and log.value is True
        if kind == "int":
            space = integers(low.integer(), high.integer(), 1 if step is None else step.integer(), log=is_log)
        elif step is not None:
            space = Space({"quniform": [low.number(), high.number()], "q": step.number()}, "float")
        else:
            space = (log_uniform if is_log else uniform)(low.number(), high.number())
        draft.search(name, each, space)
        draft.leave(each, {})


def _ax(draft: Draft, ax: Node) -> None:
    params = ax.get("params")
    for name, each in params.items() if params is not None else ():
        kind = each.need("type", "a parameter").one_of(("range", "choice", "fixed"))
        if kind == "fixed":
            draft.fix(name, each, each.need("value", kind).value)
        elif kind == "choice":
            draft.search(name, each, choice(each.need("values", kind).values()))
            each.ignore(["is_ordered", "value_type"])
        else:
            bounds = [bound.number() for bound in each.need("bounds", kind).each()]
            if len(bounds) != 2:
                raise each.fail(f"a range has two bounds, but got {len(bounds)}")
            low, high = bounds
            log, typed = each.get("log_scale"), each.get("value_type")
            whole = typed.value == "int" if typed is not None else all(isinstance(bound, int) for bound in (low, high))
            is_log = log is not None and log.value is True
            space = (
                integers(int(low), int(high), log=is_log) if whole else (log_uniform if is_log else uniform)(low, high)
            )
            draft.search(name, each, space)
        draft.leave(each, {})
    draft.carry(ax.get("max_trials"), "budget", "max_trials")
    experiment = ax.get("experiment")
    if experiment is not None:
        minimize = experiment.get("minimize")
        _direction(
            draft, minimize or experiment, "minimize" if minimize is None or minimize.value is True else "maximize"
        )
        title = experiment.get("name")
        if title is not None:
            draft.name = title.text()
        draft.leave(
            experiment, {"parameter_constraints": "write constraints", "outcome_constraints": "nothing is like it"}
        )
    early = ax.get("early_stop")
    if early is not None:
        count = early.get("max_epochs_without_improvement")
        draft.carry(count, "stopping", "no_improvement", note="of trials, where Ax counts batches")
        draft.leave(early, {"minimize": "the direction is that of the objective"})
    draft.bayesian(ax)
    draft.leave(ax, {})


def _nevergrad(draft: Draft, sweeper: Node, optim: Node | None) -> None:
    params = sweeper.get("parametrization")
    for name, each in params.items() if params is not None else ():
        if isinstance(each.value, list):
            draft.search(name, each, choice(each.values()))
        elif isinstance(each.value, Mapping) and "lower" in each and "upper" in each:
            low, high = each.need("lower").number(), each.need("upper").number()
            whole, log = (flag is not None and flag.value is True for flag in (each.get("integer"), each.get("log")))
            space = integers(int(low), int(high), log=log) if whole else (log_uniform if log else uniform)(low, high)
            draft.search(name, each, space)
            each.ignore(["init", "step"])
        elif isinstance(each.value, Mapping):
            raise each.fail("a scalar without lower and upper has no bounds; write them, a study searches a range")
        else:
            _overrides(draft, Node(each.source, {name: each.value}, each.path[:-1], each.line), inclusive=False)
    if optim is not None:
        draft.carry(optim.get("budget"), "budget", "max_trials")
        draft.carry(optim.get("num_workers"), "budget", "parallel")
        draft.carry(optim.get("seed"), "algorithm", "seed")
        largest = optim.get("maximize")
        _direction(draft, largest or optim, "maximize" if largest is not None and largest.value is True else "minimize")
        optimizer = optim.get("optimizer")
        if optimizer is not None:
            draft.lost(optimizer, f"{optimizer.value}: the study uses its default, multivariate-tpe")
        draft.leave(optim, {"noisy": "nothing in a study is like it", "max_failure_rate": "write budget.max_failed"})


# -- the rest ----------------------------------------------------------------------------------------------------------


def _direction(draft: Draft, node: Node, direction: str) -> None:
    draft.objective(node, "objective", direction)


def _settings(draft: Draft, node: Node, sweeper: Node) -> None:
    name = sweeper.get("study_name")
    if name is not None:
        draft.name = name.text()
        draft.exact(name, f"name: {draft.name}")
    draft.carry(sweeper.get("n_trials"), "budget", "max_trials")
    draft.carry(sweeper.get("n_jobs"), "budget", "parallel")
    direction = sweeper.get("direction")
    if direction is not None and isinstance(direction.value, list):
        found = [each.one_of(("minimize", "maximize")) for each in direction.each()]
        draft.put(
            "objectives",
            value=[{"metric": f"objective_{index}", "direction": each} for index, each in enumerate(found)],
        )
        draft.exact(direction, f"objectives: {', '.join(found)}")
    elif direction is not None:
        _direction(draft, direction, direction.one_of(("minimize", "maximize")))
    _metric(draft, node)
    basic = sweeper.get("max_batch_size")
    if basic is not None:
        draft.carry(basic, "budget", "parallel")
    sweeper.ignore(["_target_", "defaults", "sampler", "optim", "parametrization", "ax_config"])
    draft.leave(
        sweeper,
        {
            "experiment_sequence": "code that is not run",
            "storage": "results are in runs/NAME beside the study",
            "max_failure_rate": "write budget.max_failed",
            "custom_search_space": "code that is not run: write what it adds into search",
        },
    )
    own = (
        [str(key) for key in node.value if key not in ("hydra", "defaults", "optimized_metric")]
        if "hydra" in node
        else []
    )
    if own:
        draft.converted(node, f"{', '.join(own)}: the script's own configuration has them and stays as it is")
    hydra = node.get("hydra")
    if hydra is not None:
        hydra.ignore(
            [
                "mode",
                "run",
                "sweep",
                "job",
                "launcher",
                "sweeper",
                "job_logging",
                "hydra_logging",
                "output_subdir",
                "verbose",
            ]
        )
    draft.to_fill("step.command", "the script with the configuration, such as [python, train.py] (or give --command)")


def _metric(draft: Draft, node: Node) -> None:
    """Takes the name of the metric from the key that templates have for it; Hydra itself has none."""
    named = node.get("optimized_metric") if node.value is not None and "optimized_metric" in node else None
    several = "objectives" in draft.study
    if named is not None and "objective" in draft.study:
        draft.put("objective", "metric", value=named.text())
        draft.exact(named, f"objective.metric: {named.text()}")
        return
    what = "objectives" if several else "objective.metric"
    draft.to_fill(what, "Hydra takes what the function returns; print it with kftune.report, and write its name here")


def _sampler(draft: Draft, node: Node | None, chosen: str, around: Node) -> None:
    """Takes the sampler of the Optuna sweeper.

    Args:
        draft: The import.
        node: Its settings.
        chosen: What the defaults list chooses.
        around: The configuration, where there are no settings.
    """
    target = None if node is None else node.get("_target_")
    name = _CHOSEN.get(chosen, chosen) if target is None else target.text().rpartition(".")[2]
    if not name:
        return
    place = node or around
    if name not in _SAMPLERS:
        draft.lost(place, f"{name} is not known here; the study uses its default, multivariate-tpe")
        return
    multivariate = None if node is None else node.get("multivariate")
    algorithm = _SAMPLERS[name]
    if algorithm == "tpe" and multivariate is not None and multivariate.value is True:
        algorithm = "multivariate-tpe"
    if algorithm == "grid":
        draft.grid(place)
    else:
        draft.carry(place, "algorithm", "name", value=algorithm, note=f"for {name}")
    if node is None:
        return
    seed = node.get("seed")
    if seed is not None and isinstance(seed.value, int):
        draft.carry(seed, "algorithm", "seed")
    for key, setting in _SETTINGS.get(algorithm, {}).items():
        draft.carry(node.get(key), "algorithm", "settings", setting)
    for each in node.unread():
        if each.value not in (None, False):
            draft.lost(each, f"the algorithm {algorithm} has no such setting")
