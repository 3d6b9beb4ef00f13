"""How much each hyperparameter decides whether a trial is among the best: PED-ANOVA, by Optuna.

Source: Watanabe et al., PED-ANOVA, IJCAI 2023. It needs no other package than Optuna, and knows hyperparameters that
some trials do not have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple

from kftune.report.parameters import Parameter

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

FEWEST = 10
"""Trials with a result: the best tenth of them is compared with all."""
_MOST = 2000
"""Trials that are taken, evenly spaced: Optuna needs a millisecond for each."""


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
    varying = [each for each in parameters if each.varies]
    if len(scored) < FEWEST:
        return Importances({}, f"Importances need at least {FEWEST} trials with a result; there are {len(scored)}.")
    if len({objective[index] for index in scored}) < 2:
        return Importances({}, "All results are equal, so no hyperparameter is more important than another.")
    if not varying:
        return Importances({}, "No hyperparameter has more than one value.")
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
    constant = [each.name for each in parameters if not each.varies]
    note += f" Without {', '.join(constant)}: one value only." if constant else ""
    return Importances({name: value / total for name, value in found.items()}, note)


def _ped_anova(parameters: Sequence[Parameter], objective: Mapping[int, float], direction: str) -> dict[str, float]:
    import optuna
    from optuna.importance import PedAnovaImportanceEvaluator

    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        study = optuna.create_study(direction=direction)
        domains = {each.name: _distribution(each) for each in parameters}
        columns = {each.name: each.values for each in parameters}
        for index, value in objective.items():
            point = {name: column[index] for name, column in columns.items() if column[index] is not None}
            study.add_trial(
                optuna.trial.create_trial(
                    params=point, distributions={name: domains[name] for name in point}, value=value
                )
            )
        return PedAnovaImportanceEvaluator().evaluate(study)
    finally:
        optuna.logging.set_verbosity(verbosity)


def _distribution(parameter: Parameter) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    if not parameter.is_number:
        return CategoricalDistribution(list(parameter.categories))
    numbers = [value for value in parameter.values if isinstance(value, (int, float))]
    return FloatDistribution(min(numbers), max(numbers), log=parameter.is_log)
