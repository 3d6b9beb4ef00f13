"""The events of a run for several entities; those of the study of each have its name in `entity`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from kftune.local.study.events import Event, Note, OnEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class EntitiesStarted(Event):
    """A run for several entities starts, or resumes earlier results."""

    study: str
    folder: str
    entities: int
    """How many there are."""
    total: int
    """Trials that all of them can have."""
    parallel: int
    """How many run at the same time."""
    finished: int
    """Trials that earlier runs finished."""
    wall_clock: float | None
    """Seconds left of the wall clock of all of them."""
    algorithm: str
    objectives: list[dict[str, Any]]
    """As in `StudyStarted`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntitiesFinished(Event):
    """The run has ended."""

    state: str
    """Succeeded, Failed or Interrupted."""
    reason: str
    message: str
    counts: Mapping[str, int]
    """State -> number of trials of all entities."""
    entities: Mapping[str, int]
    """What ended the study of an entity -> number of entities."""
    failed: list[str]
    """The entities that have failed."""
    seconds: float
    """How long this run took."""


_NUMBER = re.compile(r"\d+(?:\.\d+)?")


class Voices:
    """Passes on the events of the studies of all entities, each with the name of its entity.

    Args:
        emit: Called with each event.
    """

    def __init__(self, emit: OnEvent) -> None:
        self._emit = emit
        self._notes: dict[str, tuple[str, set[str]]] = {}

    def of(self, entity: str) -> OnEvent:
        """Returns what takes the events of an entity's study.

        Args:
            entity: The name of the entity.
        """

        def emit(event: Event) -> None:
            if isinstance(event, Note):
                # Most notes are the same for all, but for a number of trials or of seconds.
                _, told = self._notes.setdefault(_NUMBER.sub("#", event.message), (event.message, set()))
                is_known = bool(told - {entity})
                told.add(entity)
                if is_known:
                    return
            self._emit(replace(event, entity=entity))

        return emit

    def end(self) -> None:
        """Says for how many entities a note was the same."""
        for text, entities in self._notes.values():
            more = len(entities) - 1
            if more:
                self._emit(Note(f"and so for {more} more {'entity' if more == 1 else 'entities'}: {text}"))
