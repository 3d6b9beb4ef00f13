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


def _experiment_in(text: bytes) -> object:
    """The metadata of the first Experiment among a file's documents, read as kubectl reads them."""
    from kftune.katib.go.reading import NotYamlError, pieces, read

    for piece in pieces(text.decode("utf-8", "replace")):
        try:
            value = read(piece.text)
        except NotYamlError:
            return None
        if isinstance(value, dict) and value.get("kind") == "Experiment":
            return value.get("metadata")
    return None


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
    from kftune import yaml_text  # the folder itself, the quick way, needs no YAML

    text = study.read_bytes()
    content = _experiment_in(text) if b"Experiment" in text else None
    if content is None:
        content = yaml_text.load_file(study)
    name = content.get("name") if isinstance(content, Mapping) else None
    if not isinstance(name, str):
        raise StudyError("a study file holds a mapping with a name: key", str(study), 1, 1)
    return RUNS / slug(name)
