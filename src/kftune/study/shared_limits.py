"""What the entities of a study share, and only a run on this machine can count."""

from __future__ import annotations

from kftune.study.for_each import ForEach
from kftune.study.model import Study


def too_many_trials(each: ForEach, own: int, where: str) -> str:
    """Returns why the entities may have more trials together than they share; empty if they cannot.

    Args:
        each: The entities.
        own: The trials that each of them may have.
        where: What runs them, as the beginning of the message.
    """
    most, count = each.budget.max_trials, len(each.entities)
    if most is None or own * count <= most:
        return ""
    share = most // count
    instead = f"set budget.max_trials to {share}" if share else f"give it {most} entities or fewer"
    return (
        f"{where} counts the trials of all entities together: {count} entities with {own} trials each have "
        f"{own * count}, but for_each.budget.max_trials is {most}; {instead}, or leave out the shared limit"
    )


def shared_parallel(study: Study, each: ForEach) -> int:
    """Returns how many trials of all entities may run at the same time.

    Args:
        study: The study.
        each: Its entities.
    """
    return each.budget.parallel or study.budget.parallel


def not_shared(each: ForEach, where: str) -> list[str]:
    """Returns notes about the shared limits that nothing keeps where single entities run.

    Args:
        each: The entities.
        where: What runs them, such as ``a cluster``.
    """
    budget, found = each.budget, []
    if budget.wall_clock is not None:
        found.append(
            f"nothing in {where} limits the time of all entities together: for_each.budget.wall_clock "
            f"({budget.wall_clock:g}s) applies to kftune run of the study only"
        )
    if budget.max_cost is not None:
        found.append(
            f"nothing in {where} limits what all entities cost together: for_each.budget.max_cost "
            f"({budget.max_cost.limit:g}) applies to kftune run of the study only; kftune cost says what they can cost"
        )
    if budget.max_failed is not None:
        found.append(
            f"nothing in {where} counts the failed trials of all entities together: for_each.budget.max_failed "
            f"({budget.max_failed}) applies to kftune run of the study only, and budget.max_failed to each entity"
        )
    return found
