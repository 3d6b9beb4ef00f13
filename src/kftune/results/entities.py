"""The results of a study for each entity: a folder for each, and a file that says which entity has which folder.

Each of these folders is that of an ordinary study, so everything that reads a study reads the one of an entity.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from kftune.errors import StoreError, UnknownNameError
from kftune.files import is_left_of, open_regular, write_text
from kftune.results.layout import ASIDE, INDEX, RunFolder
from kftune.results.lock import writer_of
from kftune.results.reading import Results, open_results
from kftune.results.records import Trial

STATE = "state.json"
"""The file with what ended the last run, and how long all runs took together."""

_FORMAT = "kftune.entities/1"
_SAFE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_LONGEST = 60
_LOCK = "lock"

NOT_STARTED = "not started"
"""The state of an entity without results."""
STOPPED = "stopped before its end"
"""The state of an entity whose run was killed."""
UNREADABLE = "cannot be read"
"""The beginning of the state of an entity whose results cannot be read."""

RUNNING = "running"
"""The state of an entity while a run goes on that has not ended it."""


class Listed(NamedTuple):
    """An entity, as the index has it.

    Attributes:
        name: Its name.
        path: Where it is in its file.
        folder: The name of its folder.
        listed: Whether the last run had it; False if it has left the file since.
    """

    name: str
    path: str
    folder: str
    listed: bool = True


class Row(NamedTuple):
    """What is known of the study of one entity.

    Attributes:
        entity: The entity.
        state: What ended it, or how it is.
        counts: State -> number of trials.
        best: Its best trial; None while none has succeeded.
        value: The objective of that trial, as the trial has reported it.
    """

    entity: Listed
    state: str
    counts: Mapping[str, int]
    best: Trial | None
    value: str


class EntitiesFolder:
    """The folder of the results of a study for each entity.

    entities.json  which entity has which folder
    state.json     what ended the last run, and how long all runs took
    lock           held by the run that writes
    FOLDER/        the results of one entity, as those of any study

    Args:
        path: The folder.

    Attributes:
        path: The folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def lock(self) -> Path:
        """The file that is locked while a run writes here."""
        return self.path / _LOCK

    @property
    def exists(self) -> bool:
        """Whether a run has written here."""
        return (self.path / INDEX).is_file()

    def of(self, entity: Listed) -> Path:
        """Returns the folder of an entity."""
        return self.path / entity.folder

    def writer(self) -> str | None:
        """Returns the number of the process that writes here now, as text; None if none does."""
        return writer_of(self.lock)

    # -- writing -----------------------------------------------------------------------------------------------

    def write_index(self, study: str, entities: Iterable[Listed]) -> None:
        """Writes which entity has which folder.

        Args:
            study: The name of the study.
            entities: The entities.
        """
        listed = [each._asdict() for each in entities]
        # One line each: an index of 1000 entities can be read and compared.
        lines = ",\n".join(f"    {json.dumps(each, ensure_ascii=False)}" for each in listed)
        head = json.dumps(study, ensure_ascii=False)
        text = f'{{\n  "format": "{_FORMAT}",\n  "study": {head},\n  "entities": [\n{lines}\n  ]\n}}\n'
        write_text(self.path / INDEX, text)

    def write_state(self, seconds: float, reason: str | None, message: str = "") -> None:
        """Writes how long all runs took together, and what ended the last one.

        Args:
            seconds: How long.
            reason: What ended it; None while it goes on.
            message: The same as a sentence.
        """
        state = {"seconds": round(seconds, 3), "reason": reason, "message": message}
        write_text(self.path / STATE, json.dumps(state, ensure_ascii=False) + "\n")

    def move_aside(self) -> None:
        """Renames the folder, so that a new run finds none.

        Raises:
            StoreError: It has files of others.
        """
        own = {INDEX, STATE, _LOCK, *(each.folder for each in self.entities())}
        aside = tuple(f"{each.folder}{ASIDE}" for each in self.entities())
        others = sorted(each.name for each in self.path.iterdir() if each.name not in own)
        others = [name for name in others if not name.startswith(aside) and not is_left_of(name, (INDEX, STATE))]
        if others:
            raise StoreError(
                f"to start again, --fresh moves the whole folder aside, so it must contain nothing but results; but it "
                f"has {', '.join(others[:5])}; give the new results another folder (--dir), or move these away",
                str(self.path),
            )
        name = f"{self.path.name}{ASIDE}{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}"
        target, number = self.path.with_name(name), 1
        while target.exists():
            number += 1
            target = self.path.with_name(f"{name}-{number}")
        self.path.rename(target)

    # -- reading -----------------------------------------------------------------------------------------------

    @property
    def study(self) -> str:
        """The name of the study."""
        return str(self._index().get("study", ""))

    def entities(self) -> list[Listed]:
        """Returns the entities that runs have had here.

        Raises:
            StoreError: The index cannot be read.
        """
        try:
            found = [Listed(**{str(key): value for key, value in each.items()}) for each in self._index()["entities"]]
            # A file from elsewhere could name any folder, and a name could move the cursor of a terminal.
            is_ours = all(each.folder == folder_name(each.name) and each.name.isprintable() for each in found)
        except (KeyError, TypeError, AttributeError) as error:
            raise self._unreadable("it lists no entities") from error
        if not is_ours:
            raise self._unreadable("the folder of an entity is not the one that its name gives")
        return found

    def entity(self, name: str) -> Listed:
        """Returns an entity.

        Args:
            name: Its name, its path in its file, or the name of its folder.

        Raises:
            UnknownNameError: There is no such entity.
        """
        found = self.entities()
        for each in found:
            if name in (each.name, each.path, each.folder):
                return each
        raise UnknownNameError("entity", name, [each.name for each in found])

    def state(self) -> tuple[float, str | None, str]:
        """Returns how long all runs took together, what ended the last one, and the same as a sentence."""
        try:
            with open_regular(self.path / STATE) as file:
                state = json.load(file)
            return float(state["seconds"]), state["reason"], str(state["message"])
        except FileNotFoundError:
            return 0.0, None, ""
        except (OSError, ValueError, KeyError, TypeError) as error:
            message = f"{STATE} cannot be read: {error}; if it is removed, the wall clock begins again"
            raise StoreError(message, str(self.path)) from error

    def open(self, entity: Listed) -> Results | None:
        """Returns the results of an entity; None if it has none.

        Raises:
            StoreError: They cannot be read.
        """
        layout = RunFolder(self.of(entity))
        return open_results(layout.path) if layout.has_results() else None

    def rows(self) -> Iterator[Row]:
        """Yields what is known of each entity."""
        is_running = self.writer() is not None
        for entity in self.entities():
            try:
                results = self.open(entity)
            except StoreError as error:
                yield Row(entity, f"{UNREADABLE}: {error.message}", {}, None, "")
                continue
            if results is None:
                yield Row(entity, NOT_STARTED, {}, None, "")
                continue
            with results:
                best, objective = results.best(), results.meta.objective
                value = "" if best is None else best.metrics[objective.name].text(objective.reduce)
                state = results.reason() or (RUNNING if is_running else STOPPED)
                yield Row(entity, state, dict(results.counts().items()), best, value)

    def _index(self) -> Mapping[str, Any]:
        try:
            with open_regular(self.path / INDEX) as file:
                found = json.load(file)
        except FileNotFoundError as error:
            raise StoreError("there are no results here; kftune run creates them", str(self.path)) from error
        except (OSError, ValueError) as error:
            raise self._unreadable(str(error)) from error
        if not isinstance(found, dict) or found.get("format") != _FORMAT:
            raise self._unreadable(f"its format must be {_FORMAT}")
        return found

    def _unreadable(self, why: str) -> StoreError:
        return StoreError(
            f"{INDEX} cannot be read: {why}; move it away: the next run writes it, and finds the results of the "
            f"entities that the study has",
            str(self.path),
        )


