"""Builds and pushes the images of a project, and writes the lock."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from kftune.containers import ContainerEngine, ContainerRun
from kftune.errors import ContainerError
from kftune.images.lock import LOCK_FILE, Lock, LockedImage, lock_of
from kftune.images.own import write_kftune
from kftune.images.source import Source, find_sources, with_bases
from kftune.revision import revision_of

_REVISION = "org.opencontainers.image.revision"
_BASE = "org.opencontainers.image.base.name"
_TAG_DIGITS = 12


class Version(NamedTuple):
    """The git revision and the tag of a build.

    Attributes:
        revision: The commit, with ``-dirty`` if files were changed; ``unknown`` without git.
        tag: The tag.
    """

    revision: str
    tag: str

    def local(self, name: str) -> str:
        """Returns the reference of an image on this machine; an engine would look for a short one in registries."""
        return f"localhost/{name}:{self.tag}"


def version_of(root: Path, tag: str | None = None) -> Version:
    """Returns the version of a build in `root`; changes to the lock file do not count.

    Args:
        root: The folder of the project.
        tag: The tag; None means the first digits of the revision.

    Raises:
        ContainerError: There is no tag, and `root` is not in a git repository.
    """
    revision = revision_of(root, ("--", ".", f":(exclude){LOCK_FILE}"))
    if revision.commit:
        return Version(str(revision), tag or str(revision._replace(commit=revision.commit[:_TAG_DIGITS])))
    if tag is not None:
        return Version("unknown", tag)
    raise ContainerError(f"images are tagged by git revision, but {revision.problem}; or give a tag: --tag 1.2.3")


def build_images(
    engine: ContainerEngine,
    root: Path,
    names: Sequence[str] = (),
    *,
    tag: str | None = None,
    base: str | None = None,
    flags: Sequence[str] = (),
    registry: str | None = None,
    tell: Callable[[str], object] = str,
) -> Lock:
    """Builds images and their base images one after the other, and writes the lock at the end.

    Args:
        engine: The container engine.
        root: The folder of the project, which is also the build context.
        names: Images to build; none means all but those that are opt-in.
        tag: The tag; None means the git revision.
        base: The base image; None means those of the Dockerfiles.
        flags: More options for the ``build`` of the engine.
        registry: Where to push, such as ``registry.example/team``; None pushes nothing.
        tell: Called with a line about each image.

    Raises:
        ContainerError: An image cannot be built or pushed; the output of the engine has the reason. Or an image takes
            the kftune that runs, which is not installed.
        UnknownNameError: The image is unknown.
    """
    chosen = _chosen(root, names, tell)
    version = version_of(root, tag)
    if any(source.with_kftune for source in chosen):
        tell(f"wrote {write_kftune(root)}")
    for source in chosen:
        tell(f"building {version.local(source.name)}")
        engine.stream("build", *_options(source, version, base), *flags, str(root))
    pushed = {}
    for source in chosen if registry is not None else ():
        tell(f"pushing {registry}/{source.name}:{version.tag}")
        pushed[source.name] = _push(engine, version.local(source.name), f"{registry}/{source.name}")
    return _write_lock(engine, root, chosen, version, pushed)


def lock_images(
    engine: ContainerEngine,
    root: Path,
    names: Sequence[str] = (),
    *,
    tag: str | None = None,
    tell: Callable[[str], object] = str,
) -> Lock:
    """Writes the lock from images that were built before.

    Args:
        engine: The container engine.
        root: The folder of the project.
        names: Images to lock; none means all but those that are opt-in.
        tag: The tag; None means the git revision.
        tell: Called with a line about each image that is left out.

    Raises:
        ContainerError: An image does not exist.
        UnknownNameError: The image is unknown.
    """
    chosen = _chosen(root, names, tell)
    return _write_lock(engine, root, chosen, version_of(root, tag), {})


def python_packages(engine: ContainerEngine, image: str) -> list[str]:
    """Returns the Python packages in an image, as ``name==version``.

    Args:
        engine: The container engine.
        image: The reference of the image.

    Raises:
        ContainerError: The image does not run, or has no Python.
    """
    listing = ["python", "-m", "pip", "list", "--format=freeze", "--disable-pip-version-check"]
    container = ContainerRun(image=image, name=f"kftune-packages-{os.getpid()}", command=listing)
    _, *arguments = engine.run_argv(container)
    return engine.call(*arguments).splitlines()


def _chosen(root: Path, names: Sequence[str], tell: Callable[[str], object]) -> list[Source]:
    """Returns the images to build, with their base images; names those that are left out."""
    sources = find_sources(root)
    if names:
        return with_bases(names, sources)
    for source in sources.values():
        if source.opt_in:
            tell(f"left out {source.name}: {source.opt_in}; name it to build it: kftune images build {source.name}")
    chosen = [name for name, source in sources.items() if not source.opt_in]
    return with_bases(chosen, sources) if chosen else []


def _options(source: Source, version: Version, base: str | None) -> Iterable[str]:
    yield f"--file={source.dockerfile}"
    yield f"--tag={version.local(source.name)}"
    yield f"--build-arg=REVISION={version.revision}"
    if source.below is not None:
        yield f"--build-arg=BASE_IMAGE={version.local(source.below)}"
    elif base is not None:
        yield f"--build-arg=BASE_IMAGE={base}"


def _push(engine: ContainerEngine, local: str, repository: str) -> str:
    """Pushes an image; returns its reference by digest, which the registry decides."""
    remote = f"{repository}:{local.rpartition(':')[2]}"
    engine.call("tag", local, remote)
    if engine.kind == "podman":
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "digest"
            engine.stream("push", f"--digestfile={file}", remote)
            return f"{repository}@{file.read_text(encoding='ascii').strip()}"
    engine.stream("push", remote)
    digests: list[str] = _inspected(engine, remote, "RepoDigests") or []
    found = next((digest for digest in digests if digest.startswith(f"{repository}@")), None)
    if found is None:
        raise ContainerError(f"{engine.kind} should know the digest of {remote} after its push, but knows {digests}")
    return found


def _write_lock(
    engine: ContainerEngine, root: Path, chosen: Iterable[Source], version: Version, pushed: dict[str, str]
) -> Lock:
    path = root / LOCK_FILE
    known = find_sources(root)
    images = {name: image for name, image in lock_of(root).images.items() if name in known}
    for source in chosen:
        before, now = images.get(source.name), _locked(engine, version.local(source.name))
        # The same image as before is still in the registry.
        kept = before.pushed if before is not None and before.id == now.id else None
        images[source.name] = replace(now, pushed=pushed.get(source.name, kept))
    lock = Lock(path, images)
    lock.write()
    return lock


def _locked(engine: ContainerEngine, local: str) -> LockedImage:
    """Returns an image with its revision and base image, read from labels that its Dockerfile sets."""
    identity = engine.image_id(local)
    if identity is None:
        raise ContainerError(f"{local} does not exist; build it: kftune images build")
    labels = _inspected(engine, local, "Config.Labels") or {}
    missing = [label for label in (_REVISION, _BASE) if not labels.get(label)]
    if missing:
        raise ContainerError(
            f"{local} needs the label {missing[0]}; what kftune images init launcher writes is an example"
        )
    return LockedImage(local, identity, labels[_REVISION], labels[_BASE])


def _inspected(engine: ContainerEngine, image: str, part: str) -> Any:
    return json.loads(engine.call("image", "inspect", f"--format={{{{json .{part}}}}}", image))
