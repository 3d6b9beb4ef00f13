"""Finds a study's results: ``runs/NAME`` in the current folder, or the folder that was given."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from kftune.cli.arguments import a_path
from kftune.errors import StudyError
from kftune.results import Results, open_results, slug

RUNS = Path("runs")


def add_results_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments that name a study's results."""
    parser.add_argument("study", type=a_path, help="study or Experiment file, or the folder of its results")
    parser.add_argument("--dir", type=a_path, help=f"folder of the results (default: {RUNS}/NAME)")


def open_given(arguments: argparse.Namespace) -> Results:
    """Returns the results that a command line names; use it in a `with` statement.

    Raises:
        UsageError: The file is of another kind.
        StudyError: The file has no name.
        StoreError: There are no results.
        OSError: The file does not exist.
    """
    return open_results(arguments.dir or (arguments.study if arguments.study.is_dir() else _folder(arguments.study)))


def counted(results: Results) -> str:
    """Returns how many trials are in each state, as text."""
    return ", ".join(f"{count} {state}" for state, count in results.counts().items()) or "none"


def _folder(study: Path) -> Path:
    from kftune.cli.given import given_kind  # a folder needs no YAML

    kind, value = given_kind(study, ("study", "Experiment"))
    content = value.get("metadata") if kind.name == "Experiment" else value
    name = content.get("name") if isinstance(content, Mapping) else None
    if not isinstance(name, str):
        raise StudyError("a study file holds a mapping with a name: key", str(study), 1, 1)
    return RUNS / slug(name)
