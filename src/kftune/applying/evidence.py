"""What speaks for the values of a trial: how it compares with a trial of the values that the file has now."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

from kftune.applying.chosen import Chosen, defaults_of, typed, values_of
from kftune.applying.target import Target
from kftune.hparams import Hparams
from kftune.hparams.fields import holder_of, put
from kftune.metrics.values import MetricValues
from kftune.results import SCORED, Meta, TrackedObjective, Trial, Trials
from kftune.yaml_text.setting import same


class Comparison(NamedTuple):
    """One objective of the chosen trial and of the baseline.

    Attributes:
        objective: The objective.
        value: That of the chosen trial.
        baseline: That of the baseline; None if there is none.
    """

    objective: TrackedObjective
    value: float
    baseline: float | None

    @property
    def is_better(self) -> bool:
        """Whether the chosen trial is better than the baseline."""
        if self.baseline is None:
            return False
        return self.value < self.baseline if self.objective.direction == "minimize" else self.value > self.baseline

    @property
    def change(self) -> str:
        """How far the value is from the baseline, such as ``12.5 % lower``; empty where a percentage has no meaning."""
        if not self.baseline or self.value == self.baseline:
            return ""
        share = abs(self.value - self.baseline) / abs(self.baseline)
        return f"{100 * share:.3g} % {'lower' if self.value < self.baseline else 'higher'}"


class Problem(NamedTuple):
    """Why values should not be applied, and what to do; as text both.

    Attributes:
        why: What speaks against them.
        remedy: What to do.
    """

    why: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.why}. {self.remedy}"


class Evidence(NamedTuple):
    """What speaks for the chosen trial, and what against it.

    Attributes:
        comparisons: The objectives that count.
        baseline: The trial that had the values of the file; None if there is none.
        differences: Values that the file has and the trials did not run with, one sentence each.
    """

    comparisons: tuple[Comparison, ...]
    baseline: Trial | None
    differences: tuple[str, ...]

    @property
    def is_better(self) -> bool:
        """Whether the chosen trial is better than the baseline in an objective that counts."""
        return any(each.is_better for each in self.comparisons)

    def lines(self) -> list[str]:
        """Returns a line for each objective, with the baseline."""
        found = []
        for each in self.comparisons:
            line = f"{each.objective.name} {_text(each.value)}"
            if self.baseline is not None and each.baseline is not None:
                name = f"{self.baseline.name}{', stopped early' if self.baseline.state == 'EarlyStopped' else ''}"
                line += f", baseline {_text(each.baseline)} ({name}){each.change and f': {each.change}'}"
            found.append(line)
        return found

    def problem(self, *, needs_baseline: bool, run: str, target: Target) -> Problem | None:
        """Returns why the values should not be applied, and what to do; None if nothing speaks against it.

        Args:
            needs_baseline: Whether a trial of the present values is needed.
            run: The command that runs the present values as a trial, for advice.
            target: The place in the file.
        """
        if self.differences:
            return Problem(
                f"the trials ran with other values than {target.label} has: {'; '.join(self.differences)}",
                "So they say little about it. Fix these values in the study (values:) and run it, give another --at, "
                "or --force",
            )
        if self.baseline is None and needs_baseline:
            return Problem(
                f"no trial ran with the values that {target.label} has now, so nothing shows that the new ones are "
                f"better",
                f"Run them as a trial: {run}; or apply without the comparison: --no-baseline",
            )
        if self.baseline is not None and not self.is_better:
            return Problem(
                f"the trial is no better than the present values ({'; '.join(self.lines())})",
                "Search on: more trials, a wider space or another algorithm; or --force",
            )
        return None


def baseline_command(run: str, path: Path, at: str = "") -> str:
    """Returns the command that runs the present values of a place as a trial.

    Args:
        run: The command that runs the study.
        path: The file with the values.
        at: The path of the mapping in it; empty for the whole document, or where a study for entities knows it.
    """
    return f"{run} --baseline-from {path}{at and f' --at {at}'}"


def evidence_for(results: Trials, chosen: Chosen, target: Target, hparams: type[Hparams] | None) -> Evidence:
    """Returns what speaks for a trial.

    Args:
        results: The trials of the study.
        chosen: The trial.
        target: The place in the file.
        hparams: The class; None if it is not known.
    """
    meta, trials = results.meta, results.trials()
    searched = dict.fromkeys((*meta.space, *(name for trial in trials for name in trial.point)))
    present = {**_defaults(searched, hparams, target), **present_values(searched, hparams, target)}
    baseline = next((trial for trial in trials if _has(trial, meta, present, hparams)), None)
    objectives = meta.objectives
    counted = objectives if chosen.objective is None else (objectives[chosen.objective],)
    comparisons = tuple(
        Comparison(objective, value, None if baseline is None else _value(baseline, objective, meta))
        for objective in counted
        if (value := _value(chosen.trial, objective, meta)) is not None
    )
    return Evidence(
        comparisons,
        baseline,
        (*differences(chosen.others, searched, hparams, target), *_inside(chosen, hparams, target)),
    )


def present_values(names: Iterable[str], hparams: type[Hparams] | None, target: Target) -> dict[str, Any]:
    """Returns the values that a file has, as the class reads them.

    Args:
        names: The hyperparameters.
        hparams: The class; None if it is not known.
        target: The place in the file.
    """
    spots = [target.spot(name) for name in names]
    return {spot.name: typed(spot.name, target.value(spot), hparams) for spot in spots if spot.source is not None}


def _defaults(names: Iterable[str], hparams: type[Hparams] | None, target: Target) -> dict[str, Any]:
    """Returns the values of hyperparameters that a file leaves out; keys of a mapping that it has are not left out."""
    found = dict(defaults_of(hparams))
    leaves = {} if hparams is None else hparams.leaves()
    for name in names:
        holder = None if hparams is None or name in leaves else holder_of(leaves, name)
        if hparams is not None and holder is not None and target.spot(holder.name).source is None:
            leaf = hparams.leaf(name)
            found |= {name: leaf.default} if leaf.has_default else {}
    return found


def differences(
    given: Mapping[str, Any], searched: Collection[str], hparams: type[Hparams] | None, target: Target
) -> list[str]:
    """Returns a sentence for each value of a file that trials do not get.

    Args:
        given: What the study gives to all trials, by dotted name.
        searched: The hyperparameters that it searches.
        hparams: The class; None if it is not known.
        target: The place in the file.
    """
    leaves = {} if hparams is None else hparams.leaves()
    own = [name for name, leaf in leaves.items() if not leaf.is_group and not _holds(name, searched)]
    present = present_values([name for name in dict.fromkeys((*given, *own)) if name not in searched], hparams, target)
    ran = {**defaults_of(hparams), **given}
    return [
        f"{name} is {value!r} there and {ran[name]!r} in the trials"
        for name, value in present.items()
        if name in ran and not equal(value, ran[name])
    ]


def _inside(chosen: Chosen, hparams: type[Hparams] | None, target: Target) -> Iterator[str]:
    """Yields the mappings of a file whose other keys are not those that the trial got."""
    for name, value in present_values(chosen.wholes, hparams, target).items():
        wanted, other = chosen.wholes[name], deepcopy(value)
        for key in (each for each in chosen.values if each.startswith(f"{name}.")):
            if isinstance(other, dict):
                put(other, key[len(name) + 1 :].split("."), chosen.values[key])
        if not same(other, wanted):
            yield f"{name} is {value!r} there and {wanted!r} in the trial"


def _holds(name: str, searched: Iterable[str]) -> bool:
    return any(each.startswith(f"{name}.") for each in searched)


def _has(trial: Trial, meta: Meta, present: Mapping[str, Any], hparams: type[Hparams] | None) -> bool:
    """Returns whether a trial ran with the present values."""
    if trial.state not in SCORED:
        return False
    values, _ = values_of(trial, meta, hparams)
    return bool(values) and all(name in present and equal(present[name], value) for name, value in values.items())


def equal(one: Any, other: Any) -> bool:
    """Returns whether two values of a hyperparameter are the same; 1 and 1.0 are, true and 1 are not.

    Args:
        one: A value.
        other: Another one.
    """
    numbers = all(isinstance(each, (int, float)) and not isinstance(each, bool) for each in (one, other))
    return bool(one == other) if numbers else same(one, other)


def _value(trial: Trial, objective: TrackedObjective, meta: Meta) -> float | None:
    values: MetricValues | None = trial.metrics.get(objective.name)
    found = None if values is None else values.number(objective.reduce)
    return trial.objective if found is None and objective.name == meta.objective.name else found


def _text(value: float) -> str:
    return f"{value:.6g}"
