"""Findings about ConfigMaps of the input that pods use and the API server refuses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kftune.katib.go.names import is_config_key
from kftune.katib.go.types import Path
from kftune.katib.go.unstructured import PlacedMap, as_map, maps
from kftune.lint.rules.findings import finding
from kftune.lint.rules.rule import Finding
from kftune.lint.trial.pods import PodTemplate


def config_map_findings(pod: PodTemplate, config_maps: Mapping[str, Mapping[str, str]]) -> Iterator[Finding]:
    """Yields the ConfigMaps of a pod that have keys which Kubernetes refuses.

    Args:
        pod: The pod template and its path.
        config_maps: The ConfigMaps of its namespace: name -> data.
    """
    wrong = {name: next((key for key in data if not is_config_key(key)), None) for name, data in config_maps.items()}
    for reference, path in _references(pod):
        name = str(reference.get("name"))
        key = wrong.get(name)
        if key is not None:
            message = f"the API server refuses the ConfigMap {name} with the key {key[:80]!r}, and the pod waits for it"
            yield finding("KT283", (*path, "name"), message)


def _references(pod: PodTemplate) -> Iterator[PlacedMap]:
    for volume, path in pod.maps("volumes"):
        yield from _inner(volume, path, "configMap")
        for source, at in maps(as_map(volume.get("projected")), "sources", (*path, "projected")):
            yield from _inner(source, at, "configMap")
    for group in ("initContainers", "containers"):
        for container, path in pod.maps(group):
            for source, at in maps(container, "envFrom", path):
                yield from _inner(source, at, "configMapRef")
            for variable, at in maps(container, "env", path):
                yield from _inner(as_map(variable.get("valueFrom")), (*at, "valueFrom"), "configMapKeyRef")


def _inner(holder: Mapping[str, Any], path: Path, field: str) -> Iterator[PlacedMap]:
    if isinstance(holder.get(field), dict):
        yield holder[field], (*path, field)
