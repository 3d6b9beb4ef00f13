"""Enters a model in Kubeflow's Model Registry; only this module imports the registry's client.

It uses the layer below the client's `ModelRegistry` class. That class refuses an existing version, so a second try of a
step could not finish what the first one began, and it sends the pod's own token to any server.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from pathlib import Path
from typing import TypeVar

import aiohttp
from model_registry.core import ModelRegistryAPIClient
from model_registry.types import ModelArtifact, ModelVersion, RegisteredModel
from mr_openapi import ApiException, Configuration
from mr_openapi.exceptions import ConflictException

from kftune.errors import ModelRegistryError
from kftune.training.registry_entry import DIGEST, ModelEntry

TOKEN = "KFTUNE_MODEL_REGISTRY_TOKEN"  # noqa: S105  # a variable's name
TOKEN_PATH = "KF_PIPELINES_SA_TOKEN_PATH"  # noqa: S105  # same; the client's own

Found = TypeVar("Found")


def enter(address: str, entry: ModelEntry, patience: float = 60.0) -> str:
    """Enters a version with its artifact, or the missing part of them, and returns a sentence about the result.

    Args:
        address: The server, such as ``http://model-registry-service.kubeflow:8080``.
        entry: The version.
        patience: Seconds until everything must be answered.

    Raises:
        ModelRegistryError: The server cannot be reached or refuses, or the version exists with another manifest.
        OSError: The file with the token cannot be read.
    """
    client = ModelRegistryAPIClient(Configuration(host=address, access_token=_token()))
    try:
        return asyncio.run(asyncio.wait_for(_enter(client, entry), patience))
    except ApiException as error:
        raise ModelRegistryError(f"the Model Registry at {address} {_refusal(error)}") from error
    except TimeoutError as error:
        raise ModelRegistryError(f"the Model Registry at {address} has not answered in {patience:g} s") from error
    except (aiohttp.ClientError, OSError) as error:
        raise ModelRegistryError(f"no Model Registry can be reached at {address}: {_line(str(error))}") from error
    except ValueError as error:
        raise ModelRegistryError(f"the server at {address} is not a Model Registry: {_line(str(error))}") from error


async def _enter(client: ModelRegistryAPIClient, entry: ModelEntry) -> str:
    model, _ = await _find_or_create(
        lambda: client.get_registered_model_by_params(entry.name),
        lambda: client.upsert_registered_model(RegisteredModel(name=entry.name, owner=entry.author)),
    )
    version, _ = await _find_or_create(
        lambda: client.get_model_version_by_params(model.id, entry.version),
        lambda: client.upsert_model_version(_version(entry), model.id),
    )
    wanted, stored = entry.properties[DIGEST], (version.custom_properties or {}).get(DIGEST)
    if stored != wanted:
        held = f"the manifest {str(stored)[:12]}…" if stored else "no manifest of kftune"
        raise ModelRegistryError(
            f"version {entry.version!r} of {entry.name!r} is another model: it has {held}, and this one has "
            f"{str(wanted)[:12]}…; give this model another --version, or omit --version"
        )
    artifact, is_new = await _find_or_create(
        lambda: client.get_model_artifact_by_params(entry.name, version.id),
        lambda: client.upsert_model_version_artifact(_artifact(entry), version.id),
    )
    done = "is entered" if is_new else "was entered before"
    return f"version {entry.version} of {entry.name} {done} in the Model Registry: {artifact.uri}"


async def _find_or_create(
    find: Callable[[], Awaitable[Found | None]], create: Callable[[], Awaitable[Found]]
) -> tuple[Found, bool]:
    """Returns what is found or created, and whether it is new."""
    found = await find()
    if found is not None:
        return found, False
    try:
        return await create(), True
    except ConflictException:  # another step was faster; the items of a loop may share a model
        found = await find()
        if found is None:
            raise
        return found, False


def _version(entry: ModelEntry) -> ModelVersion:
    return ModelVersion(
        name=entry.version,
        author=entry.author,
        description=entry.description,
        custom_properties=entry.properties,
    )


def _artifact(entry: ModelEntry) -> ModelArtifact:
    name, version = entry.format
    return ModelArtifact(name=entry.name, uri=entry.uri, model_format_name=name, model_format_version=version)


def _token() -> str | None:
    """Returns the token for the server; None sends none.

    Raises:
        ModelRegistryError: The token is invalid.
        OSError: Its file cannot be read.
    """
    path = os.environ.get(TOKEN_PATH)
    token = os.environ.get(TOKEN) or (Path(path).read_text(encoding="utf-8") if path else "")
    token = token.strip()
    if not (token.isascii() and token.isprintable()):
        raise ModelRegistryError(
            f"a token must be one line of ASCII characters, but the one that {TOKEN} or {TOKEN_PATH} gives is not"
        )
    return token or None


def _refusal(error: ApiException) -> str:
    """Explains a server's answer, and repeats what it said."""
    if error.status == HTTPStatus.UNAUTHORIZED:
        return f"requires a valid token (401); set the variable {TOKEN} from a secret"
    if error.status == HTTPStatus.FORBIDDEN:
        return "refuses the account of this token (403); give the account the right to write there"
    if error.status == HTTPStatus.NOT_FOUND:
        client = importlib.metadata.version("model-registry")
        return (
            f"does not have the API that the client model-registry {client} uses (404); is the address right? "
            f"A server with only v1alpha3 needs a client below 0.3.16"
        )
    return f"refuses ({error.status}): {_line(str(error.body or error.data or error.reason))}"


def _line(text: str) -> str:
    """Returns the start of a text, in one line."""
    words = " ".join(text.split())
    return words if len(words) <= 200 else f"{words[:200]}…"
