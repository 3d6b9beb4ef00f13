"""kftune's own images in a project: their Dockerfiles, and the folder ``images/kftune`` that these copy from.

images/launcher/Dockerfile                      written once, then the project's own
images/launcher/Dockerfile.dockerignore
images/kftune/kftune-0.1.0-py3-none-any.whl     the kftune that runs; each build writes it again
images/kftune/core.txt, cluster.txt, …          what it and each of its extras need
images/kftune/constraints.txt                   the versions of packages that it is tested with
images/kftune/.gitignore                        all of it can be written again at any time
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from kftune import confined
from kftune.errors import ContainerError, UnknownNameError, UsageError
from kftune.files import forget, remember, write_bytes, written_before
from kftune.images.lock import PREFIX, short_name
from kftune.images.wheel import requirements, running_wheel

KFTUNE = f"{PREFIX}kftune"
"""The folder of a project with the kftune that its images install."""

_TEMPLATES = files(__package__) / "files"


def own_images() -> list[str]:
    """Returns the names of kftune's own images."""
    return sorted(each.name for each in _TEMPLATES.iterdir() if each.is_dir())


class Initialized(NamedTuple):
    """What became of the files of some images.

    Attributes:
        written: Those that the project did not have.
        differing: Those that it has in another form; they stay as they are.
    """

    written: list[Path]
    differing: list[Path]


def init_images(root: Path, names: Sequence[str]) -> Initialized:
    """Writes the folders of images of kftune into a project; a file that is there is not changed.

    Args:
        root: The folder of the project.
        names: The images: ``launcher``, ``images/train``.

    Raises:
        UnknownNameError: kftune has no such image.
        UsageError: The folder does not exist.
        ConfinedError: A link leads out of it.
        OSError: A file cannot be written.
    """
    if not root.is_dir():
        raise UsageError(
            f"images are in the folder of a project, but {root} is no folder; create it, or correct --root"
        )
    known = own_images()
    wanted: dict[Path, bytes] = {}
    for name in map(short_name, names):
        if name not in known:
            raise UnknownNameError("image of kftune", name, known)
        for template in (_TEMPLATES / name).iterdir():
            place = confined.to_write(root, Path(PREFIX, name, template.name))
            wanted[place] = template.read_bytes()
    written = [path for path in wanted if not path.exists()]
    for path in written:
        write_bytes(path, wanted[path])
    return Initialized(sorted(written), sorted(path for path in wanted if path.read_bytes() != wanted[path]))


def write_kftune(root: Path) -> Path:
    """Writes the folder ``images/kftune`` of a project, and removes from it what an earlier kftune wrote.

    A file that is as it should be is not touched, so that the engine takes the layer that it has.

    Args:
        root: The folder of the project.

    Returns:
        The folder.

    Raises:
        ContainerError: kftune is not installed, or the folder is used for something else.
        ConfinedError: A link leads out of the project.
        OSError: It cannot be written.
    """
    folder = confined.to_write(root, Path(KFTUNE, ".gitignore")).parent
    before = written_before(folder)
    if not before and folder.is_dir() and (others := sorted(each.name for each in folder.iterdir())):
        raise ContainerError(
            f"{folder} must be for the kftune that images install, which a build writes there, but it has other files: "
            f"{', '.join(others[:3])}; give that folder another name"
        )
    wheel = running_wheel()
    content = {
        ".gitignore": b"# kftune images build writes this folder.\n*\n",
        wheel.name: wheel.content,
        "constraints.txt": (_TEMPLATES / "constraints.txt").read_bytes(),
        **{f"{group}.txt": "".join(f"{line}\n" for line in lines).encode() for group, lines in requirements().items()},
    }
    remember(folder, before | content.keys())
    for name, data in content.items():
        write_bytes(folder / name, data)
    list(forget(folder, before - content.keys()))
    remember(folder, content)
    return folder
