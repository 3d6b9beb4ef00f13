"""Writes an assignment as arguments of a command line: the only place that knows their form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from kftune import json_input

Names = Literal["underscores", "dashes"]
Form = Literal["--name=value", "--name value", "name=value"]
Booleans = Literal["value", "flag", "flag-no"]
Nulls = Literal["omit", "value"]


class Kind(NamedTuple):
    """What is known about an argument's texts, beside that they are texts."""

    is_boolean: bool = False
    """Whether its values are true and false."""
    is_optional: bool = False
    """Whether it may be null."""
    is_text: bool = False
    """Whether its text is the value itself, not JSON."""
    is_hparam: bool = False
    """Whether it is a hyperparameter, not an input or output of a step."""


Kinds = Mapping[str, Kind]
PLAIN = Kind()
NO_KINDS: Kinds = MappingProxyType({})


class Style(NamedTuple):
    """How a script's own parser takes its arguments; the defaults are what a hyperparameter class reads."""

    names: Names = "underscores"
    form: Form = "--name=value"
    booleans: Booleans = "value"
    nulls: Nulls = "value"

    def option(self, name: str) -> str:
        """Returns the name of an argument as it is on the command line."""
        spelled = name.replace("_", "-") if self.names == "dashes" else name
        return spelled if self.form == "name=value" else f"--{spelled}"

    def chooses(self, kind: Kind) -> bool:
        """Returns whether some value of an argument is not written as its name and its text."""
        return (kind.is_boolean and self.booleans != "value") or (kind.is_optional and self.nulls == "omit")

    def off(self, name: str) -> str:
        """Returns the flag that says false; empty if no flag does."""
        return f"--no-{self.option(name)[2:]}" if self.booleans == "flag-no" else ""

    def tokens(self, name: str, text: str, kind: Kind = PLAIN) -> list[str]:
        """Returns the tokens of one argument: none, one or two.

        Args:
            name: Its dotted name.
            text: Its text, or a target's placeholder for it.
            kind: What is known about it.
        """
        if self.chooses(kind):
            if kind.is_optional and text == "null" and self.nulls == "omit":
                return []
            if kind.is_boolean and self.booleans != "value" and text in ("true", "false"):
                flag = self.option(name) if text == "true" else self.off(name)
                return [flag] if flag else []
        option = self.option(name)
        return [option, text] if self.form == "--name value" else [f"{option}={text}"]


OWN = Style()
"""The form that hyperparameter classes, kftune's launcher and its steps read."""


def to_arguments(assignment: Mapping[str, str], style: Style = OWN, kinds: Kinds = NO_KINDS) -> list[str]:
    """Returns an assignment as tokens of a command line, by default ``--name=text`` each.

    Args:
        assignment: Name -> text, or a target's placeholder for it.
        style: How the program takes them.
        kinds: What is known about each of them.
    """
    if style is OWN:
        return [f"--{name}={text}" for name, text in assignment.items()]
    return [token for name, text in assignment.items() for token in style.tokens(name, text, kinds.get(name, PLAIN))]


def to_json(assignment: Mapping[str, str], style: Style, kinds: Kinds) -> dict[str, Any]:
    """Returns an assignment as the content of a JSON file; a dotted name is a value in an object.

    Args:
        assignment: Name -> text.
        style: Whether null is left out.
        kinds: What is known about each of them.
    """
    made: dict[str, Any] = {}
    for name, text in assignment.items():
        kind = kinds.get(name, PLAIN)
        value = value_of(text, kind)
        if value is None and kind.is_optional and style.nulls == "omit":
            continue
        *parents, last = name.split(".")
        inner = made
        for parent in parents:
            inner = inner.setdefault(parent, {})
        inner[last] = value
    return made


def value_of(text: str, kind: Kind) -> Any:
    """Returns the JSON-able value of a text.

    Args:
        text: The text.
        kind: What is known about it.
    """
    if kind.is_text and not (kind.is_optional and (text == "null" or text.startswith('"'))):
        return text
    try:
        return json_input.loads(text)
    except ValueError:
        return text


def chosen(name: str, text: str, style: Style, kind: Kind) -> Iterator[str]:
    """Yields what `CHOOSE` needs for an argument whose text only the run knows.

    Args:
        name: Its dotted name.
        text: The target's placeholder.
        style: How the program takes it.
        kind: What is known about it.
    """
    option = style.option(name)
    null = "omit" if kind.is_optional and style.nulls == "omit" else "keep"
    if kind.is_boolean and style.booleans != "value":
        yield from (f"flag-{null}", text, option, style.off(name))
    elif style.form == "--name value":
        yield from (f"pair-{null}", text, option, "")
    else:
        yield from (f"join-{null}", text, f"{option}=", "")


# A shell's text that appends to a command line the arguments that depend on values. Its own arguments are four for each
# of them (how, value, option, the flag for false), then `run` and the command line. No engine replaces a part of it.
CHOOSE = (
    'while [ "$1" != run ]; do case "$1:$2" in '
    "*-omit:null) ;; "
    'flag-*:[Tt]rue) set -- "$@" "$3" ;; '
    'flag-*:[Ff]alse) [ -z "$4" ] || set -- "$@" "$4" ;; '
    'flag-*) echo "$3 must be true or false, but got $2" >&2; exit 2 ;; '
    'join-*) set -- "$@" "$3$2" ;; '
    'pair-*) set -- "$@" "$3" "$2" ;; '
    'env-*) export "$3$2" ;; '
    "esac; shift 4; done; shift; "
    'exec "$@"'
)
