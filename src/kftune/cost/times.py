"""How long a trial or a step takes: given, or measured in earlier runs; and how long at most."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, median
from typing import Any, NamedTuple

from kftune.results import open_results
from kftune.results.kept import find_results
from kftune.results.pipeline_names import DONE, STEPS, STUDY
from kftune.results.trials import durations


class Times(NamedTuple):
    """The time of one run of a trial or step, in seconds."""

    mean: float | None = None
    """What one takes on average, so that many take this time their number; None if it is not known."""
    source: str = ""
    """``given``, or ``measured``; empty if it is not known."""
    where: str = ""
    """The option that gives it, or the results that it was measured in."""
    number: int = 0
    """How many were measured."""
    median: float | None = None
    least: float | None = None
    longest: float | None = None


UNKNOWN = Times()


def given(seconds: float, option: str) -> Times:
    """Returns a time that the user gives.

    Args:
        seconds: The time.
        option: What gave it.
    """
    return Times(seconds, "given", option)


def measured(seconds: Sequence[float], where: str) -> Times:
    """Returns what was measured; an unknown time without a measurement.

    Args:
        seconds: What single trials or runs of a step took.
        where: The results.
    """
    if not seconds:
        return UNKNOWN
    return Times(
        mean=fmean(seconds),
        source="measured",
        where=where,
        number=len(seconds),
        median=median(seconds),
        least=min(seconds),
        longest=max(seconds),
    )


def times_of_run(folder: Path) -> Times:
    """Returns the time of a trial in the results of a study, also of one with entities; unknown if there are none.

    Args:
        folder: The folder of the results.
    """
    if not folder.is_dir():
        return UNKNOWN
    seconds: list[float] = []
    for study in find_results(folder).studies:  # with entities, each of them has a folder in it
        with open_results(study) as results:
            seconds += durations(results.trials())
    return measured(seconds, str(folder))


def times_of_steps(folder: Path) -> dict[str, Times]:
    """Returns the times in the results of a pipeline: of one run of each step, and of one trial of each tune step.

    Args:
        folder: The folder of the pipeline's runs.
    """
    if not folder.is_dir():
        return {}
    found = find_results(folder)
    seconds: dict[str, list[float]] = {}
    for task in found.tasks:
        run = next((run for run in found.runs if task.is_relative_to(run / STEPS)), None)
        facts = _read(task / DONE)
        if run is None or facts is None or "cached_from" in facts or (task / STUDY).is_dir():
            continue
        if isinstance(duration := facts.get("duration"), int | float):
            seconds.setdefault(_step(task), []).append(float(duration))
    for study in found.studies:
        with open_results(study) as results:
            seconds.setdefault(_step(study.parent), []).extend(durations(results.trials()))
    return {name: measured(each, str(folder)) for name, each in seconds.items()}


def _step(task: Path) -> str:
    # The folder of a task ends with the name of its step, also in a loop: steps/LOOP/0001/STEP.
    return task.name


def _read(path: Path) -> Mapping[str, Any] | None:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None
