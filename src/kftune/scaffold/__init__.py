"""Files to start from: a hyperparameter class, a script that trains with it, its study and its test."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from string import Template

from kftune import confined
from kftune.files import write_text
from kftune.scaffold.names import check_absent, check_name, class_name_of

_MODEL = {
    "hparams.py.txt": "pipelines/{name}/{name}_hparams.py",
    "train.py.txt": "pipelines/{name}/train.py",
    "study.yaml.txt": "pipelines/{name}/study.yaml",
    "test.py.txt": "tests/test_{name}.py",
}
_PIPELINE = {
    **{template: place for template, place in _MODEL.items() if template != "train.py.txt"},
    "pipeline_train.py.txt": "pipelines/{name}/train.py",
    "evaluate.py.txt": "pipelines/{name}/evaluate.py",
    "pipeline.yaml.txt": "pipelines/{name}/pipeline.yaml",
}
_FILES = {
    "hparams": _MODEL,
    "pipeline": _PIPELINE,
    "project": {**_PIPELINE, "project.yaml.txt": "pipelines/{name}/project.yaml"},
}


def new_files(what: str, name: str, root: Path) -> list[Path]:
    """Writes the files of a new model, ready to run.

    Args:
        what: `hparams`, `pipeline` for a pipeline around its study, or `project` for what a cluster needs too.
        name: The model's name, in lower case with underscores.
        root: The project's folder; ``pipelines/`` and ``tests/`` are created in it.

    Returns:
        The written files.

    Raises:
        UsageError: The name is not that of a Python module, or one of the files already exists.
        ConfinedError: A link leads out of the project.
    """
    check_name(name)
    words = {"name": name, "dashed": name.replace("_", "-"), "class_name": class_name_of(name)}
    targets = {template: confined.to_write(root, place.format(name=name)) for template, place in _FILES[what].items()}
    check_absent(targets.values())
    for template, target in targets.items():
        text = (files(__package__) / template).read_text(encoding="utf-8")
        write_text(target, Template(text).substitute(words))
    return list(targets.values())
