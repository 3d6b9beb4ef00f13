"""Values of hyperparameters as people write them, nested or under dotted names, or both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kftune.hparams import Hparams


def keys_to(values: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """The keys that lead to a dotted name in a mapping that may be nested or dotted."""
    if name in values:
        return (name,)
    for key, inner in values.items():
        if isinstance(inner, Mapping) and name.startswith(f"{key}."):
            return (key, *keys_to(inner, name.removeprefix(f"{key}.")))
    return (name,)


def flat_values(hparams: type[Hparams], values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Values of hyperparameters by dotted name, from a mapping that may be nested or dotted; unknown names stay."""
    leaves = hparams.leaves()
    flat = []
    for key, value in values.items():
        name = f"{prefix}{key}"
        is_group = name not in leaves or leaves[name].is_group
        if is_group and isinstance(value, Mapping) and any(leaf.startswith(f"{name}.") for leaf in leaves):
            flat.extend(flat_values(hparams, value, f"{name}."))
        else:
            flat.append((name, value))
    return flat
