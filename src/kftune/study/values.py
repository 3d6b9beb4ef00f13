"""Values of hyperparameters as written in a file: nested, with dotted names, or both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kftune.hparams import Hparams


def flat_values(hparams: type[Hparams], values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Returns the values of hyperparameters by dotted name; unknown names stay.

    Args:
        hparams: The class.
        values: A mapping that may be nested, have dotted keys, or both.
        prefix: What comes before each name: the dotted name of a group, with a dot at its end.
    """
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
