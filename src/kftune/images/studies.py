"""Replaces images of the project in studies."""

from __future__ import annotations

from pathlib import Path

from kftune.images.lock import resolve
from kftune.study import Study


def pinned(study: Study, path: Path) -> Study:
    """Returns the study with the image of its step as a cluster can pull it.

    Args:
        study: The study.
        path: Its file; the lock of the project is in a folder above it.

    Raises:
        ContainerError: ``step.image`` is ``images/NAME``, and that image was not built or not pushed.
        UnknownNameError: There is no such image.
    """
    if study.step.image is None:
        return study
    image = resolve(study.step.image, path)
    return study.model_copy(update={"step": study.step.model_copy(update={"image": image})})
