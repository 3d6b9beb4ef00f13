"""The class of a study's hyperparameters, found from its results."""

from __future__ import annotations

from pathlib import Path

from kftune.errors import KftuneError
from kftune.hparams import Hparams
from kftune.results import Trials
from kftune.spec.classes import load_class


def class_of(results: Trials, place: Path) -> tuple[type[Hparams] | None, str]:
    """Returns the class of the hyperparameters, and why there is none.

    Args:
        results: The trials of a study.
        place: Their folder or file. Modules are looked for there, in the folder that has ``runs``, and in the
            current folder.

    Returns:
        The class, or None; the reason is empty if results do not say which class it is.
    """
    name = results.meta.compared.get("hparams")
    if not isinstance(name, str):
        return None, ""
    # The study is in the folder that has runs/NAME.
    folders = [*place.resolve().parents[1:2], place.resolve()] if place.is_dir() else [place.resolve().parent]
    try:
        return load_class(name, [*folders, Path.cwd()]), ""
    except KftuneError as error:
        return None, f"{name} cannot be imported here: {error}"
