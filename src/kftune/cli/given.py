"""Which kinds of file a command takes, and what to give it in place of another."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kftune.errors import UsageError
from kftune.spec.kind import RENDERED, Kind, KindName, kind_of_file

_ADVICE: dict[KindName, str] = {
    "study": "run it with kftune run",
    "pipeline": "give the folder of one of its tune steps, runs/NAME/RUN/steps/STEP/study",
    "project": "give one of its studies or pipelines, or render its folder: kftune render FOLDER --out DIR",
    "experiment list": "run or render it with kftune experiments --config FILE",
    "Experiment": "run it with kftune run, or apply it with kubectl",
    "Katib object": "Katib makes it from an Experiment, so give the Experiment",
}


def given_kind(path: Path, taken: Sequence[KindName]) -> tuple[Kind, Any]:
    """Returns the kind of a file that a command was given, and the document that decides it.

    Args:
        path: The file.
        taken: The kinds that the command takes. A file of kind "other" is left to the loader, which says what it lacks.

    Raises:
        UsageError: The file is of another kind, or looks like an object of Katib and is invalid.
        YamlError: The file is not YAML.
        OSError: The file cannot be read.
    """
    kind, value = kind_of_file(path)
    if kind.problem:
        raise UsageError(f"{path}: {kind.problem}")
    if kind.name in taken or kind.name == "other":
        return kind, value
    if kind.object in RENDERED:
        raise UsageError(
            f"{path} is a rendered {kind.object}; give the pipeline file it was rendered from{_source(path)}"
        )
    raise UsageError(f"{path} is {kind}; {_ADVICE.get(kind.name, f'give a {taken[0]} file')}")


def _source(path: Path) -> str:
    """Returns the name of the file that kftune render wrote this one from: pipeline.argo.yaml is of pipeline.yaml."""
    stem, dot, target = path.stem.partition(".")
    return f", {stem}.yaml" if dot and target.partition("-")[0] in ("argo", "kfp") else ""
