"""`budget.max_cost` of a study as the rule that ends it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from kftune.errors import RunError
from kftune.results.trials import durations
from kftune.study import Study

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kftune.results import Trial
    from kftune.stopping.max_cost import MaxCost
    from kftune.study.objective import CostLimit

_HOUR = 3600.0


class CostRule(NamedTuple):
    """The rule of a study that `budget.max_cost` limits."""

    rule: MaxCost
    currency: str
    """Of both sums; empty if the study has no price table."""

    def note(self, study: Study, trials: Iterable[Trial]) -> str:
        """Returns what to say before a run that the limit is likely to end early; empty otherwise.

        Args:
            study: The study.
            trials: Those of earlier runs.
        """
        measured = durations(trials)
        if not measured:
            return ""
        mean = sum(measured) / len(measured)
        cost = mean * study.budget.max_trials / _HOUR * self.rule.per_hour
        if cost <= self.rule.limit:
            return ""
        affordable = int(self.rule.limit / (mean / _HOUR * self.rule.per_hour))
        return (
            f"budget.max_cost is {self.rule.limit:g}, but by the mean time of {len(measured)} finished trial(s), "
            f"{mean:.3g} s, {study.budget.max_trials} trials cost {cost:.4g}{self.currency and f' {self.currency}'}: "
            f"it ends the study after about {affordable}"
        )


def cost_rule(study: Study, folder: Path) -> CostRule | None:
    """Returns the rule that `budget.max_cost` is; None without one.

    Args:
        study: The study.
        folder: Where the price table is looked for, and in the folders above.

    Raises:
        RunError: The limit needs a price that is not known.
        ProjectError: The price table is invalid.
    """
    limit = study.budget.max_cost
    return None if limit is None else rule_of(limit, study, folder)


def shared_rule(study: Study, folder: Path) -> MaxCost | None:
    """Returns the rule that `for_each.budget.max_cost` is; None without one.

    Args:
        study: A study with entities.
        folder: Where the price table is looked for, and in the folders above.

    Raises:
        RunError, ProjectError: As for `cost_rule`.
    """
    limit = None if study.for_each is None else study.for_each.budget.max_cost
    return None if limit is None else rule_of(limit, study, folder, "for_each.budget.max_cost").rule


def rule_of(limit: CostLimit, study: Study, folder: Path, key: str = "budget.max_cost") -> CostRule:
    """Returns the rule that a limit of the cost is.

    Args:
        limit: The limit.
        study: The study.
        folder: Where the price table is looked for, and in the folders above.
        key: The key of the limit, for errors.

    Raises:
        RunError, ProjectError: As for `cost_rule`.
    """
    # Few studies have one.
    from kftune.spec.prices import PRICES_FILE, node_type_of, prices_above  # noqa: PLC0415
    from kftune.stopping.max_cost import MaxCost  # noqa: PLC0415

    if limit.per_hour is not None:
        return CostRule(MaxCost(limit=limit.limit, per_hour=limit.per_hour), "")
    instead = f"write {key}: {{limit: {limit.limit:g}, per_hour: PRICE OF ONE TRIAL}}"
    table = prices_above(folder)
    if table is None:
        raise RunError(
            f"{key} needs the price of a trial's hour, but there is no {PRICES_FILE} in {folder} or above; "
            f"write one with cpu_hour, memory_gib_hour and gpu_hour, or {instead}"
        )
    rate = table.rate(study.step.resources, node_type_of(study.step))
    if rate.value is None:
        raise RunError(f"{key} needs the price of a trial's hour, but {'; '.join(rate.missing)}; add it, or {instead}")
    if not rate.value:
        raise RunError(
            f"{key} ends a study at a sum, but by {table.path} its trials cost nothing; remove max_cost, or {instead}"
        )
    per_hour = rate.value * study.step.resources.nodes
    return CostRule(MaxCost(limit=limit.limit, per_hour=per_hour), table.prices.currency)
