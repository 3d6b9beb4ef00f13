"""What Kubeflow's Model Registry stores of a trained model. This module does not need the registry's client."""

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
"""The arguments of the register step for the Model Registry."""
DIGEST = "manifest_sha256"
"""The property of a version that identifies its manifest."""

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+")
_VERSION_DIGITS = 12


@dataclass(frozen=True)
class ModelEntry:
    """One version of a model.

    Attributes:
        name: The model's name.
        version: The version's name.
        uri: Where others find the model.
        properties: What the version's page shows, by name; `DIGEST` identifies the model.
        format: Name and version of the format that the model is stored in.
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
    """Checks the arguments for the Model Registry. Without an address there is nothing to check.

    Args:
        given: Arguments of the register step, by name.

    Raises:
        UsageError: The address is invalid, or the URI is missing or invalid.
    """
    address, uri = given.get("model_registry"), given.get("uri")
    if address is None:
        return
    if not _is_address(address):
        raise UsageError(f"--model_registry must be http://HOST:PORT or https://HOST:PORT, but got {address!r}")
    if uri is None:
        raise UsageError(
            "the Model Registry stores where others find a model, and a step does not know that; "
            "give --uri=… with --model_registry, such as --uri=s3://bucket/path"
        )
    if not _URI.fullmatch(uri):
        raise UsageError(f"--uri must be a place such as s3://bucket/path or pvc://claim/path, but got {uri!r}")


def entry_of(
    given: Mapping[str, str], manifest: Mapping[str, Any], text: str, model_format: tuple[str, str]
) -> ModelEntry:
    """Returns the entry of a model.

    Args:
        given: Arguments of the register step, by name, after `check_entry`.
        manifest: The manifest.
        text: The manifest as it is written.
        model_format: Name and version of the format that the model is stored in.
    """
    digest = hashlib.sha256(text.encode()).hexdigest()
    return ModelEntry(
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
        _ = parts.port  # raises when it is not a number
    except ValueError:
        return False
    plain = text == f"{parts.scheme}://{parts.netloc}" and "@" not in text
    return plain and parts.scheme in ("http", "https") and bool(parts.hostname)


def _properties(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the manifest as one level of names.

    Metrics have no prefix, because the registry's filters accept only letters and ``_``.
    """
    return {
        **{name: float(value) for name, value in manifest["metrics"].items()},
        **{f"hparams.{name}": _plain(value) for name, value in manifest["hparams"].items()},
        **{f"files.{name}": about["sha256"] for name, about in manifest["files"].items()},
        **{name: manifest[name] for name in ("revision", "created") if manifest[name] is not None},
    }


def _plain(value: object) -> bool | int | float | str:
    """Returns a value as a property can store it: lists, mappings and null as JSON."""
    return value if isinstance(value, bool | int | float | str) else json.dumps(value, ensure_ascii=False)
