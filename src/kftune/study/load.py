"""Study files: YAML to `Study`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kftune.errors import KftuneError
from kftune.hparams.registry import load_hparams
from kftune.spec.load import FileType, keys_of, load_part, part_of
from kftune.study.model import Study


def _hyperparameters(data: Mapping[str, Any], folders: Sequence[Path]) -> list[str]:
    """Returns the keys that fix the hyperparameters of a study: values.learning_rate."""
    try:
        return [f"values.{name}" for name in load_hparams(str(data.get("hparams")), folders).leaves()]
    except KftuneError:  # loading the study says what is wrong with its class
        return []


_FILE = FileType(
    name="study", keys="name:, hparams:", model=Study, dotted=("values", "search"), elsewhere=_hyperparameters
)


def load_study(path: str | Path, overrides: Sequence[str] = ()) -> Study:
    """Returns the study that a file describes.

    Args:
        path: The YAML file.
        overrides: ``budget.max_trials=4`` sets a key, ``~points`` removes one; values are YAML.

    Raises:
        StudyError: The study is invalid; the error has file, line and column.
        YamlError: The file is not YAML.
        UsageError: An override has another form.
        OSError: The file cannot be read.
    """
    return load_part(Path(path), _FILE, overrides)


def study_from_dict(data: Mapping[str, Any], folders: Sequence[Path] = ()) -> Study:
    """Returns the study that nested values describe, as a study file would.

    Args:
        data: The values.
        folders: Where the modules that they name are looked for.

    Raises:
        StudyError: The study is invalid.
    """
    return part_of(Study, data, folders)


def study_keys(path: Path) -> list[str]:
    """Returns the dotted names that an override of a study file can set, for a hint."""
    return keys_of(path, _FILE)
