"""Names of objects on a cluster, made from names that people write."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from typing import Any, Protocol

from kftune.errors import RenderError

# Source: katib v0.19.0, pkg/webhook/v1beta1/experiment/validator (40 characters), and DNS-1035 for the Services that
# Katib names after the Experiment.
LONGEST = 40

_DNS_1035 = re.compile(r"[a-z](?:[-a-z0-9]*[a-z0-9])?")
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
    """The DNS-1035 name for any text: the text itself where that is one, else a likeness with a hash behind it.

    Args:
        text: What people call the thing.
        longest: The most characters that the name may have; 10 or more.
    """
    if len(text) <= longest and _DNS_1035.fullmatch(text):
        return text
    # Two texts may look alike once letters are lowered and signs are gone; the hash of the text tells them apart.
    mark = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_LENGTH]
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    likeness = _OUTSIDE.sub("-", plain).strip("-")
    if not likeness[:1].isalpha():
        likeness = f"study-{likeness}" if likeness else "study"
    likeness = likeness[: max(longest - _HASH_LENGTH - 1, 1)].rstrip("-")
    return f"{likeness}-{mark}"


def object_metadata(name: str, target: ObjectTarget) -> dict[str, Any]:
    """Returns the metadata of an object.

    Args:
        name: The object's name.
        target: The namespace, labels and annotations that a study or pipeline gives its objects.
    """
    given = {"namespace": target.namespace, "labels": dict(target.labels), "annotations": dict(target.annotations)}
    return {"name": name, **{key: value for key, value in given.items() if value}}


def checked_name(name: str, longest: int = LONGEST) -> str:
    """A name that somebody chose, if the cluster takes it.

    Raises:
        RenderError: It does not.
    """
    if len(name) > longest or _DNS_1035.fullmatch(name) is None:
        raise RenderError(
            f"targets.katib.name must be at most {longest} lower-case letters, digits and '-', begin with a letter and "
            f"not end with '-', but got {name!r} ({len(name)} characters); for example {object_name(name, longest)!r}"
        )
    return name
