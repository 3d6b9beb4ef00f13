"""Studies whose step names an image of the project."""

from __future__ import annotations

from pathlib import Path

from kftune.images.lock import resolve
from kftune.study import Study


def pinned(study: Study, path: Path) -> Study:
    """The study with its step's image as a cluster can pull it.

    Args:
        study: The study.
        path: Its file; the project's lock lies above it.

    Raises:
        ContainerError: ``step.image`` is ``images/NAME``, and that was not built or not pushed.
        UnknownNameError: There is no such image.
    """
    if study.step.image is None:
        return study
    image = resolve(study.step.image, path)
    return study.model_copy(update={"step": study.step.model_copy(update={"image": image})})
