"""``images/images.lock.json``: the content of each image of the project. A build writes it, rendering reads it.

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

from kftune import confined, json_input
from kftune.errors import ContainerError, UnknownNameError
from kftune.files import open_regular, write_text

PREFIX = "images/"
"""The prefix of the names of images of the project."""

LOCK_FILE = Path("images") / "images.lock.json"
"""The path of the lock in a project."""

_VERSION = 1


def short_name(name: str) -> str:
    """Returns the name of an image of the project: ``train`` for ``images/train``, also with a slash at the end."""
    return name.removeprefix(PREFIX).rstrip("/")


@dataclass(frozen=True)
class LockedImage:
    """One image as it was last built.

    Attributes:
        local: Its tag on the machine that built it.
        id: Its id there, ``sha256:…``.
        revision: The git commit; ends with ``-dirty`` if files had been changed.
        base: Its base image.
        pushed: Its reference by digest in a registry; None if it was not pushed.
    """

    local: str
    id: str
    revision: str
    base: str
    pushed: str | None = None


@dataclass(frozen=True)
class Lock:
    """The content of a lock file.

    Attributes:
        path: The file.
        images: Name of the folder below images/ -> image.
    """

    path: Path
    images: Mapping[str, LockedImage]

    def image(self, name: str) -> LockedImage:
        """Returns an image.

        Args:
            name: ``train`` or ``images/train``.

        Raises:
            UnknownNameError: It is not in the lock.
        """
        short = short_name(name)
        if short not in self.images:
            raise UnknownNameError(f"image in {self.path}", short, self.images)
        return self.images[short]

    def pinned(self, name: str) -> str:
        """Returns the reference by digest that a cluster can pull.

        Raises:
            UnknownNameError: The image is not in the lock.
            ContainerError: The image was not pushed.
        """
        pushed = self.image(name).pushed
        if pushed is None:
            short = short_name(name)
            raise ContainerError(
                f"a cluster pulls images from a registry, but in {self.path} {PREFIX}{short} is only "
                f"{self.image(name).local} on the machine that built it; "
                f"push it: kftune images build {short} --push registry.example/team"
            )
        return pushed

    def write(self) -> None:
        """Writes the file as a whole.

        Raises:
            ConfinedError: A link leads out of the project.
            OSError: It cannot be written.
        """
        images = {name: asdict(image) for name, image in sorted(self.images.items())}
        place = confined.to_write(self.path.parent.parent, LOCK_FILE)
        write_text(place, json.dumps({"version": _VERSION, "images": images}, indent=2) + "\n")


def read_lock(path: Path) -> Lock:
    """Returns the lock in a file.

    Raises:
        ContainerError: The file is not a lock.
        OSError: The file cannot be read.
    """
    try:
        with open_regular(path) as file:
            data: Any = json_input.loads(file.read())
        if data["version"] != _VERSION:
            raise ContainerError(f"{path} must have version {_VERSION}, but has {data['version']!r}; build again")
        images = {name: _read_image(each) for name, each in data["images"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ContainerError(
            f"{path} is not a lock of images: {error!r}; remove it, and write it again: kftune images build"
        ) from error
    return Lock(path, images)


def lock_of(root: Path) -> Lock:
    """Returns the lock of the project in `root`; an empty one if nothing was built.

    Raises:
        ContainerError: The file is not a lock.
    """
    path = root / LOCK_FILE
    return read_lock(path) if path.exists() else Lock(path, {})


def _read_image(data: Mapping[str, Any]) -> LockedImage:
    given = {each.name: data[each.name] for each in fields(LockedImage)}
    if not all(isinstance(value, str) or (key == "pushed" and value is None) for key, value in given.items()):
        raise TypeError("an image's values are texts")
    return LockedImage(**given)


def find_lock(near: Path) -> Lock | None:
    """Returns the lock of the project that a file or folder belongs to: the nearest one above it.

    Raises:
        ContainerError: The file is not a lock.
    """
    near = near.resolve()
    for folder in (near, *near.parents):
        path = folder / LOCK_FILE
        if path.is_file():
            return read_lock(path)
    return None


def resolve(image: str, near: Path, where: Literal["cluster", "here"] = "cluster") -> str:
    """Returns the reference of the image to run.

    Args:
        image: ``images/NAME`` is an image of the project; any other reference is returned as it is.
        near: The file that names the image; the lock of the project is in a folder above it.
        where: ``cluster`` returns a digest in a registry, ``here`` a local tag.

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
            f"build it: kftune images build {short_name(image)}"
        )
    return lock.pinned(image) if where == "cluster" else lock.image(image).local
