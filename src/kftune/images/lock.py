"""``images/images.lock.json``: what each image of the project is, by content; written by a build, read by rendering.

{"version": 1, "images": {"train": {
"local": "localhost/train:1b2c3d4e5f60",         tag by git revision, on the machine that built it
"id": "sha256:…",                                 of the image on that machine
"revision": "1b2c3d4e5f60…",                      git commit; ends with -dirty when files were changed
"base": "docker.io/library/python:3.11-slim-bookworm",
"pushed": "registry.example/team/train@sha256:…"  in the registry; null before a push
}}}
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from kftune.errors import ContainerError, UnknownNameError
from kftune.files import write_text

PREFIX = "images/"
"""What the name of an image of the project starts with, where an image is asked for."""

LOCK_FILE = Path("images") / "images.lock.json"
"""Where the lock lies in a project."""

_VERSION = 1


@dataclass(frozen=True)
class LockedImage:
    """One image as it was last built.

    Attributes:
        local: Its tag on the machine that built it.
        id: Its id there, ``sha256:…``.
        revision: Git commit that it was built from; ends with ``-dirty`` when files had been changed.
        base: The image that it was built on.
        pushed: Its reference by digest in the registry that it was pushed to.
    """

    local: str
    id: str
    revision: str
    base: str
    pushed: str | None = None


@dataclass(frozen=True)
class Lock:
    """A lock file's content.

    Attributes:
        path: The file.
        images: Name of the folder below images/ -> the image.
    """

    path: Path
    images: Mapping[str, LockedImage]

    def image(self, name: str) -> LockedImage:
        """One image.

        Args:
            name: ``train`` or ``images/train``.

        Raises:
            UnknownNameError: It is not in the lock.
        """
        short = name.removeprefix(PREFIX)
        if short not in self.images:
            raise UnknownNameError(f"image in {self.path}", short, self.images)
        return self.images[short]

    def pinned(self, name: str) -> str:
        """The reference by digest that a cluster can pull.

        Raises:
            UnknownNameError: It is not in the lock.
            ContainerError: It was never pushed.
        """
        pushed = self.image(name).pushed
        if pushed is None:
            short = name.removeprefix(PREFIX)
            raise ContainerError(
                f"a cluster pulls images from a registry, but {self.path} knows {PREFIX}{short} only as "
                f"{self.image(name).local} on the machine that built it; "
                f"push it: kftune images build {short} --push registry.example/team"
            )
        return pushed

    def write(self) -> None:
        """Writes the file, whole or not at all.

        Raises:
            OSError: It cannot be written.
        """
        images = {name: asdict(image) for name, image in sorted(self.images.items())}
        write_text(self.path, json.dumps({"version": _VERSION, "images": images}, indent=2) + "\n")


def read_lock(path: Path) -> Lock:
    """The lock in a file.

    Raises:
        ContainerError: The file holds none.
        OSError: The file cannot be read.
    """
    try:
        data: Any = json.loads(path.read_bytes())
        if data["version"] != _VERSION:
            raise ContainerError(f"{path} must have version {_VERSION}, but has {data['version']!r}; build it anew")
        images = {name: _read_image(each) for name, each in data["images"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ContainerError(
            f"{path} is not a lock of images: {error!r}; remove it, and write it anew: kftune images build"
        ) from error
    return Lock(path, images)


def lock_of(root: Path) -> Lock:
    """The lock of the project in `root`; an empty one where nothing was built yet.

    Raises:
        ContainerError: What is there is no lock.
    """
    path = root / LOCK_FILE
    return read_lock(path) if path.exists() else Lock(path, {})


def _read_image(data: Mapping[str, Any]) -> LockedImage:
    given = {each.name: data[each.name] for each in fields(LockedImage)}
    if not all(isinstance(value, str) or (key == "pushed" and value is None) for key, value in given.items()):
        raise TypeError("an image's values are texts")
    return LockedImage(**given)


def find_lock(near: Path) -> Lock | None:
    """The lock of the project that a file or folder belongs to: the nearest one above it.

    Raises:
        ContainerError: What is there is no lock.
    """
    near = near.resolve()
    for folder in (near, *near.parents):
        path = folder / LOCK_FILE
        if path.is_file():
            return read_lock(path)
    return None


def resolve(image: str, near: Path, where: Literal["cluster", "here"] = "cluster") -> str:
    """What to run where an image is asked for.

    Args:
        image: ``images/NAME`` is one of the project; any other reference stays as it is.
        near: The file that asks, such as a study's; the project's lock lies above it.
        where: By digest for a ``cluster``, by local tag for ``here``.

    Raises:
        ContainerError: The project has no lock, or the image was not pushed.
        UnknownNameError: The image is not in the lock.
    """
    if not image.startswith(PREFIX):
        return image
    lock = find_lock(near)
    if lock is None:
        raise ContainerError(
            f"{image} is an image of the project, but there is no {LOCK_FILE} above {near}; "
            f"build it: kftune images build {image.removeprefix(PREFIX)}"
        )
    return lock.pinned(image) if where == "cluster" else lock.image(image).local
