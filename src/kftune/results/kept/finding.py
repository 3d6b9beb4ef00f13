"""Finds the results below a folder: studies, Experiments, experiment lists and runs of pipelines."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kftune import json_input
from kftune.results.layout import INDEX, RunFolder, trial_of_file
from kftune.results.pipeline_names import CACHE, DONE, LOCK, LOG, REQUEST, RUN_FILE, RUN_FORMAT, STEPS, STUDY


@dataclass
class Found:
    """What is below a folder.

    Attributes:
        studies: The folders with trials, by path.
        entities: The folders with the studies of several entities, by path.
        runs: The folders of pipeline runs, by path, with their run.json.
        tasks: The folders of the steps in these runs.
        pipelines: The folders with runs of a pipeline, or with the cache of some.
        caches: Those that were looked into, and have a cache.
        unreadable: What cannot be read, with the reason.
    """

    studies: list[Path] = field(default_factory=list)
    entities: list[Path] = field(default_factory=list)
    runs: dict[Path, dict[str, Any]] = field(default_factory=dict)
    tasks: list[Path] = field(default_factory=list)
    pipelines: list[Path] = field(default_factory=list)
    caches: list[Path] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)


def find_results(*folders: Path) -> Found:
    """Returns the results below folders. Links are not followed, and hidden folders are passed over.

    Args:
        folders: Where to look; each may be one with results itself.
    """
    found = Found()
    waiting = [(folder, False) for folder in reversed(folders)]
    while waiting:
        folder, in_run = waiting.pop()
        try:
            with os.scandir(folder) as entries:
                links = {entry.name: entry.is_dir(follow_symlinks=False) for entry in entries if not entry.is_symlink()}
        except OSError as error:
            found.unreadable.append(f"{folder}: {error.strerror}")
            continue
        files = {name for name, is_folder in links.items() if not is_folder}
        folders_here = sorted(links.keys() - files)
        looked_at = _in_run if in_run else _anywhere
        below = [*looked_at(folder, files, folders_here, found)]
        waiting += reversed([(folder / name, in_run or is_run) for name, is_run in below])
    found.pipelines = sorted({*found.caches, *(run.parent for run in found.runs)})
    return found


def run_of(study: Path) -> Path | None:
    """Returns the folder of the pipeline run that a study is in; None without one."""
    return next((above for above in study.absolute().parents if _is_file(above / RUN_FILE)), None)


def _anywhere(folder: Path, files: set[str], folders: list[str], found: Found) -> Iterator[tuple[str, bool]]:
    """Notes what a folder is, and yields the folders in it where results may be, and whether they are a run's."""
    layout = RunFolder(folder)
    if layout.database.name in files:
        found.studies.append(folder)
        passed = {*layout.own_names(), layout.outputs.name, *_with_logs(layout)}
        folders = [name for name in folders if name not in passed and trial_of_file(name, passed) is None]
    elif RUN_FILE in files and (meta := _run_at(folder, found)) is not None:
        found.runs[folder] = meta
        yield from ((name, True) for name in folders if name == STEPS)
        return
    elif INDEX in files:
        found.entities.append(folder)
    elif LOCK in files and CACHE in folders:
        found.caches.append(folder)
    yield from ((name, False) for name in folders if not name.startswith("."))


def _in_run(folder: Path, files: set[str], folders: list[str], found: Found) -> Iterator[tuple[str, bool]]:
    """The same among the steps of a run: what a step wrote is passed over."""
    if RunFolder(folder).database.name in files:
        found.studies.append(folder)
    elif files & {LOG, REQUEST, DONE}:
        found.tasks.append(folder)
        yield from ((name, True) for name in folders if name == STUDY)
    else:
        yield from ((name, True) for name in folders)


def _with_logs(layout: RunFolder) -> set[str]:
    """Returns the names of the trials that have logs: those of an experiment list write to folders of their names."""
    try:
        return {path.stem for path in layout.logs.glob("*.log")}
    except OSError:
        return set()


def _run_at(folder: Path, found: Found) -> dict[str, Any] | None:
    if not _is_file(folder / RUN_FILE):  # a pipe would never end
        return None
    try:
        content = json_input.loads((folder / RUN_FILE).read_bytes())
    except OSError as error:
        found.unreadable.append(f"{folder / RUN_FILE}: {error.strerror}")
        return None
    except ValueError:
        return None
    return content if isinstance(content, dict) and content.get("format") == RUN_FORMAT else None


def _is_file(path: Path) -> bool:
    """Returns whether a path is a file; also where its folder may not be entered."""
    try:
        return path.is_file()
    except OSError:
        return False
