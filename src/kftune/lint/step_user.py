"""Findings about the user that the container of a step runs as, of a study or a pipeline."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path as FilePath

from kftune.errors import ContainerError
from kftune.images import PREFIX, find_lock
from kftune.katib.go.types import Path
from kftune.lint.rules.findings import finding
from kftune.lint.rules.rule import Finding
from kftune.lint.trial.pods import PodTemplate
from kftune.lint.trial.root_images import forbids_root, never_starts, starts_as_root
from kftune.lint.trial.security import may_be_root
from kftune.render.merging import merged
from kftune.render.pods import security
from kftune.spec.container import ContainerSettings


def user_findings(step: ContainerSettings, near: FilePath, path: Path) -> Iterator[Finding]:
    """Yields what keeps a step's container from starting as the user of its image.

    Args:
        step: The step, with the image that the file names.
        near: The file; the images of its project are in a folder above it.
        path: The place of the image in the file.
    """
    image = step.image or ""
    if forbids_root(step.pod.get("securityContext") or {}, _context(step)):
        why = _project_user(image, near) if image.startswith(PREFIX) else starts_as_root(image) and "runs as root"
        if why:
            yield never_starts(f"{image} {why}", path)


def root_advice(step: ContainerSettings, path: Path) -> Iterator[Finding]:
    """Yields a finding if a step's container may run as root.

    Args:
        step: The step.
        path: Its place in the file.
    """
    if may_be_root(PodTemplate({"spec": step.pod}, ()), {"securityContext": _context(step)}):
        yield finding("KT304", path, "the container may run as root")


def _context(step: ContainerSettings) -> dict[str, object]:
    return merged(security(step), step.container.get("securityContext") or {})


def _project_user(image: str, near: FilePath) -> str:
    """Returns why a container that forbids root does not start an image of the project; empty if it does or may."""
    from kftune.images.source import find_sources  # reads all Dockerfiles of the project

    try:
        lock = find_lock(near)
        sources = find_sources(lock.path.parents[1]) if lock is not None else {}
    except (ContainerError, OSError):
        return ""  # the image itself is reported
    source = sources.get(image.removeprefix(PREFIX))
    while source is not None:
        user = source.user
        if user:
            named = f"names its user {user!r} instead of a number ({source.dockerfile})"
            return "" if user.isdigit() and int(user) else "runs as root" if user in ("root", "0") else named
        if source.below is None:
            return f"runs as root, as its base {source.base} does" if starts_as_root(source.base) else ""
        source = sources.get(source.below)
    return ""
