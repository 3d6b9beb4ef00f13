"""Names that people write: those of fields, of what a dict or an extra holds, and the overrides made of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from pydantic import BaseModel

from kftune.errors import HparamsError, suggestion
from kftune.hparams.fields.form import parse_json, parse_loosely
from kftune.hparams.fields.groups import owner_of
from kftune.hparams.fields.leaf import Leaf
from kftune.hparams.fields.nested import get, put, remove


def refuse_name(model: type[BaseModel], leaves: Mapping[str, Leaf], name: str) -> NoReturn:
    """Says that `model` has no hyperparameter called `name`."""
    raise HparamsError(f"{model.__name__} has no hyperparameter {name!r}; {suggestion(name, leaves)}")


def place_of(model: type[BaseModel], leaves: Mapping[str, Leaf], name: str, text: str) -> tuple[tuple[str, ...], Any]:
    """Path and value for a name that is no field: a whole group, something in a dict, or an extra.

    Raises:
        HparamsError: It is none of these.
    """
    path = tuple(name.split("."))
    owner, depth = owner_of(model, path)
    if owner is not model and depth == len(path):
        return path, parse_json(name, text)
    leaf = leaves.get(".".join(path[: depth + 1]))
    if leaf is not None and leaf.form == "json":
        return path, parse_loosely(text)
    if leaf is None and owner.model_config.get("extra") == "allow":
        return (*path[:depth], ".".join(path[depth:])), parse_loosely(text)
    return refuse_name(model, leaves, name)


def apply_override(model: type[BaseModel], leaves: Mapping[str, Leaf], data: dict[str, Any], override: str) -> None:
    """Changes `data` as ``name=value``, ``+name=value`` or ``~name`` says.

    Raises:
        HparamsError: The override is not of these forms, or its name or value is refused.
    """
    if override.startswith("~"):
        _drop(model, leaves, data, override[1:])
        return
    name, equals, text = override.removeprefix("+").partition("=")
    if not equals:
        raise HparamsError(f"an override is name=value, +name=value or ~name, but got {override!r}")
    leaf = leaves.get(name)
    if override.startswith("+"):
        _check_new(model, leaves, name, text)
    put(data, *((leaf.path, leaf.decode(text)) if leaf else place_of(model, leaves, name, text)))


def _check_new(model: type[BaseModel], leaves: Mapping[str, Leaf], name: str, text: str) -> None:
    if name in leaves:
        raise HparamsError(f"+{name} adds a name, but {model.__name__} has it already; write {name}={text}")
    if model.model_config.get("extra") != "allow" and "." not in name:
        known = suggestion(name, leaves)
        raise HparamsError(f"{model.__name__} allows no further names, but got +{name}; {known}")


def _drop(model: type[BaseModel], leaves: Mapping[str, Leaf], data: dict[str, Any], name: str) -> None:
    leaf = leaves.get(name)
    if leaf is not None and not leaf.has_default:
        raise HparamsError(f"~{name} goes back to the default, but {leaf.declaration} has none")
    path = leaf.path if leaf else tuple(name.split("."))
    if leaf is None and not get(data, path)[0]:
        refuse_name(model, leaves, name)
    remove(data, path)
