"""Files to start from: a hyperparameter class, a script that trains with it, its study and its test."""

from __future__ import annotations

import keyword
import re
from importlib.resources import files
from pathlib import Path
from string import Template

from kftune.errors import UsageError
from kftune.files import write_text

_NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")


def new_hparams(name: str, root: Path) -> list[Path]:
    """Writes the four files of a new model, ready to run.

    Args:
        name: The model's name, in lower case with underscores.
        root: The project's folder; ``pipelines/`` and ``tests/`` are created in it.

    Returns:
        The written files.

    Raises:
        UsageError: The name is not that of a Python module, or one of the files already exists.
    """
    if _NAME.fullmatch(name) is None or keyword.iskeyword(name):
        likeness = re.sub("[^a-z0-9]+", "_", name.lower()).strip("_")
        example = likeness if _NAME.fullmatch(likeness) and not keyword.iskeyword(likeness) else "text_cnn"
        raise UsageError(
            f"a model's name must be lower-case letters, digits and '_', such as {example}, but got {name!r}"
        )
    words = {
        "name": name,
        "dashed": name.replace("_", "-"),
        "class_name": "".join(word.capitalize() for word in name.split("_")) + "Hparams",
    }
    folder = root / "pipelines" / name
    targets = {
        "hparams.py.txt": folder / f"{name}_hparams.py",
        "train.py.txt": folder / "train.py",
        "study.yaml.txt": folder / "study.yaml",
        "test.py.txt": root / "tests" / f"test_{name}.py",
    }
    for target in targets.values():
        if target.exists():
            raise UsageError(f"{target} already exists; nothing was written. Choose another name or move it away")
    for template, target in targets.items():
        text = (files(__package__) / template).read_text(encoding="utf-8")
        write_text(target, Template(text).substitute(words))
    return list(targets.values())
