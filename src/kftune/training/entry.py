"""What of a trained model Kubeflow's Model Registry is to hold; its client is not needed to say so."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from kftune.errors import UsageError

ENTRY_ARGUMENTS = ("model_registry", "uri", "version", "author", "description")
"""The arguments of the register step that are about the Model Registry."""
DIGEST = "manifest_sha256"
"""The property of a version that says which manifest it was made of."""

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+")
_VERSION_DIGITS = 12


@dataclass(frozen=True)
class Entry:
    """One version of a model.

    Attributes:
        name: The model's.
        version: The version's.
        uri: Where others find the model.
        properties: What the version's page shows, by name; under `DIGEST` what tells the same model from another one.
        format: Name and version of the form that the model is stored in.
        author: Who made it; None leaves it out.
        description: A sentence about this version; None leaves it out.
    """

    name: str
    version: str
    uri: str
    properties: Mapping[str, bool | int | float | str]
    format: tuple[str, str]
    author: str | None = None
    description: str | None = None


def check_entry(given: Mapping[str, str]) -> None:
    """Makes sure that a model can be entered, if it is to be: without an address nothing else counts.

    Args:
        given: Arguments of the register step, by name.

    Raises:
        UsageError: The address is none, or the URI is missing or none.
    """
    address, uri = given.get("model_registry"), given.get("uri")
    if address is None:
        return
    if not _is_address(address):
        raise UsageError(f"--model_registry must be http://HOST:PORT or https://HOST:PORT, but got {address!r}")
    if uri is None:
        raise UsageError(
            "the Model Registry says where others find a model, and a step does not know that: "
            "give --uri=… beside --model_registry, such as --uri=s3://bucket/path"
        )
    if not _URI.fullmatch(uri):
        raise UsageError(f"--uri must be a place such as s3://bucket/path or pvc://claim/path, but got {uri!r}")


def entry_of(given: Mapping[str, str], manifest: Mapping[str, Any], text: str, model_format: tuple[str, str]) -> Entry:
    """The entry of a model.

    Args:
        given: Arguments of the register step, by name; checked.
        manifest: The manifest.
        text: The manifest as it is written.
        model_format: Name and version of the form that the model is stored in.
    """
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Entry(
        name=manifest["name"],
        version=given.get("version", digest[:_VERSION_DIGITS]),
        uri=given["uri"],
        properties={**_properties(manifest), DIGEST: digest},
        format=model_format,
        author=given.get("author"),
        description=given.get("description"),
    )


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        _ = parts.port  # raises where it is none
    except ValueError:
        return False
    plain = text == f"{parts.scheme}://{parts.netloc}" and "@" not in text
    return plain and parts.scheme in ("http", "https") and bool(parts.hostname)


def _properties(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest as one level of names; metrics keep theirs, since the registry's filters take letters and ``_``."""
    return {
        **{name: float(value) for name, value in manifest["metrics"].items()},
        **{f"hparams.{name}": _plain(value) for name, value in manifest["hparams"].items()},
        **{f"files.{name}": about["sha256"] for name, about in manifest["files"].items()},
        **{name: manifest[name] for name in ("revision", "created") if manifest[name] is not None},
    }


def _plain(value: object) -> bool | int | float | str:
    """A value as a property can hold it: lists, mappings and null are JSON."""
    return value if isinstance(value, bool | int | float | str) else json.dumps(value, ensure_ascii=False)
