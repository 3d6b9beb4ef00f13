"""`Chosen`: the trial whose values are to be applied, with its values as the class reads them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from kftune.errors import HparamsError, UnknownNameError, UsageError
from kftune.hparams import Hparams
from kftune.hparams.fields import holder_of
from kftune.hparams.fields.nested import get
from kftune.results import SCORED, Meta, Trial, Trials
from kftune.yaml_text.reader import plain_value


class Chosen(NamedTuple):
    """A trial and its values.

    Attributes:
        trial: The trial.
        objective: The place of the objective in which it was chosen; None where several count.
        values: The searched values, by dotted name.
        others: The values that the study gave to all trials, by dotted name.
        idle: Searched hyperparameters that the trial did not get, because of a condition.
        wholes: The mappings in which keys were searched, as the trial got them, by dotted name.
    """

    trial: Trial
    objective: int | None
    values: dict[str, Any]
    others: dict[str, Any]
    idle: tuple[str, ...]
    wholes: dict[str, Any]

    @property
    def all_values(self) -> dict[str, Any]:
        """All values that the trial was given, in the order of its command line."""
        found = {**self.others, **self.with_wholes(self.wholes)}
        first = [name for name in self.trial.assignment if name in found]
        return {name: found[name] for name in dict.fromkeys((*first, *found))}

    def with_wholes(self, missing: Iterable[str]) -> dict[str, Any]:
        """Returns the searched values, with whole mappings in place of their searched keys.

        Args:
            missing: The mappings that a file does not have: one with the searched keys alone would lose the others.
        """
        wholes = {name: value for name, value in self.wholes.items() if name in {*missing}}
        inside = [name for name in self.values if any(name.startswith(f"{whole}.") for whole in wholes)]
        return {**{name: value for name, value in self.values.items() if name not in inside}, **wholes}


def choose(
    results: Trials, hparams: type[Hparams] | None, *, trial: str | None = None, metric: str | None = None
) -> Chosen:
    """Returns the trial to apply.

    Args:
        results: The trials of a study.
        hparams: The class of its hyperparameters; None if it is not known.
        trial: The name or number of a trial; None for the best one.
        metric: The objective in which it is to be the best, if there are several.

    Raises:
        UsageError: No trial has succeeded, or several are equally good.
        UnknownNameError: There is no such trial or objective.
        HparamsError: The class refuses a value.
    """
    objectives = [objective.name for objective in results.meta.objectives]
    if metric is not None and metric not in objectives:
        raise UnknownNameError("objective", metric, objectives)
    if trial is not None and metric is not None:
        raise UsageError("--trial and --metric both choose a trial; give one of them")
    objective = objectives.index(metric) if metric is not None else 0 if len(objectives) == 1 else None
    found = results.trial(trial) if trial is not None else _best(results, objective, objectives)
    if found.state not in SCORED:
        raise UsageError(f"a trial to apply must have succeeded, but {found.name} is {found.state}; choose another")
    values, others = values_of(found, results.meta, hparams)
    idle = tuple(name for name in results.meta.space if name not in values)
    wholes = {name: value for name, value in others.items() if any(each.startswith(f"{name}.") for each in values)}
    others = {name: value for name, value in others.items() if name not in wholes}
    return Chosen(trial=found, objective=objective, values=values, others=others, idle=idle, wholes=wholes)


def _best(results: Trials, objective: int | None, objectives: Sequence[str]) -> Trial:
    pareto = results.pareto() if objective is None else []
    if len(pareto) > 1:
        raise UsageError(
            f"the Pareto set has {len(pareto)} trials; choose one: "
            f"{' or '.join(f'--metric {name}' for name in objectives)}, or --trial with one of "
            f"{', '.join(trial.name for trial in pareto[:6])}"
        )
    best = pareto[0] if pareto else results.best(objective or 0)
    if best is None:
        counts = ", ".join(f"{count} {state}" for state, count in results.counts().items()) or "none"
        raise UsageError(
            f"no trial of {results.meta.name} has succeeded, so there is nothing to apply; trials: {counts}"
        )
    return best


def values_of(trial: Trial, meta: Meta, hparams: type[Hparams] | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns the searched values of a trial, and the values that the study gave to all trials, by dotted name.

    Args:
        trial: The trial.
        meta: Its study.
        hparams: The class; without one, texts are read as YAML reads them.

    Raises:
        HparamsError: The class has no such hyperparameter, or refuses a value.
    """
    found = dict(_without_class(trial, meta) if hparams is None else _with_class(trial, meta, hparams))
    searched = meta.space or trial.point
    return (
        {
            name: found[name]
            for name in (*searched, *(name for name in trial.point if name not in searched))
            if name in found
        },
        {name: value for name, value in found.items() if name not in searched and name not in trial.point},
    )


def _without_class(trial: Trial, meta: Meta) -> Iterator[tuple[str, Any]]:
    for name in dict.fromkeys((*trial.assignment, *trial.point)):
        value = trial.point.get(name, trial.assignment.get(name))
        is_text = isinstance(value, str) and _is_listed(value, meta.space.get(name))
        yield name, plain_value(value) if isinstance(value, str) and not is_text else value


def _is_listed(text: str, domain: Any) -> bool:
    """Returns whether a domain has a text among its values, so that it is no number."""
    listed = domain.values() if isinstance(domain, Mapping) else ()
    return any(isinstance(values, (list, tuple)) and text in values for values in listed)


def _with_class(trial: Trial, meta: Meta, hparams: type[Hparams]) -> Iterator[tuple[str, Any]]:
    leaves = hparams.leaves()
    inside = {name: holder for name in meta.space if name not in leaves and (holder := holder_of(leaves, name))}
    whole: dict[str, Any] = {}
    for name, text in trial.assignment.items():
        if name not in leaves:
            raise HparamsError(f"{hparams.__name__} has no hyperparameter {name!r}, which trial {trial.name} has")
        whole[name] = leaves[name].jsonable(leaves[name].decode(text))
        yield name, whole[name]
    for name, holder in inside.items():
        present, value = get(whole.get(holder.name), hparams.leaf(name).path[len(holder.path) :])
        if present:
            yield name, value


def typed(name: str, value: Any, hparams: type[Hparams] | None) -> Any:
    """Returns a value of a file as the class reads it; the value itself where the class refuses it.

    Args:
        name: The hyperparameter.
        value: The value.
        hparams: The class; None if it is not known.
    """
    if hparams is None:
        return value
    try:
        return hparams.leaf(name).jsonable(value)
    except HparamsError:
        return value


def defaults_of(hparams: type[Hparams] | None) -> Mapping[str, Any]:
    """Returns the defaults of a class, by dotted name.

    Args:
        hparams: The class; None if it is not known.
    """
    leaves = {} if hparams is None else hparams.leaves()
    return {name: leaf.default for name, leaf in leaves.items() if leaf.has_default}
