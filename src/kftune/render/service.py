"""Registers kftune's early stopping service in Katib's configuration.

Katib reads the ConfigMap katib-config each time that it starts a service. Its content is one text, so that a patch of
Kubernetes cannot change a part of it.

Source: katib v0.19.0, pkg/apis/config/v1beta1/types.go (EarlyStoppingConfig), pkg/util/v1beta1/katibconfig/config.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kftune import yaml_text
from kftune.earlystopping.names import ALGORITHMS
from kftune.errors import RenderError
from kftune.katib.go.reading import NotYamlError, pieces, read

KEY = "katib-config.yaml"
"""The key of the ConfigMap."""

# Of the object as the cluster returns it; the resourceVersion stays, so that a change of others in between is noticed.
_DROPPED = ("creationTimestamp", "generation", "managedFields", "selfLink", "uid")
_RESOURCES = {"requests": {"cpu": "20m", "memory": "96Mi"}, "limits": {"cpu": "500m", "memory": "512Mi"}}


def entries(image: str) -> list[dict[str, Any]]:
    """Returns the items of `runtime.earlyStoppings` for all rules.

    Args:
        image: The image of the service, as a cluster pulls it.
    """
    return [
        {"algorithmName": name, "image": image, "imagePullPolicy": "IfNotPresent", "resources": _RESOURCES}
        for name in ALGORITHMS
    ]


def fragment(image: str) -> dict[str, Any]:
    """Returns the part of Katib's configuration that has the service, and no other keys.

    Args:
        image: The image of the service, as a cluster pulls it.
    """
    return {"runtime": {"earlyStoppings": entries(image)}}


def registered(text: str, file: str, image: str) -> dict[str, Any]:
    """Returns the ConfigMap katib-config, or the configuration in it, with the service.

    Args:
        text: The present one, as YAML.
        file: Its name, for messages.
        image: The image of the service, as a cluster pulls it.

    Raises:
        RenderError: It is another object.
    """
    found = _document(text, file)
    if "runtime" in found or found.get("kind") == "KatibConfig":
        return _with_service(found, file, image)
    data = found.get("data")
    inner = data.get(KEY) if isinstance(data, Mapping) else None
    if not isinstance(inner, str):
        raise RenderError(
            f"{file} must be the ConfigMap katib-config with the key {KEY}, but has none; write it: "
            f"kubectl get configmap katib-config --namespace kubeflow --output yaml > {file}"
        )
    config = _with_service(_document(inner, f"{KEY} in {file}"), file, image)
    metadata = {key: value for key, value in (found.get("metadata") or {}).items() if key not in _DROPPED}
    return {**found, "metadata": metadata, "data": {**found["data"], KEY: yaml_text.dump(config)}}


def _document(text: str, file: str) -> dict[str, Any]:
    try:
        documents = [value for piece in pieces(text) if (value := read(piece.text)) is not None]
    except NotYamlError as error:
        raise RenderError(f"{file}: {error.message}") from error
    if len(documents) != 1 or not isinstance(documents[0], dict):
        given = f"has {len(documents)} documents" if len(documents) != 1 else f"is {documents[0]!r:.60}"
        raise RenderError(f"{file} must hold one object, the ConfigMap katib-config, but {given}")
    return documents[0]


def _with_service(config: Mapping[str, Any], file: str, image: str) -> dict[str, Any]:
    runtime = config.get("runtime") or {}
    present = runtime.get("earlyStoppings") or [] if isinstance(runtime, Mapping) else None
    if not isinstance(present, list) or not all(isinstance(entry, dict) for entry in present):
        raise RenderError(f"{file}: runtime.earlyStoppings must be a list of entries with algorithmName and image")
    kept = [entry for entry in present if entry.get("algorithmName") not in ALGORITHMS]
    return {**config, "runtime": {**runtime, "earlyStoppings": [*kept, *entries(image)]}}
