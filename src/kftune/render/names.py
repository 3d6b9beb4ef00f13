"""Names and metadata of objects on a cluster."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from typing import Any, Protocol

from kftune.errors import RenderError
from kftune.katib.go.names import DNS_1035

# Source: katib v0.19.0, pkg/webhook/v1beta1/experiment/validator (40 characters), and DNS-1035 for the Services that
# Katib names after the Experiment.
LONGEST = 40
LONGEST_LABEL = 63
"""The maximum length of a label's value."""

_OUTSIDE = re.compile(r"[^a-z0-9]+")
_HASH_LENGTH = 8


class ObjectTarget(Protocol):
    """The options of a target about the objects that it makes."""

    @property
    def namespace(self) -> str | None: ...  # noqa: D102
    @property
    def labels(self) -> Mapping[str, str]: ...  # noqa: D102
    @property
    def annotations(self) -> Mapping[str, str]: ...  # noqa: D102


def object_name(text: str, longest: int = LONGEST) -> str:
    """Returns a DNS-1035 name for any text: the text itself if it is valid, otherwise a similar name with a hash.

    Args:
        text: The name that the user wrote.
        longest: The maximum length of the name, at least 10 characters.
    """
    if len(text) <= longest and DNS_1035.fullmatch(text):
        return text
    # Two texts may become the same name once case and signs are gone; the hash keeps them apart.
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    similar = _OUTSIDE.sub("-", plain).strip("-")
    if not similar[:1].isalpha():
        similar = f"study-{similar}" if similar else "study"
    similar = similar[: max(longest - _HASH_LENGTH - 1, 1)].rstrip("-")
    return f"{similar}-{_mark(text)}"


def is_name_of(name: str, text: str) -> bool:
    """Returns whether an object's name is the one that a text gets, whatever its maximum length is.

    Args:
        name: The object's name.
        text: The name that the user wrote.
    """
    return name == text or name.rpartition("-")[2] == _mark(text)


def _mark(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_LENGTH]


def object_metadata(name: str, target: ObjectTarget) -> dict[str, Any]:
    """Returns the metadata of an object.

    Args:
        name: The object's name.
        target: The namespace, labels and annotations that a study or pipeline gives its objects.
    """
    metadata: dict[str, Any] = {"name": name}
    if target.namespace is not None:
        metadata["namespace"] = target.namespace
    if target.labels:
        metadata["labels"] = dict(target.labels)
    if target.annotations:
        metadata["annotations"] = dict(target.annotations)
    return metadata


def checked_name(name: str, longest: int = LONGEST) -> str:
    """Returns a name that the user chose, if it is valid.

    Args:
        name: The name.
        longest: The maximum length, in characters.

    Raises:
        RenderError: The name is invalid.
    """
    if len(name) > longest or DNS_1035.fullmatch(name) is None:
        raise RenderError(
            f"targets.katib.name must be at most {longest} lower-case letters, digits and '-', start with a letter and "
            f"not end with '-', but got {name!r} ({len(name)} characters); for example {object_name(name, longest)!r}"
        )
    return name
