"""Pipeline files: YAML to `Pipeline`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kftune.pipeline.model import Pipeline
from kftune.spec.load import FileType, keys_of, load_part, part_of


def _parameters(data: Mapping[str, Any], folders: Sequence[Path]) -> list[str]:
    """Returns the keys that set the defaults of a pipeline's parameters."""
    declared = data.get("parameters")
    if not isinstance(declared, Mapping):
        return []
    return [f"parameters.{name}{'.default' * isinstance(value, Mapping)}" for name, value in declared.items()]


_FILE = FileType(
    name="pipeline",
    keys="name:, steps:",
    model=Pipeline,
    named=("steps", "loops", "parameters"),
    elsewhere=_parameters,
)


def load_pipeline(path: str | Path, overrides: Sequence[str] = ()) -> Pipeline:
    """Returns the pipeline that a file describes. Studies and loop items are read from files relative to it.

    Args:
        path: The YAML file.
        overrides: ``steps.train.values.epochs=4`` sets a key, ``~schedule`` removes one; values are YAML.

    Raises:
        PipelineError: The pipeline is invalid; the error has file, line and column.
        YamlError: The file is not YAML.
        UsageError: An override has another form, or changes a step, loop or parameter that does not exist.
        OSError: The file cannot be read.
    """
    return load_part(Path(path), _FILE, overrides)


def pipeline_from_dict(data: Mapping[str, Any], folders: Sequence[Path] = ()) -> Pipeline:
    """Returns the pipeline that nested values describe, as a pipeline file would.

    Args:
        data: The values.
        folders: Where the files and modules that they name are looked for.

    Raises:
        PipelineError: The pipeline is invalid.
    """
    return part_of(Pipeline, data, folders)


def pipeline_keys(path: Path) -> list[str]:
    """Returns the dotted names that an override of a pipeline file can set, for a hint."""
    return keys_of(path, _FILE)
