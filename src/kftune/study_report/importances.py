"""How much each hyperparameter decides whether a trial is among the best: PED-ANOVA, by Optuna.

Source: Watanabe et al., PED-ANOVA, IJCAI 2023. It needs no other package than Optuna, and knows hyperparameters that
some trials do not have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple

from kftune.html_page import Scale
from kftune.study_report.parameters import Parameter, Value

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

FEWEST = 10
"""Trials with a result: the best tenth of them is compared with all."""
_MOST = 2000
"""Trials that are taken, evenly spaced: Optuna needs a millisecond for each."""

_FEW = 50
"""With fewer trials, the best tenth is one to five of them."""
_MOST_CATEGORIES = 100
"""With more, each is that of too few trials, and Optuna takes seconds."""
_MOST_INTEGERS = 1 << 31


class Importances(NamedTuple):
    """The importance of hyperparameters."""

    shares: Mapping[str, float]
    """Name -> share of the sum, the largest first; empty if they are not known."""
    note: str
    """How they were found, or why they are not known."""


def importances(parameters: Sequence[Parameter], objective: Sequence[float | None], direction: str) -> Importances:
    """Returns the importances for one objective.

    Args:
        parameters: The hyperparameters.
        objective: The value of each trial; None for a trial without a result.
        direction: minimize or maximize.
    """
    scored = [index for index, value in enumerate(objective) if value is not None]
    varying = [each for each in parameters if each.varies and len(each.categories) <= _MOST_CATEGORIES]
    if len(scored) < FEWEST:
        return Importances({}, f"Importances need at least {FEWEST} trials with a result; there are {len(scored)}.")
    if len({objective[index] for index in scored}) < 2:
        return Importances({}, "All results are equal, so no hyperparameter is more important than another.")
    if not varying:
        return Importances({}, f"No hyperparameter has more than one value and at most {_MOST_CATEGORIES} categories.")
    if find_spec("optuna") is None:
        return Importances({}, "Importances need Optuna: pip install 'kftune[local]'.")
    step = -(-len(scored) // _MOST)
    taken = scored[::step]
    found = _ped_anova(varying, {index: float(objective[index] or 0) for index in taken}, direction)
    total = sum(found.values())
    of = f"{len(taken)} of {len(scored)} trials" if step > 1 else f"{len(taken)} trials"
    if not total > 0:
        return Importances({}, f"The best tenth of {of} has the same values as the others.")
    note = f"PED-ANOVA: how far the values of the best tenth of {of} differ from those of all."
    note += " Of so few trials it is a hint only." if len(taken) < _FEW else ""
    left_out = [each.name for each in parameters if each not in varying]
    note += f" Without {', '.join(left_out)}: one value only, or too many categories." if left_out else ""
    return Importances({name: value / total for name, value in found.items()}, note)


def _ped_anova(parameters: Sequence[Parameter], objective: Mapping[int, float], direction: str) -> dict[str, float]:
    import optuna
    from optuna.importance import PedAnovaImportanceEvaluator

    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        study = optuna.create_study(direction="minimize" if direction == "minimize" else "maximize")
        columns = {each.name: _column(each) for each in parameters}
        for index, value in objective.items():
            known = {name: column for name, column in columns.items() if column.values[index] is not None}
            study.add_trial(
                optuna.trial.create_trial(
                    params={name: column.values[index] for name, column in known.items()},
                    distributions={name: column.distribution for name, column in known.items()},
                    value=value,
                )
            )
        return PedAnovaImportanceEvaluator().evaluate(study)
    finally:
        optuna.logging.set_verbosity(verbosity)


class _Column(NamedTuple):
    values: Sequence[Value]
    distribution: BaseDistribution


def _column(parameter: Parameter) -> _Column:
    """Returns a hyperparameter as Optuna takes it; floats as shares of their range, for Optuna subtracts its ends."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if not parameter.is_number:
        return _Column(parameter.values, CategoricalDistribution(list(parameter.categories)))
    numbers = [value for value in parameter.values if isinstance(value, (int, float))]
    low, high = min(numbers), max(numbers)
    if all(isinstance(value, int) for value in numbers) and high - low < _MOST_INTEGERS:
        return _Column(parameter.values, IntDistribution(int(low), int(high), log=parameter.is_log))
    scale = Scale(low, high, parameter.is_log)
    shares = [scale.share(value) if isinstance(value, (int, float)) else None for value in parameter.values]
    return _Column(shares, FloatDistribution(0, 1))
