"""Prints the steps of a pipeline's latest run, or the log of one."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kftune.cli.output import write_log
from kftune.cli.places import given_results
from kftune.cli.table import indented, table
from kftune.errors import StoreError, UnknownNameError, UsageError
from kftune.results.kept import find_results, rows_of
from kftune.results.kept.finding import Found
from kftune.results.pipeline_names import DONE, LOG, RUNNING, STEPS


def print_status(arguments: argparse.Namespace) -> int:
    """Prints the state of the latest run and of its steps."""
    if arguments.settings:
        raise UsageError(f"kftune pipeline status takes one file or folder, but got {' '.join(arguments.settings)} too")
    run, meta, found = _latest(arguments)
    row = next(row for row in rows_of(found) if row.path == str(run))
    print(f"pipeline {row.name}: {row.state}" + (f" (process {row.writer})" if row.writer else ""))
    print(f"  run  {run}")
    states = _states(run, meta, found)
    print(indented(table(["step", "state"], [*states.items()])))
    if meta.get("message") and meta.get("state") != RUNNING:
        print(meta["message"])
    return 0


def print_log(arguments: argparse.Namespace) -> int:
    """Prints the log of a step of the latest run."""
    if len(arguments.settings) != 1:
        raise UsageError("kftune pipeline logs needs a file or folder and one step: kftune pipeline logs FILE STEP")
    run, meta, found = _latest(arguments)
    step, states = arguments.settings[0], _states(run, meta, found)
    if step not in states:
        raise UnknownNameError("step", step, states)
    log = run / STEPS / step / LOG
    if not log.exists():
        raise StoreError(f"step {step} has no log in this run; its state is {states[step]}", str(log))
    with log.open("rb") as file:
        write_log(file, raw=arguments.raw)
    return 0


def _latest(arguments: argparse.Namespace) -> tuple[Path, Mapping[str, Any], Found]:
    """Returns the latest run, with its run.json and what is in its folder.

    Raises:
        UsageError: The file is of another kind.
        StoreError: There is no run.
    """
    file: Path = arguments.file
    if arguments.dir is None and not file.is_dir():
        from kftune.cli.given import given_kind

        given_kind(file, ("pipeline",))
    folder = arguments.dir or given_results(file)
    found = find_results(folder)
    if not found.runs:
        raise StoreError("there are no runs of a pipeline here; kftune run makes them", str(folder))
    if len(found.pipelines) > 1:
        several = ", ".join(map(str, found.pipelines))
        raise StoreError(f"there are runs of several pipelines here; give the folder of one: {several}", str(folder))
    run = max(found.runs)
    return run, found.runs[run], found


def _states(run: Path, meta: Mapping[str, Any], found: Found) -> dict[str, str]:
    """Returns step -> state; before the run has ended, those of the steps that have started."""
    steps = meta.get("steps")
    if isinstance(steps, dict) and meta.get("state") != RUNNING:  # a run that was resumed has those of its first part
        return {str(name): str(state) for name, state in steps.items()}
    place = run / STEPS
    tasks = [task for task in found.tasks if task.is_relative_to(place)]
    return {str(task.relative_to(place)): "Succeeded" if (task / DONE).exists() else "started" for task in tasks}
