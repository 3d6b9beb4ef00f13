"""Pipeline files: YAML to `Pipeline`, with overrides from a command line, and errors with file, line and column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from kftune.errors import PipelineError
from kftune.pipeline.model import Pipeline
from kftune.study.load import load_part


def load_pipeline(path: str | Path, overrides: Sequence[str] = ()) -> Pipeline:
    """The pipeline that a file describes. Studies and items of loops are read from files by their path from there.

    Args:
        path: The YAML file.
        overrides: ``steps.train.values.epochs=4`` sets a key, ``~schedule`` takes one out; values are YAML.

    Raises:
        PipelineError: The file describes no pipeline; file, line and column are on it.
        YamlError: The file is not YAML.
        UsageError: An override is not of those forms.
        OSError: The file cannot be read.
    """
    return load_part(
        Path(path), Pipeline, PipelineError, "a pipeline file holds a mapping (name:, steps:, …)", overrides
    )


def pipeline_from_dict(data: Mapping[str, Any], folders: Sequence[Path] = ()) -> Pipeline:
    """The pipeline that nested values describe, as a pipeline file would.

    Args:
        data: The values.
        folders: Where the files and modules that they name are looked for.

    Raises:
        PipelineError: They describe none.
    """
    try:
        return Pipeline.model_validate(dict(data), context={"folders": tuple(folders)})
    except ValidationError as error:
        raise Pipeline.own_error(error) from error
