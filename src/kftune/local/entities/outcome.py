"""How a run for several entities ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from kftune.local.entities.scheduler import End
from kftune.local.processes.process import INTERRUPTED
from kftune.local.study.progress import OutcomeState
from kftune.results import FINISHED, Trial
from kftune.results.entities import NOT_STARTED, STOPPED

_SHOWN = 5
_NOT_OVER = ("SharedBudget", "Interrupted", STOPPED, NOT_STARTED)


class EntityEnd(NamedTuple):
    """What is known of the study of one entity at the end of a run.

    Attributes:
        reason: What ended it, or why it has not ended.
        counts: State -> number of trials.
        best: Its best trial; None while none has succeeded.
    """

    reason: str
    counts: Mapping[str, int]
    best: Trial | None

    @property
    def has_failed(self) -> bool:
        """Whether it is over without a result, or because too many trials have failed."""
        return self.reason == "MaxFailedReached" or (self.best is None and self.reason not in _NOT_OVER)


class EntitiesOutcome(NamedTuple):
    """How a run for several entities ended.

    Attributes:
        state: Succeeded, Failed (the study of an entity has failed, or none has a result) or Interrupted.
        reason: What ended the run: Completed, SharedBudget, WallClock, MaxFailedReached or Interrupted.
        message: The reason as a sentence.
        entities: Name of each entity -> how its study ended.
    """

    state: OutcomeState
    reason: End
    message: str
    entities: Mapping[str, EntityEnd]

    @property
    def counts(self) -> dict[str, int]:
        """State -> number of trials of all entities."""
        found: Counter[str] = Counter()
        for end in self.entities.values():
            found.update(end.counts)
        return dict(sorted(found.items()))

    @property
    def failed(self) -> list[str]:
        """The entities that have failed."""
        return [name for name, end in self.entities.items() if end.has_failed]

    @property
    def exit_code(self) -> int:
        """The exit code for a command: 0 done, 1 failed, 130 interrupted."""
        return {"Succeeded": 0, "Failed": 1, "Interrupted": INTERRUPTED}[self.state]


def outcome_of(end: End, entities: Mapping[str, EntityEnd], most: int) -> EntitiesOutcome:
    """Returns how a run ended.

    Args:
        end: What ended it.
        entities: Name of each entity -> how its study ended.
        most: How many trials all of them may have.
    """
    found = EntitiesOutcome("Succeeded", end, "", entities)
    has_result = any(each.best is not None for each in entities.values())
    state: OutcomeState = (
        "Interrupted"
        if end == "Interrupted"
        else "Failed"
        if found.failed or end == "MaxFailedReached" or not has_result
        else "Succeeded"
    )
    return found._replace(state=state, message=_message(found, most))


def _message(found: EntitiesOutcome, most: int) -> str:
    finished = sum(count for state, count in found.counts.items() if state in FINISHED)
    count = len(found.entities)
    trials = f"{finished} of {most} trials of {count} {'entity' if count == 1 else 'entities'}"
    parts = [
        {
            "Completed": f"{trials} have finished",
            "SharedBudget": f"{trials} have finished; the budget of all entities is used up",
            "WallClock": f"the wall clock of all entities has run out after {trials}",
            "MaxFailedReached": f"too many trials have failed (for_each.budget.max_failed), after {trials}",
            "Interrupted": f"interrupted after {trials}; the same command resumes the run",
        }[found.reason]
    ]
    if found.failed:
        parts.append(f"{len(found.failed)} {_entities(found.failed)} failed: {_names(found.failed)}")
    none = [name for name, end in found.entities.items() if not end.counts]
    if none and found.reason != "Interrupted":
        parts.append(f"{len(none)} {_entities(none)} no trial yet: {_names(none)}")
    return "; ".join(parts)


def _entities(names: Sequence[str]) -> str:
    return "entity has" if len(names) == 1 else "entities have"


def _names(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
