"""The name of a new model, and the files that must not exist yet."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable
from pathlib import Path

from kftune.errors import UsageError

_NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")


def check_name(name: str) -> None:
    """Checks that a name can be that of a Python module.

    Raises:
        UsageError: It cannot.
    """
    if _NAME.fullmatch(name) is None or keyword.iskeyword(name):
        likeness = re.sub("[^a-z0-9]+", "_", name.lower()).strip("_")
        example = likeness if _NAME.fullmatch(likeness) and not keyword.iskeyword(likeness) else "text_cnn"
        raise UsageError(
            f"a model's name must be lower-case letters, digits and '_', such as {example}, but got {name!r}"
        )


def class_name_of(name: str) -> str:
    """Returns the name of a model's class."""
    return "".join(word.capitalize() for word in name.split("_")) + "Hparams"


def check_absent(targets: Iterable[Path]) -> None:
    """Checks that nothing would be overwritten.

    Raises:
        UsageError: One of the files exists.
    """
    for target in targets:
        if target.exists() or target.is_symlink():
            raise UsageError(f"{target} already exists; nothing was written. Choose another name or move it away")
