"""Renders the namespace of a project, its claims and its ConfigMaps."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from kftune.project import Project, ProjectNamespace

# Enforces only *baseline*: the container that Katib adds to each trial runs as root. Rendered ones meet *restricted*.
_LABELS = {
    "katib.kubeflow.org/metrics-collector-injection": "enabled",
    "pod-security.kubernetes.io/enforce": "baseline",
    "pod-security.kubernetes.io/audit": "restricted",
    "pod-security.kubernetes.io/warn": "restricted",
}


def namespace(created: ProjectNamespace | None) -> list[dict[str, Any]]:
    """Renders the namespace, if the project creates it."""
    if created is None:
        return []
    metadata = {"name": created.name, "labels": {**_LABELS, **created.labels}}
    return [{"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}]


def claims(project: Project, space: str) -> list[dict[str, Any]]:
    """Renders the PersistentVolumeClaims.

    Args:
        project: The project.
        space: Its namespace.
    """
    found = []
    for name, claim in project.claims.items():
        spec: dict[str, Any] = {"accessModes": [*claim.access], "resources": {"requests": {"storage": claim.size}}}
        if claim.storage_class is not None:
            spec["storageClassName"] = claim.storage_class
        metadata = {"name": name, "namespace": space}
        found.append({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec})
    return found


def config_maps(contents: Mapping[str, Mapping[str, bytes]], space: str) -> list[dict[str, Any]]:
    """Renders the ConfigMaps.

    Args:
        contents: ConfigMap -> key -> content.
        space: Their namespace.
    """
    return [_config_map(name, keys, space) for name, keys in contents.items()]


def _config_map(name: str, keys: Mapping[str, bytes], space: str) -> dict[str, Any]:
    found: dict[str, Any] = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": space}}
    for key, content in keys.items():
        try:
            found.setdefault("data", {})[key] = content.decode()
        except UnicodeDecodeError:
            found.setdefault("binaryData", {})[key] = base64.b64encode(content).decode()
    return found
