"""The record of what runs in a container: image, command, limits, and what it may see of this machine.

The defaults allow nothing: no network, no capability, no writing outside /tmp, no image from a registry.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal

from kftune.errors import ContainerError

Network = Literal["none", "default", "host"]

IMAGE_USER = 10001
"""User and group of the images in images/."""

# Both engines take these names for containers; volumes and labels follow the same rule here.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
# podman takes these for files of this machine, or for images of other stores on it; see containers-transports(5).
_NOT_OF_REGISTRY = re.compile(
    r"(?:atomic|containers-storage|dir|docker-archive|docker-daemon|oci|oci-archive|ostree|sif|tarball):|docker://|[-./~]"
)
# podman reads `NAME*` as every variable that starts so.
_VARIABLE = re.compile(r"[A-Za-z_.-][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class Folder:
    """A folder or file of this machine that the container sees.

    Attributes:
        source: Its path here; it must exist.
        target: Absolute path in the container.
        read_only: Whether the container may only read it.
    """

    source: Path
    target: str
    read_only: bool = False


@dataclass(frozen=True)
class Scratch:
    """An empty folder in memory that ends with the container, as an emptyDir does; every user may write to it.

    Its content counts as the container's memory. For a folder on disk, mount a `Folder`.

    Attributes:
        target: Absolute path in the container.
        size: The most that it may hold, in bytes; None for the container's memory.
    """

    target: str
    size: int | None = None


@dataclass(frozen=True, kw_only=True)
class ContainerRun:
    """A container that runs once.

    Attributes:
        image: Its reference; ``localhost/NAME:TAG`` for one that was built here.
        name: Its name, which no other container here may have.
        command: Program and first arguments in place of the image's ENTRYPOINT; empty leaves that.
        args: Arguments in place of the image's CMD. As in a pod, a command without args runs without the image's CMD.
        env: Variables; their values go into a file, see `kftune.containers.variables`.
        inherited: Names of variables that get their value from the environment of the process that runs the argv.
        working_dir: Working folder; None leaves the image's.
        folders: Files and folders of this machine that it sees.
        scratch: Empty folders in memory. /tmp is one even when it is not listed.
        cpus: Cores; None for all.
        memory: Bytes, without any swap; None for all.
        shared_memory: Bytes of /dev/shm; None for the engine's default of 64 MB.
        capabilities: Rights of root that it keeps, without CAP_; all others are dropped.
        pids: Processes and threads.
        user: User and group by number; None takes the image's.
        read_only: Whether its file system outside of `folders` and `scratch` is read-only.
        network: ``none``; ``default`` is the engine's own network, ``host`` this machine's.
        pull: Whether a missing image is fetched from its registry.
        gpus: Devices as CUDA_VISIBLE_DEVICES names them, by index or UUID; ``all`` for every one, None for none.
        labels: Labels by which it can be found; see `ContainerEngine.leftovers`.
    """

    image: str
    name: str
    command: Sequence[str] = ()
    args: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    inherited: Collection[str] = ()
    working_dir: str | None = None
    folders: Sequence[Folder] = ()
    scratch: Sequence[Scratch] = ()
    cpus: float | None = None
    memory: int | None = None
    shared_memory: int | None = None
    capabilities: Sequence[str] = ()
    pids: int = 4096
    user: tuple[int, int] | None = None
    read_only: bool = True
    network: Network = "none"
    pull: bool = False
    gpus: Sequence[str] | None = None
    labels: Mapping[str, str] = field(default_factory=dict)

    def check(self) -> None:
        """Rejects what an engine would misread.

        Raises:
            ContainerError: A part of it is invalid.
        """
        if not self.image or _NOT_OF_REGISTRY.match(self.image):
            raise ContainerError(f"a container needs an image such as localhost/train:1, but got {self.image!r}")
        if _NAME.fullmatch(self.name) is None:
            raise ContainerError(f"a container's name is letters, digits, '_', '.' and '-', but got {self.name!r}")
        for variable in (*self.env, *self.inherited):
            if _VARIABLE.fullmatch(variable) is None:
                raise ContainerError(f"a variable's name is letters, digits, '_', '.' and '-', but got {variable!r}")
        for folder in self.folders:
            _check_target(folder.target)
            if not folder.source.exists():
                raise ContainerError(f"what is mounted at {folder.target} must be there, but {folder.source} is not")
        for scratch in self.scratch:
            _check_target(scratch.target)
        targets = self.targets
        twice = next((target for target in targets if targets.count(target) > 1), None)
        if twice:
            raise ContainerError(f"one thing can be mounted at a path, but {twice} is given twice")

    @property
    def targets(self) -> list[str]:
        """The paths in the container where something is mounted."""
        given = [*(folder.target for folder in self.folders), *(scratch.target for scratch in self.scratch)]
        return [str(PurePosixPath(target)) for target in given]


def _check_target(target: str) -> None:
    """Rejects what `--tmpfs` cannot express."""
    odd = any(character in target for character in ":,\n\r\0") or ".." in target.split("/")
    if not target.startswith("/") or not target.strip("/") or odd:
        raise ContainerError(
            f"a mount's target must be an absolute path below / without ':', ',' or line breaks, and without '..', but "
            f"got {target!r}"
        )


def open_to_containers(folder: Path) -> tuple[int, int]:
    """Lets a container write to `folder`, and returns the user that must run it.

    That is the user of kftune, so that they own the files; root gives the folder to the user of the images instead, so
    that no container runs as root.

    Raises:
        OSError: The folder's owner cannot be changed.
    """
    user, group = os.getuid(), os.getgid()
    if user != 0:
        return user, group
    os.chown(folder, IMAGE_USER, IMAGE_USER, follow_symlinks=False)
    return IMAGE_USER, IMAGE_USER
