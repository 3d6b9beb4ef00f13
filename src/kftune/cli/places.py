"""Where a study's results are: ``runs/<study's name>`` in the current folder, or the folder that was given."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from kftune.errors import StudyError
from kftune.results import slug

RUNS = Path("runs")


def add_results_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments that name a study's results."""
    parser.add_argument("study", type=Path, help="file of the study or Experiment, or the folder of its results")
    parser.add_argument("--dir", type=Path, help=f"folder of the results (default: {RUNS}/NAME)")


def results_folder(study: Path, given: Path | None = None) -> Path:
    """The folder of a study's results.

    Args:
        study: The study file, of which only the name is read, or the folder itself.
        given: A folder that the user named.

    Raises:
        StudyError: The file names no study.
        OSError: There is no such file.
    """
    if given is not None:
        return given
    if study.is_dir():
        return study
    from kftune.cli.given import given_kind  # a folder needs no YAML

    kind, value = given_kind(study, ("study", "Experiment"))
    content = value.get("metadata") if kind.name == "Experiment" else value
    name = content.get("name") if isinstance(content, Mapping) else None
    if not isinstance(name, str):
        raise StudyError("a study file holds a mapping with a name: key", str(study), 1, 1)
    return RUNS / slug(name)
