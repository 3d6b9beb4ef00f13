"""One line for each study and each run of a pipeline."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from kftune.errors import KftuneError
from kftune.results.entities import STOPPED, UNREADABLE, EntitiesFolder
from kftune.results.kept.disk import problem_text, usage_of
from kftune.results.kept.finding import Found
from kftune.results.layout import ASIDE
from kftune.results.lock import writer_of
from kftune.results.pipeline_names import LOCK, RUN_FILE, RUNNING
from kftune.results.reading import open_results
from kftune.results.trials import Trials


class Row(NamedTuple):
    """One study, or one run of a pipeline.

    Attributes:
        path: Its folder.
        what: study, study for N entities, Experiment, experiment list or pipeline run.
        name: The name in its file.
        state: running, what ended it, or that it was stopped before its end.
        writer: The process that writes it now; None if none does.
        counts: State -> number of its trials, or of its steps.
        best: The best trial: trial, metric, value; None for a pipeline, and without one.
        changed: When a file in it was last written, in UTC.
        bytes: What it takes on the disk; a run contains the studies of its tune steps.
    """

    path: str
    what: str
    name: str
    state: str
    writer: str | None
    counts: Mapping[str, int]
    best: Mapping[str, str] | None
    changed: str
    bytes: int


def rows_of(found: Found) -> list[Row]:
    """Returns a line for each of the results, by path. What cannot be read is added to `found.unreadable`."""
    alone = [folder for folder in found.studies if folder.parent not in found.entities or ASIDE in folder.name]
    several = (_entities(folder, found) for folder in found.entities)
    studies = (*(_study(folder, found) for folder in alone), *several)
    rows = [*(row for row in studies if row is not None), *(_run(*each, found) for each in found.runs.items())]
    return sorted(rows, key=lambda row: row.path)


def _study(folder: Path, found: Found) -> Row | None:
    try:
        with open_results(folder) as results:
            meta, writer = results.meta, results.writer()
            what = "experiment list" if meta.trial_names else "study" if meta.experiment is None else "Experiment"
            state = "running" if writer else results.reason() or STOPPED
            counts: dict[str, int] = dict(results.counts().items())
            best = _best(results)
    except (KftuneError, OSError) as error:
        found.unreadable.append(problem_text(error))
        return None
    return Row(str(folder), what, meta.name, state, writer, counts, best, *_usage(folder, found))


def _entities(folder: Path, found: Found) -> Row | None:
    """Returns one line for the studies of several entities; `kftune status` has one for each."""
    entities = EntitiesFolder(folder)
    counts: Counter[str] = Counter()
    try:
        rows, (_, reason, _) = list(entities.rows()), entities.state()
        name, writer = entities.study, entities.writer()
    except (KftuneError, OSError) as error:
        found.unreadable.append(problem_text(error))
        return None
    found.unreadable += [f"{entities.of(row.entity)}: {row.state}" for row in rows if row.state.startswith(UNREADABLE)]
    for row in rows:
        counts.update(row.counts)
    state, what = "running" if writer else reason or STOPPED, f"study for {len(rows)} entities"
    return Row(str(folder), what, name, state, writer, dict(sorted(counts.items())), None, *_usage(folder, found))


def _best(results: Trials) -> dict[str, str] | None:
    best, objective = results.best(), results.meta.objective
    if best is None:
        return None
    return {
        "trial": best.name,
        "metric": objective.name,
        "value": best.metrics[objective.name].text(objective.reduce),
    }


def _run(folder: Path, meta: Mapping[str, Any], found: Found) -> Row:
    state, writer = str(meta.get("state")), None
    if state == RUNNING:
        writer = writer_of(folder.parent / LOCK) if folder == _last_running(folder.parent, found) else None
        state = "running" if writer else STOPPED
    steps = meta.get("steps")
    counts = Counter(map(str, steps.values())) if isinstance(steps, dict) and meta.get("state") != RUNNING else {}
    name = str(meta.get("pipeline", ""))
    return Row(str(folder), "pipeline run", name, state, writer, {**counts}, None, *_usage(folder, found))


def _last_running(pipeline: Path, found: Found) -> Path:
    """Returns the run that may go on: the file of a killed one says so too, but was written before."""
    running = (run for run, meta in found.runs.items() if run.parent == pipeline and meta.get("state") == RUNNING)
    return max(running, key=lambda run: usage_of(run / RUN_FILE).changed)


def _usage(folder: Path, found: Found) -> tuple[str, int]:
    usage = usage_of(folder)
    found.unreadable += [each for each in usage.unreadable if each not in found.unreadable]
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(usage.changed)), usage.bytes
