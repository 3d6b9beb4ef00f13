"""Hyperparameters as a YAML file for people: a blueprint of a class to start from, and values with their origins."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from inspect import cleandoc
from textwrap import wrap
from typing import Annotated, Any, Literal, TypeVar, cast, get_args, get_origin

from pydantic import BaseModel

from kftune import yaml_text
from kftune.hparams import Hparams
from kftune.hparams.fields.form import parts_of
from kftune.hparams.fields.given import Given
from kftune.hparams.fields.groups import group_of
from kftune.hparams.fields.leaf import Leaf

H = TypeVar("H", bound=Hparams)

_WIDTH = 110
_SIGNS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}


def blueprint(hparams: type[Hparams]) -> str:
    """Returns a config file with the default of each field; its meaning, type and limits are a comment above it.

    A field without a default, and an optional group that is null, are comments too. The file, read, gives the defaults.

    Args:
        hparams: The class.
    """
    about = cleandoc(hparams.__doc__ or hparams.__name__).splitlines()
    return "\n".join([*_led("# ", about), "", *_fields(hparams, hparams.leaves(), ())]) + "\n"


def _led(lead: str, lines: Iterable[str]) -> Iterator[str]:
    """Yields lines with something in front of each."""
    yield from (f"{lead}{line}".rstrip() for line in lines)


def _fields(model: type[BaseModel], leaves: Mapping[str, Leaf], path: tuple[str, ...]) -> Iterator[str]:
    """Yields the lines of the fields of a class or group; a blank line is between a group and other fields."""
    is_apart: bool | None = None
    for name, field in model.model_fields.items():
        dotted = ".".join((*path, name))
        leaf, group = leaves.get(dotted), group_of(field.annotation)
        is_group = group is not None and (leaf is None or leaf.is_group)
        yield from [""] if is_apart or (is_group and is_apart is not None) else []
        is_apart = is_group
        if group is None or not is_group:
            yield from _value(name, leaves[dotted])
            continue
        about = field.description or cleandoc(group.__doc__ or "").partition("\n\n")[0]
        lines = [f"{name}:", *_led("  ", _fields(group, leaves, (*path, name)))]
        is_off = leaf is not None and leaf.default is None
        yield from _comment(f"{about} (null without this group)" if is_off else about)
        yield from _led("# ", lines) if is_off else lines


def _value(name: str, leaf: Leaf) -> Iterator[str]:
    """Yields the lines of a field that is no group."""
    notes = [_type(leaf.annotation), *_limits(leaf)]
    if not leaf.has_default:
        notes.append("required" if leaf.is_required or len(leaf.path) > 1 else "computed")
    if leaf.domain is not None:
        notes.append(f"searched {json.dumps(leaf.domain.to_spec())}")
    yield from _comment(f"{leaf.description} ({'; '.join(notes)})")
    yield from yaml_text.dump({name: leaf.default}).splitlines() if leaf.has_default else [f"# {name}:"]


def _comment(text: str) -> Iterator[str]:
    yield from _led("# ", wrap(" ".join(text.split()), _WIDTH, break_on_hyphens=False))


def _type(annotation: Any) -> str:
    """Returns a type in words that fit YAML."""
    parts = parts_of(annotation)
    if len(parts) > 1:
        return " or ".join(map(_type, parts))
    (part,) = parts
    if part is type(None):
        return "null"
    origin, inner = get_origin(part), [arm for arm in get_args(part) if arm is not Ellipsis]
    if origin is Literal:
        return f"one of {', '.join(map(str, inner))}"
    if origin in (list, tuple, set, frozenset):
        return f"list of {', '.join(map(_type, inner))}"
    if origin is dict:
        return "mapping"
    return part.__name__ if isinstance(part, type) and not get_args(part) else str(part).replace("typing.", "")


def _limits(leaf: Leaf) -> list[str]:
    marks = [*leaf.constraints, *_marks(leaf.annotation)]
    return [f"{sign} {getattr(mark, key)}" for mark in marks for key, sign in _SIGNS.items() if hasattr(mark, key)]


def _marks(annotation: Any) -> Iterator[Any]:
    """Yields what annotates a type or a part of a union."""
    if get_origin(annotation) is Annotated:
        for mark in get_args(annotation)[1:]:
            yield from getattr(mark, "metadata", [mark])
    elif get_origin(annotation) is not Literal and len(parts_of(annotation)) > 1:
        for part in get_args(annotation):
            yield from _marks(part)


def read_line(hparams: type[H], argv: Sequence[str], config: str) -> tuple[H, Callable[[tuple[str, ...]], str]]:
    """Returns an instance from a command line, as `Hparams.from_args` does, and a function for where values are from.

    Args:
        hparams: The class.
        argv: The arguments.
        config: The name of the flag for config files.

    Raises:
        HparamsError: A flag is unknown, a file cannot be read, or a value is not valid for its field.
    """
    line = hparams._command_line
    given = Given(hparams, hparams.leaves(), line)
    given.arguments(line.texts(argv), config, {})
    return cast("H", given.made(lambda data: hparams._valid(data, strict=False))), given.origin


def with_origins(values: Mapping[str, Any], origin: Callable[[tuple[str, ...]], str]) -> str:
    """Returns values as YAML, with a comment for each that says where it comes from.

    Args:
        values: Nested JSON-able values.
        origin: Returns it for the keys that lead to a value.
    """
    return "\n".join(_shown(values, (), origin)) + "\n"


def _shown(values: Mapping[str, Any], path: tuple[str, ...], origin: Callable[[tuple[str, ...]], str]) -> Iterator[str]:
    for key, value in values.items():
        full = (*path, key)
        if isinstance(value, dict) and value:
            yield yaml_text.dump({key: {}}).removesuffix(" {}\n")
            yield from (f"  {line}" for line in _shown(value, full, origin))
        else:
            first, *rest = yaml_text.dump({key: value}).splitlines()
            yield f"{first}  # {origin(full)}"
            yield from rest
