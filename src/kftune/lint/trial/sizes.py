"""Advice about empty folders that are larger than what their containers may fill.

Source: Kubernetes, pkg/volume/emptydir (a folder in memory counts as memory of the container that writes to it) and
pkg/kubelet/eviction (a pod above its limit of ephemeral-storage is evicted).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from kftune.katib.go.quantity import parse
from kftune.katib.go.types import Path
from kftune.katib.go.unstructured import as_map, maps
from kftune.lint.rules.findings import finding
from kftune.lint.rules.rule import Finding
from kftune.lint.trial.pods import PodTemplate


def size_advice(pod: PodTemplate) -> Iterator[Finding]:
    """Yields the empty folders that end a container before they are full.

    Args:
        pod: The pod template.
    """
    folders: dict[str, tuple[Mapping[str, Any], Path]] = {}
    for volume, path in pod.maps("volumes"):
        folder = as_map(volume.get("emptyDir"))
        if folder.get("sizeLimit") is not None:
            folders[str(volume.get("name"))] = (folder, (*path, "emptyDir", "sizeLimit"))
    if not folders:
        return
    for container, path in pod.maps("containers"):
        limits = as_map(as_map(container.get("resources")).get("limits"))
        for mount, _ in maps(container, "volumeMounts", path):
            folder, at = folders.get(str(mount.get("name")), ({}, ()))
            in_memory = folder.get("medium") == "Memory"
            kind = "memory" if in_memory else "ephemeral-storage"
            size, most = _amount(folder.get("sizeLimit")), _amount(limits.get(kind))
            if size is None or most is None or size < most + (not in_memory):
                continue
            ends = "is killed (OOMKilled)" if in_memory else "is evicted"
            given = f"{folder['sizeLimit']} in {mount.get('name')}"
            message = f"{given} counts as {kind}, whose limit is {limits[kind]}: the trial {ends} before it is full"
            yield finding("KT310", at, message)


def _amount(value: object) -> Decimal | None:
    return None if value is None or "${" in str(value) else parse(str(value))
