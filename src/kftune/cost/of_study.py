"""What a study costs: its trials."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from kftune.cost.estimate import Estimate, Line
from kftune.cost.objects import experiments_objects
from kftune.cost.times import Times
from kftune.errors import RenderError
from kftune.spec.prices import PriceTable, Rate, node_type_of
from kftune.study import Study

NO_PRICES = Rate(None)
OF_CLUSTER = (
    "storage and network; the time in which images are fetched and nodes start; the containers that a cluster adds to "
    "pods, such as Katib's metrics collector, and the pod of Katib's algorithm, as its configuration says"
)


def study_estimate(study: Study, times: Times, table: PriceTable | None) -> Estimate:
    """Returns what a study takes and costs.

    Args:
        study: The study.
        times: The time of a trial.
        table: The price table; None without one.
    """
    each = study.for_each
    entities = 1 if each is None else len(each.entities)
    line = trials_line("trials", study, times, table, runs=entities)
    if each is not None and each.budget.max_trials is not None and line.runs is not None:
        line = replace(line, runs=min(line.runs, each.budget.max_trials))
    objects: dict[str, Counter[str]] = {}
    problem: tuple[str, ...] = ()
    try:
        objects = {"katib": experiments_objects(study)}
    except RenderError as error:
        problem = (f"pods and objects on Katib, which cannot run it: {error}",)
    return Estimate(
        name=study.name,
        lines=(line,),
        objects=objects,
        table=table,
        limit=_limit_of(study),
        unknown=problem,
        not_counted=(OF_CLUSTER,),
    )


def _limit_of(study: Study) -> float | None:
    """Returns the most that all trials may cost; None without a limit."""
    each, own = study.for_each, study.budget.max_cost
    if each is None:
        return None if own is None else own.limit
    limits = [] if own is None else [own.limit * len(each.entities)]
    limits += [] if each.budget.max_cost is None else [each.budget.max_cost.limit]
    return min(limits, default=None)


def trials_line(
    name: str,
    study: Study,
    times: Times,
    table: PriceTable | None,
    *,
    runs: int | None = 1,
    node_type: str | None = None,
) -> Line:
    """Returns the trials of a study.

    Args:
        name: What they are called.
        study: The study.
        times: The time of a trial.
        table: The price table; None without one.
        runs: How often the study runs; None if only a run knows it.
        node_type: The type of node that its pipeline asks for.
    """
    step, budget, limits = study.step, study.budget, study.retry_limits
    unknown = []
    if times.mean is None:
        unknown.append("no trial has finished, so its time is unknown; give --trial-time, or run one first")
    if budget.trial_timeout is None:
        unknown.append("a trial has no longest time; give budget.trial_timeout")
    if limits.lost:
        unknown.append("on a cluster, a trial starts again each time that its node is lost; nothing limits its tries")
    count = trial_count(study)
    return Line(
        name=name,
        runs=None if runs is None else runs * count,
        tries=None if limits.lost else 1 + limits.failed + limits.out_of_memory,
        pods=step.resources.nodes,
        resources=step.resources,
        times=times,
        longest=None if budget.trial_timeout is None else budget.trial_timeout + step.grace_period,
        rate=_rate(study, table, node_type),
        unknown=tuple(unknown),
    )


def trial_count(study: Study) -> int:
    """Returns the largest number of trials of a study."""
    most = study.budget.max_trials
    return most if study.algorithm.name != "grid" else int(min(most, study.size))


def _rate(study: Study, table: PriceTable | None, node_type: str | None) -> Rate:
    """Returns what one pod of a trial costs for an hour."""
    each, step = study.for_each, study.step
    for limit in (study.budget.max_cost, None if each is None else each.budget.max_cost):
        if limit is not None and limit.per_hour is not None:
            return Rate(limit.per_hour / step.resources.nodes)
    return NO_PRICES if table is None else table.rate(step.resources, node_type_of(step, node_type))
