"""Random pods and fragments that the published schema allows; prints pairs of them for tools/pod_merges.go."""

from __future__ import annotations

import json
import random
import sys
from typing import Any

from kftune.katib.crd.schema import SchemaNode, fields_of, node_of

_TEXTS = ("a", "b", "c", "1", "x y", "", "ü")
_SCALARS: dict[str, Any] = {
    "s": _TEXTS,
    "t": ("2026-01-01T00:00:00Z",),
    "b": (True, False),
    "i": (0, 1, 7),
    "I": (0, 1, 2**40),
    "n": (0.5, 1),
    "q": ("1", "500m", "4Gi", 2),
    "x": (1, "2"),
    "o": ({},),
}
_DEPTH = 5
COUNT = 150


def value_of(node: SchemaNode, rng: random.Random, depth: int = 0, *, nulls: bool = False) -> Any:
    """Returns a random value of a type; lists with keys have different keys."""
    head = node.kind[0]
    if head == "=":
        return struct_of(node.kind[1:], rng, depth, nulls=nulls)
    if head == "{":
        keys = rng.sample(_TEXTS[:4], rng.randint(0, 2))
        return {key: value_of(node.items, rng, depth + 1, nulls=nulls) for key in keys}
    if head == "[":
        return [value_of(node.items, rng, depth + 1, nulls=nulls) for _ in range(rng.randint(0, 2))]
    return rng.choice(_SCALARS[head]) if head in _SCALARS else {}


def struct_of(name: str, rng: random.Random, depth: int, *, nulls: bool) -> dict[str, Any]:
    """Returns a random struct with its required fields and a few others."""
    fields = fields_of(name)
    required = fields.get("!", {}).get("required", ())
    others = [field for field in fields if field != "!" and field not in required]
    chosen = [
        *required,
        *(rng.sample(others, min(len(others), rng.randint(0, 3 if depth else 14))) if depth < _DEPTH else []),
    ]
    made: dict[str, Any] = {}
    for field in chosen:
        if nulls and field not in required and rng.random() < 0.15:
            made[field] = None
        else:
            made[field] = different(field, value_of(node_of(fields[field]), rng, depth + 1, nulls=nulls))
    return made


def different(field: str, value: Any) -> Any:
    """Returns a list without two items that a merge takes for one, and any other value as it is."""
    key = KEYS.get(field)
    if key is None or not isinstance(value, list):
        return value
    return list({json.dumps(item.setdefault(key, "a")): item for item in value}.values())


KEYS = {
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


def pairs() -> list[dict[str, Any]]:
    """Returns pods and patches, the same each time."""
    rng = random.Random(14)
    whole = SchemaNode("=PodSpec")
    return [{"pod": value_of(whole, rng), "patch": value_of(whole, rng, nulls=True)} for _ in range(COUNT)]


if __name__ == "__main__":
    for pair in pairs():
        sys.stdout.write(json.dumps(pair, ensure_ascii=False) + "\n")