def check_alone(folder: Path, *, several: bool) -> None:
    """Checks that a folder does not mix the results of one study with those of a study for each entity.

    Args:
        folder: Where a run is to write.
        several: Whether it is a run for several entities.

    Raises:
        StoreError: The folder has results of the other kind.
    """
    if several and RunFolder(folder).database.is_file():
        what = "one study, and a run for several entities needs a folder of its own"
    elif not several and EntitiesFolder(folder).exists:
        what = "several entities, and a run of one study needs a folder of its own"
    else:
        return
    raise StoreError(f"the results here are those of {what}; give another one (--dir), or change the name", str(folder))


def with_folders(entities: Sequence[tuple[str, str]], earlier: Iterable[Listed] = ()) -> list[Listed]:
    """Returns entities with the names of their folders; those of earlier runs that are not among them come last.

    Args:
        entities: Name and path of each.
        earlier: The entities of earlier runs.
    """
    names = {name for name, _ in entities}
    gone = [each._replace(listed=False) for each in earlier if each.name not in names]
    return [*(Listed(name, path, folder_name(name)) for name, path in entities), *gone]


def folder_name(entity: str) -> str:
    """Returns the name of the folder of an entity: that of ``PLANT001/CIRCUIT01`` is ``PLANT001+CIRCUIT01``.

    It depends on the name only. Two entities never have the same: a name with other characters than letters, digits,
    ``_``, ``.`` and ``-`` ends with a part of its hash, after ``++``.

    Args:
        entity: The name of the entity.
    """
    parts = entity.split("/")
    is_safe = all(_SAFE.fullmatch(part) for part in parts) and len(entity) <= _LONGEST
    if is_safe and entity not in (INDEX, STATE, _LOCK) and ASIDE not in entity:
        return "+".join(parts)
    readable = re.sub(r"[^A-Za-z0-9_]+", "-", entity).strip("-")[:_LONGEST]
    return f"{readable}++{hashlib.sha256(entity.encode(errors='surrogatepass')).hexdigest()[:12]}"
