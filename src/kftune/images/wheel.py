"""The kftune that runs as a wheel, packed from its own files: no index, no build tool and no network is needed.

It is the same wheel whether kftune was installed from a wheel, from a clone or as an editable install.
"""

from __future__ import annotations

import base64
import hashlib
import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import NamedTuple

from kftune._version import __version__
from kftune.errors import ContainerError

_NAME = "kftune"
_EXTRA = re.compile(r"(?P<package>.*?)(?:;|\band\b)\s*+extra\s*+==\s*+['\"](?P<extra>[^'\"]+)['\"]")
_AGAIN = "install kftune again with pip"
# The least that the format of a zip file can hold: the same files make the same bytes.
_DATE = (1980, 1, 1, 0, 0, 0)


class Wheel(NamedTuple):
    """A wheel.

    Attributes:
        name: Its file name.
        content: The file.
    """

    name: str
    content: bytes


def running_wheel() -> Wheel:
    """Returns the kftune that runs.

    Raises:
        ContainerError: It is not installed, or its metadata is that of another version.
    """
    return _packed(_installed(), files(_NAME))


def requirements() -> dict[str, list[str]]:
    """Returns what the installed kftune needs: ``core`` and the name of each extra -> packages, as pip reads them.

    Raises:
        ContainerError: It is not installed, or its metadata is that of another version.
    """
    needed: dict[str, list[str]] = {"core": []}
    for line in _installed().requires or ():
        found = _EXTRA.fullmatch(line)
        group, package = ("core", line) if found is None else (found["extra"], found["package"].rstrip())
        needed.setdefault(group, []).append(package)
    return needed


def _installed() -> Distribution:
    try:
        found = distribution(_NAME)
    except PackageNotFoundError:
        raise ContainerError(
            f"an image gets the kftune that runs, and what its installation says that it needs, but {files(_NAME)} is "
            f"not installed; {_AGAIN}"
        ) from None
    says = found.version if found.read_text("METADATA") else "nothing"
    if says != __version__:
        raise ContainerError(
            f"an image gets the kftune that runs, which is {__version__} in {files(_NAME)}, but its installation says "
            f"{says}; {_AGAIN}"
        )
    return found


def _packed(installed: Distribution, package: Traversable) -> Wheel:
    """Returns a wheel. Source: the Python packaging user guide, binary distribution format 1.0."""
    info = f"{_NAME}-{__version__}.dist-info"
    content = dict(_files(package, _NAME)) | {
        f"{info}/{name}": text.encode() for name, text in _metadata(installed).items()
    }
    record = f"{info}/RECORD"
    content[record] = "".join(_recorded(content, record)).encode()
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            entry = zipfile.ZipInfo(name, _DATE)
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, data, zipfile.ZIP_DEFLATED)
    return Wheel(f"{_NAME}-{__version__}-py3-none-any.whl", file.getvalue())


def _files(folder: Traversable, path: str) -> Iterator[tuple[str, bytes]]:
    for each in sorted(folder.iterdir(), key=lambda inner: inner.name):
        if each.name == "__pycache__":
            continue
        if each.is_dir():
            yield from _files(each, f"{path}/{each.name}")
        else:
            yield f"{path}/{each.name}", each.read_bytes()


def _metadata(installed: Distribution) -> dict[str, str]:
    kept = ["METADATA", "entry_points.txt"]
    kept += [f"licenses/{name}" for name in installed.metadata.get_all("License-File") or ()]
    found = {name: text for name in kept if (text := installed.read_text(name)) is not None}
    own = f"Wheel-Version: 1.0\nGenerator: {_NAME} {__version__}\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    return found | {"WHEEL": own}


def _recorded(content: Mapping[str, bytes], record: str) -> Iterable[str]:
    for name, data in content.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
        yield f"{name},sha256={digest},{len(data)}\n"
    yield f"{record},,\n"
