"""Finds the folders below ``images/``, the base image of each, and the order in which to build them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from kftune.errors import ContainerError, UnknownNameError
from kftune.images.lock import PREFIX, short_name
from kftune.images.own import KFTUNE, own_images

# Source: the distribution specification's rule for one component of a repository's name.
_NAME = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_LINE = re.compile(r"^[ \t]*(FROM|USER)[ \t]+(?:--\S+[ \t]+)*(\S.*)", re.MULTILINE | re.IGNORECASE)
_BASE = re.compile(r"^ARG\s+BASE_IMAGE=(\S+)", re.MULTILINE)
_OPT_IN = re.compile(r"^# opt-in: (.*\S)", re.MULTILINE)


class Source(NamedTuple):
    """One image's folder.

    Attributes:
        name: The folder's name.
        dockerfile: Its Dockerfile.
        base: The default of ``ARG BASE_IMAGE``, the base image; ``images/NAME`` is another image of the project.
        with_kftune: Whether it copies from ``images/kftune``.
        opt_in: Why it is built only when it is named: what its comment ``# opt-in: …`` says; empty without one.
    """

    name: str
    dockerfile: Path
    base: str
    with_kftune: bool
    opt_in: str = ""

    @property
    def user(self) -> str:
        """The user that the last stage of its Dockerfile has, without the group; empty if it is that of the base."""
        users: dict[str, str] = {}
        user = ""
        stage = ""
        for word, rest in _LINE.findall(self.dockerfile.read_text(encoding="utf-8")):
            given = rest.split()
            if word.upper() == "USER":
                user = given[0].strip("\"'").partition(":")[0]
            else:
                stage, user = given[-1], users.get(given[0], "")
            users[stage] = user
        return user

    @property
    def below(self) -> str | None:
        """The name of its base image, if that is an image of the project."""
        return self.base.removeprefix(PREFIX) if self.base.startswith(PREFIX) else None


def find_sources(root: Path) -> dict[str, Source]:
    """Returns the images of the project in `root`, each after its base image, otherwise by name.

    Raises:
        ContainerError: There are none, or a Dockerfile is invalid.
    """
    dockerfiles = sorted(root.glob(f"{PREFIX}*/Dockerfile"))
    if not dockerfiles:
        raise ContainerError(
            f"images are built from {root / PREFIX / 'NAME' / 'Dockerfile'}, but there is none; kftune images init "
            f"launcher writes that of tune steps"
        )
    sources = {source.name: source for source in map(_source, dockerfiles)}
    return {name: sources[name] for name in _in_order(sources, sources)}


def with_bases(names: Iterable[str], sources: Mapping[str, Source]) -> list[Source]:
    """Returns images and their base images, in the order in which to build them.

    Args:
        names: Names of images; none means all.
        sources: All images of the project.

    Raises:
        ContainerError: It is an image of kftune, and not in the project yet.
        UnknownNameError: The image is unknown.
    """
    asked = [short_name(name) for name in names]
    for name in asked:
        if name not in sources and name in own_images():
            raise ContainerError(f"{PREFIX}{name} is not in this project yet; write it: kftune images init {name}")
        if name not in sources:
            raise UnknownNameError("image", name, sources)
    return [sources[name] for name in _in_order(asked or sources, sources)]


def _source(dockerfile: Path) -> Source:
    name = dockerfile.parent.name
    if _NAME.fullmatch(name) is None:
        raise ContainerError(
            f"the folder of an image is named with lower-case letters, digits, and '.', '_' or '-' between them, "
            f"but got {name!r}"
        )
    text = dockerfile.read_text(encoding="utf-8")
    found = _BASE.search(text)
    if found is None:
        raise ContainerError(f"{dockerfile} must begin with ARG BASE_IMAGE=…, so that the base image can be set")
    opt_in = _OPT_IN.search(text)
    return Source(name, dockerfile, found[1].strip("\"'"), f"{KFTUNE}/" in text, opt_in[1] if opt_in else "")


def _in_order(names: Iterable[str], sources: Mapping[str, Source]) -> list[str]:
    ordered: dict[str, None] = {}
    for name in names:
        ordered.update(dict.fromkeys(reversed(list(_with_bases(name, sources)))))
    return list(ordered)


def _with_bases(name: str, sources: Mapping[str, Source]) -> Iterator[str]:
    """Yields an image, its base image, the base image of that, and so on."""
    seen: list[str] = []
    below: str | None = name
    while below is not None:
        if below not in sources:
            raise UnknownNameError(f"base image of {PREFIX}{seen[-1]}:", below, sources)
        if below in seen:
            raise ContainerError(f"images must not be built on one another in a cycle: {' on '.join([*seen, below])}")
        seen.append(below)
        yield below
        below = sources[below].below
