"""What a command line has to know about the fields of a class, for scripts that have a parser of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin

from kftune.argv import Kind
from kftune.hparams.fields.form import parts_of
from kftune.hparams.fields.leaf import Leaf


def kinds_of(leaves: Mapping[str, Leaf]) -> dict[str, Kind]:
    """Returns the kind of each field, by dotted name."""
    return {name: _kind(leaf) for name, leaf in leaves.items()}


def _kind(leaf: Leaf) -> Kind:
    parts = parts_of(leaf.annotation)
    others = [part for part in parts if part is not type(None)]
    return Kind(
        is_boolean=bool(others) and all(map(_is_boolean, others)),
        is_optional=len(others) < len(parts) or Any in parts or object in parts,
        is_text=leaf.form.startswith("text"),
        is_hparam=True,
    )


def _is_boolean(part: Any) -> bool:
    return part is bool or (get_origin(part) is Literal and all(isinstance(each, bool) for each in get_args(part)))
