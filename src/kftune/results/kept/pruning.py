"""Which files of results can go: they are large, and a run makes them again."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from kftune import json_input
from kftune.errors import KftuneError
from kftune.results.kept.disk import problem_text, usage_of
from kftune.results.kept.finding import Found, find_results, run_of
from kftune.results.layout import ASIDE, RunFolder, trial_of_file
from kftune.results.lock import writer_of
from kftune.results.pipeline_names import CACHE, LOCK
from kftune.results.reading import Results, open_results
from kftune.results.records import FINISHED
from kftune.results.selection import Selected, Wanted

_ASIDE = re.compile(rf".+{re.escape(ASIDE)}\d{{8}}-\d{{6}}(-\d+)?")
_EARLIER_LOG = re.compile(r"log\.attempt\d+\.txt")
_CACHED = re.compile(r"[0-9a-f]{64}\.json")
# A trial of it begins with the files of another one.
_INHERITS = "pbt"


def identity_of(path: Path) -> tuple[int, int] | None:
    """Returns what tells a file or folder from a later one of its name; None if it is not there."""
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


class Unneeded(NamedTuple):
    """A file or folder that can go.

    Attributes:
        path: Where it is.
        why: What it is.
        bytes: What it takes on the disk.
        locks: The files that a run locks while it may need it.
        identity: What tells it from a later file or folder of its name; None if it is gone.
    """

    path: Path
    why: str
    bytes: int
    locks: tuple[Path, ...]
    identity: tuple[int, int] | None


@dataclass
class Plan:
    """What can go.

    Attributes:
        unneeded: The files and folders; none is in another one.
        left: What stays, with the reason.
        unreadable: What cannot be read.
        is_empty: Whether there are no results at all.
    """

    unneeded: list[Unneeded] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    is_empty: bool = False

    def add(self, path: Path, why: str, *locks: Path) -> None:
        """Adds a file or folder.

        Args:
            path: Where it is.
            why: What it is.
            locks: What a run locks while it may need it.
        """
        self.unneeded.append(Unneeded(path, why, usage_of(path).bytes, locks, identity_of(path)))


def plan(folder: Path, *, aside: Collection[Path] = (), keep_best: int, keep_runs: int | None) -> Plan:
    """Returns what can go.

    Args:
        folder: One with results, or above some.
        aside: Folders with its results that were moved aside.
        keep_best: How many trials of a study keep their logs and outputs; those of the Pareto set do in any case.
        keep_runs: How many runs of a pipeline stay, the latest; None keeps all.
    """
    found = find_results(folder, *aside)
    made = Plan(unreadable=found.unreadable, is_empty=not (found.studies or found.pipelines))
    passed: list[Path] = []
    for pipeline in found.pipelines:
        writer = writer_of(pipeline / LOCK)
        if writer is None:
            passed += _pipeline(pipeline, found, made, keep_runs if pipeline.is_relative_to(folder) else None)
        else:
            made.left.append(f"{pipeline}: process {writer} writes here")
            passed.append(pipeline)
    for study in found.studies:
        if not any(study.is_relative_to(each) for each in passed):
            _study(study, made, keep_best, may_go=study != folder)
    return made


def _pipeline(pipeline: Path, found: Found, made: Plan, keep_runs: int | None) -> list[Path]:
    """Adds what can go of the runs of a pipeline; returns the runs that go."""
    lock = pipeline / LOCK
    runs = sorted(run for run in found.runs if run.parent == pipeline)
    old = [] if keep_runs is None else runs[: max(0, len(runs) - keep_runs)]
    for run in old:
        studies = [study / LOCK for study in found.studies if study.is_relative_to(run)]
        made.add(run, "old run of a pipeline", lock, *studies)
    stay = [run for run in runs if run not in old]
    for task in found.tasks:
        if any(task.is_relative_to(run) for run in stay):
            for path in _entries(task, made):
                if _EARLIER_LOG.fullmatch(path.name):
                    made.add(path, "earlier try", lock)
    # A folder that was given below the pipeline has no cache.
    cache = pipeline / CACHE
    if pipeline in found.caches and not cache.is_symlink():
        gone = {run.name for run in old}
        for path in _entries(cache, made):
            name = _cached_of(path) if _CACHED.fullmatch(path.name) and path.is_file() else None
            if name is not None and (name in gone or not (pipeline / name).exists()):
                made.add(path, "cache of a run that is gone", lock)
    return old


def _study(study: Path, made: Plan, keep_best: int, *, may_go: bool) -> None:
    run = run_of(study)
    above = (None if run is None else run.parent / LOCK, RunFolder(study).lock_above)
    locks = (*(lock for lock in above if lock is not None), study / LOCK)
    writer = next((writer for lock in locks if (writer := writer_of(lock)) is not None), None)
    if writer is not None:
        made.left.append(f"{study}: process {writer} writes here")
        return
    try:
        with open_results(study) as results:
            if may_go and _ASIDE.fullmatch(study.name):
                _moved_aside(results, made, locks)
            else:
                _trials(results, made, keep_best, locks)
    except (KftuneError, OSError) as error:
        made.unreadable.append(problem_text(error))


def _moved_aside(results: Results, made: Plan, locks: tuple[Path, ...]) -> None:
    others = results.folder.others()
    if others:
        made.left.append(f"{results.folder.path}: moved aside, but it has files of others: {', '.join(others[:5])}")
    else:
        made.add(results.folder.path, "results moved aside", *locks)


def _trials(results: Results, made: Plan, keep_best: int, locks: tuple[Path, ...]) -> None:
    """Adds what can go of the trials of a study that have ended."""
    files, trials = results.folder, results.trials()
    finished = {trial.name for trial in trials if trial.state in FINISHED} - files.own_names()
    kept = {trial.name for trial in Selected(results, Wanted(None, None, False, keep_best)).trials()}
    if results.meta.more_objectives:
        kept |= {trial.name for trial in results.pareto()}
    inherits = results.meta.algorithm == _INHERITS
    if inherits:
        made.left.append(f"{files.outputs}: trials of {_INHERITS} begin with the files of others, so all stay")
    places = [(files.logs, ".log", finished - kept), (files.outputs, "", set() if inherits else finished - kept)]
    for place, end, unneeded in places:
        if place.is_symlink():
            made.left.append(f"{place}: a link, which is not followed")
            continue
        names = {f"{name}{end}" for name in finished}
        for path in _entries(place, made):
            trial = trial_of_file(path.name, names)
            if trial is not None and trial != path.name:
                made.add(path, "earlier try", *locks)
            elif trial is not None and trial.removesuffix(end) in unneeded:
                made.add(path, "not among the best", *locks)


def _entries(folder: Path, made: Plan) -> Iterator[Path]:
    """Yields what is in a folder, by name; nothing if it is not there."""
    try:
        found = sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        made.unreadable.append(f"{folder}: {error.strerror}")
        return
    yield from found


def _cached_of(path: Path) -> str | None:
    """Returns the run that a file of the cache names; None if it is not one of those."""
    try:
        run = json_input.loads(path.read_bytes())["run"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return run if isinstance(run, str) and run and Path(run).name == run else None
