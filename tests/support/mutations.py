"""Mutations of one field of a manifest. Each takes the field's name and value, and returns changed items or None.

A mutation of a member of a map or list returns the members that replace it: none removes it, two double it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

Members = list[tuple[Any, Any]]
Mutation = Callable[[Any, Any], Members | None]


def _only(kind: type, change: Callable[[Any], Any]) -> Mutation:
    """Returns a mutation of values of one type."""

    def mutate(name: Any, value: Any) -> Members | None:
        return [(name, change(value))] if type(value) is kind else None

    return mutate


def _name(change: Callable[[str], str]) -> Mutation:
    """Returns a mutation of the names of fields."""

    def mutate(name: Any, value: Any) -> Members | None:
        return [(change(name), value)] if isinstance(name, str) else None

    return mutate


def _number(change: Callable[[float], Any]) -> Mutation:
    """Returns a mutation of texts that are numbers."""

    def mutate(name: Any, value: Any) -> Members | None:
        try:
            number = float(value) if isinstance(value, str) else None
        except ValueError:
            return None
        return None if number is None else [(name, change(number))]

    return mutate


def _always(value: Any) -> Mutation:
    def mutate(name: Any, old: Any) -> Members | None:
        return None if type(old) is type(value) and old == value else [(name, value)]

    return mutate


MUTATIONS: dict[str, Mutation] = {
    "removed": lambda name, value: [],
    "null": _always(None),
    "doubled": lambda name, value: [(name, value), (name, copy.deepcopy(value))] if isinstance(name, int) else None,
    "name misspelt": _name(lambda name: name + "s" if name[-1] != "s" else name[:-1]),
    "name in capitals": _name(str.upper),
    "name in small letters": _name(lambda name: name.lower() if name.lower() != name else name + "_"),
    "name in snake case": _name(lambda name: "".join(f"_{c.lower()}" if c.isupper() else c for c in name) + "_x"),
    "text for a number": _only(int, str),
    "a float for an integer": _only(int, lambda value: value + 0.5),
    "a negative number": _only(int, lambda value: -value - 1),
    "a huge number": _only(int, lambda value: 2**40),
    "zero": _only(int, lambda value: 0),
    "text for a flag": _only(bool, lambda value: str(value).lower()),
    "the other flag": _only(bool, lambda value: not value),
    "a number for a text": _only(str, lambda value: 7),
    "a flag for a text": _only(str, lambda value: True),
    "an empty text": _only(str, lambda value: ""),
    "a blank at the end": _only(str, lambda value: value + " "),
    "a newline at the end": _only(str, lambda value: value + "\n"),
    "another case": _only(str, str.swapcase),
    "a quote inside": _only(str, lambda value: value[:2] + "'" + value[2:]),
    "a semicolon at the end": _only(str, lambda value: value + ";"),
    "a comment at the end": _only(str, lambda value: value + " # x"),
    "a placeholder of nobody": _only(str, lambda value: value + "${trialParameters.nobody}"),
    "a pipe at the end": _only(str, lambda value: value + " | tee log"),
    "exec in front": _only(str, lambda value: "exec " + value),
    "very long": _only(str, lambda value: value + "x" * 300),
    "letters not in ASCII": _only(str, lambda value: value + "é"),
    "a list for a value": lambda name, value: None if isinstance(value, list) else [(name, [value])],
    "a map for a value": lambda name, value: None if isinstance(value, dict) else [(name, {"x": value})],
    "an empty list": _always([]),
    "an empty map": _always({}),
    "a number that is no number": _number(lambda number: "abc"),
    "a number without its quotes": _number(lambda number: number),
    "a negative bound": _number(lambda number: str(-abs(number) - 1)),
    "an endless bound": _number(lambda number: "inf"),
    "a bound with a blank": _number(lambda number: f" {number}"),
}


def members(value: Any) -> list[tuple[Any, Any]]:
    """Returns the members of a map or list: names or indices, with the values."""
    return list(value.items()) if isinstance(value, dict) else list(enumerate(value))


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Yields every field of a manifest with its path."""
    if isinstance(value, dict | list):
        for name, item in members(value):
            yield (*path, name), item
            yield from places(item, (*path, name))


def mutated(value: Any, path: tuple[Any, ...], mutation: Mutation) -> Any:
    """Returns the manifest with one changed field; None if the mutation does not apply to it."""
    if len(path) > 1:
        inside = mutated(value[path[0]], path[1:], mutation)
        if inside is None:
            return None
        changed = copy.copy(value)
        changed[path[0]] = inside
        return changed
    instead = mutation(path[0], value[path[0]])
    if instead is None or instead == [(path[0], value[path[0]])]:
        return None
    rest: Members = []
    for name, item in members(value):
        rest += instead if name == path[0] else [(name, item)]
    return dict(rest) if isinstance(value, dict) else [item for _, item in rest]
