"""Merges a part of a pod into a pod, as `kubectl patch` and the API server do (strategic merge).

Mappings are merged key by key, and null removes a key. Some lists are merged item by item, by a key of the items; all
other lists are replaced.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Source: k8s.io/api v0.36, core/v1/types.go: the tags patchMergeKey of the lists below PodSpec.
_KEYS = {
    "containers": "name",
    "env": "name",
    "ephemeralContainers": "name",
    "hostAliases": "ip",
    "imagePullSecrets": "name",
    "initContainers": "name",
    "ports": "containerPort",
    "resourceClaims": "name",
    "schedulingGates": "name",
    "topologySpreadConstraints": "topologyKey",
    "volumeDevices": "devicePath",
    "volumeMounts": "mountPath",
    "volumes": "name",
}


def merged(original: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """Returns an object with a patch merged into it; both stay as they are.

    Args:
        original: A pod's spec, a container, or a part of one.
        patch: Some of its fields.
    """
    result = dict(original)
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, Mapping):
            before = result.get(name)
            result[name] = merged(before if isinstance(before, Mapping) else {}, value)
        elif isinstance(value, list) and name in _KEYS:
            result[name] = _merged_list(result.get(name) or [], value, _KEYS[name])
        else:
            result[name] = _without_nulls(value)
    return result


def _merged_list(original: list[dict[str, Any]], patch: list[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    """Merges a list by the key of its items: those of the patch come as early as the old order allows."""
    places = {item.get(key): place for place, item in enumerate(original)}
    changed = [item.get(key) for item in patch]
    kept = [item for item in original if item.get(key) not in changed]
    result: list[dict[str, Any]] = []
    for item in patch:
        place = places.get(item.get(key), -1)
        while kept and places[kept[0].get(key)] < place:
            result.append(kept.pop(0))
        result.append(merged(original[place] if place >= 0 else {}, item))
    return [*result, *kept]


def _without_nulls(value: Any) -> Any:
    """Returns a copy; in the items of a list that is replaced, null means the same as no field."""
    if isinstance(value, Mapping):
        return {name: _without_nulls(inner) for name, inner in value.items() if inner is not None}
    return [_without_nulls(inner) for inner in value] if isinstance(value, (list, tuple)) else value
