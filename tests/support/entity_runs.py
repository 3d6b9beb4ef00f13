"""Runs of a study for each of several entities, in processes that can be killed. Each trial notes that it ran."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from local_study import serve, sh, study

from kftune.local.entities.outcome import EntitiesOutcome
from kftune.local.entities.run import run_entities
from kftune.local.study.events import Event
from kftune.results import FINISHED
from kftune.results.entities import EntitiesFolder
from kftune.study import Study

# The name of a trial has its number; the line is written in one call, so lines do not mix.
NOTING = 'echo "$0 $KFTUNE_TRIAL_NAME" >> "$NOTES"; echo loss=0.5'


def many(entities: Any, trials: int = 3, script: str = "echo loss=0.5", **parts: Any) -> Study:
    """Returns a study of entities, a list or as in a study file; the name of an entity is the script's $0."""
    each = entities if isinstance(entities, dict) else {"items": list(entities)}
    step = {"args": ["${entity}"], **parts.pop("step", {})}
    return study(sh(script), trials, for_each=each, step=step, **parts)


def run(a_study: Study, folder: Path, **options: Any) -> tuple[EntitiesOutcome, list[Event]]:
    """Runs a study for each of its entities. Returns its outcome and its events."""
    events: list[Event] = []
    return run_entities(a_study, folder, on_event=events.append, **options), events


def counts(folder: Path) -> dict[str, dict[str, int]]:
    """Returns entity -> state -> number of trials, of those with results."""
    return {row.entity.name: dict(row.counts) for row in EntitiesFolder(folder).rows() if row.counts}


def finished(folder: Path) -> dict[tuple[str, str], str]:
    """Returns entity and trial -> when it ended, of the finished trials."""
    found: dict[tuple[str, str], str] = {}
    entities = EntitiesFolder(folder)
    for entity in entities.entities() if entities.exists else ():
        results = entities.open(entity)
        if results is not None:
            with results:
                ended = {trial.name: str(trial.ended) for trial in results.trials() if trial.state in FINISHED}
            found |= {(entity.name, name): time for name, time in ended.items()}
    return found


def noted(file: Path) -> Counter[str]:
    """Returns how often each trial ran, by its entity and name."""
    return Counter(file.read_text().splitlines()) if file.exists() else Counter()


def main() -> None:
    """Arguments: the results folder, and the keyword arguments of `many` as JSON. Serves `local_study.Runs`."""
    folder, a_study = Path(sys.argv[1]), many(**json.loads(sys.argv[2]))
    os.environ["NOTES"] = str(folder.parent / "notes")
    serve(lambda: run_entities(a_study, folder).exit_code)


if __name__ == "__main__":
    main()
