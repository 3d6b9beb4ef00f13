"""The keys of mappings that a study searches: the mapping is the argument, with the searched values in it."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import replace
from typing import Any

from kftune.domains import Conditional, Domain
from kftune.hparams import Hparams
from kftune.hparams.fields import Leaf, holder_of, pieces
from kftune.hparams.fields.nested import get
from kftune.spec.part import PartError, located

# Keys become names of Katib's parameters, whose placeholders end with a brace.
_KEY = re.compile(r"[\w-]+")

Entries = Mapping[str, tuple[str, ...]]
"""A field that holds a mapping -> the dotted names of the keys in it that are searched."""


def entries_of(hparams: type[Hparams], search: Mapping[str, Domain | None]) -> Entries:
    """Returns the searched keys of each mapping.

    Args:
        hparams: The class.
        search: The domains in the study, by dotted name.

    Raises:
        PartError: Two of them overlap, or one has a condition.
    """
    leaves = hparams.leaves()
    found: dict[str, tuple[str, ...]] = {}
    for name, domain in search.items():
        holder = None if name in leaves else holder_of(leaves, name)
        if holder is None:
            continue
        key = next((key for key in name[len(holder.name) + 1 :].split(".") if not _KEY.fullmatch(key)), None)
        if key is not None:
            raise PartError(f"a key to search is letters, digits, _ and -, but {name} has {key!r}", ("search", name))
        whole = search.get(holder.name, holder.domain)
        inside = next((other for other in found.get(holder.name, ()) if _overlap(name, other)), None)
        other = holder.name if whole is not None else inside
        if other is not None:
            remedy = "remove one of them" if other in search else f"remove that of the class: search: {{{other}: null}}"
            raise PartError(
                f"a value is searched once, but {name} and {other} are searched, and one of them holds the other; "
                f"{remedy}",
                ("search", name),
            )
        if isinstance(domain, Conditional):
            raise PartError(f"a key inside {holder.name} cannot have a condition; make it a field", ("search", name))
        if domain is not None:
            found[holder.name] = (*found.get(holder.name, ()), name)
    return found


def _overlap(one: str, other: str) -> bool:
    return f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.")


def leaves_with_entries(
    hparams: type[Hparams], entries: Entries, search: Mapping[str, Domain | None], fixed: Container[str]
) -> Mapping[str, Leaf]:
    """Returns the fields of a class by dotted name, each searched key after the field that holds it.

    Args:
        hparams: The class.
        entries: The searched keys of each field.
        search: The domains in the study.
        fixed: The fields with a value in the study; a key has no default there.

    Raises:
        PartError: A field has no such key.
    """
    leaves = hparams.leaves()
    if not entries:
        return leaves
    found: dict[str, Leaf] = {}
    for name, leaf in leaves.items():
        found[name] = leaf
        for entry in entries.get(name, ()):
            with located("search", entry):
                inner = replace(hparams.leaf(entry), domain=search[entry])
            found[entry] = replace(inner, has_default=False, default=None) if name in fixed else inner
    return found


class Mappings:
    """The mappings in which a study searches keys.

    Args:
        hparams: The class.
        entries: The searched keys of each.
        fixed: The values that the study gives, by dotted name.

    Raises:
        PartError: A value is given and searched, or is no mapping.
    """

    def __init__(self, hparams: type[Hparams], entries: Entries, fixed: Mapping[str, Any]) -> None:
        self._leaves = {name: hparams.leaf(name) for name in entries}
        self._entries = {
            name: {entry: hparams.leaf(entry).path[len(leaf.path) :] for entry in entries[name]}
            for name, leaf in self._leaves.items()
        }
        self._bases: dict[str, Any] = {}
        for name, leaf in self._leaves.items():
            base = fixed.get(name, leaf.default if leaf.has_default else {})
            base = {} if base is None and name not in fixed else base
            if not isinstance(base, Mapping):
                raise PartError(f"{name} is {base!r}, which has no keys to search", ("search", entries[name][0]))
            for entry, path in self._entries[name].items():
                if name in fixed and get(base, path)[0]:
                    raise PartError(
                        f"a hyperparameter is fixed or searched, but {entry} is in values and in search; "
                        f"remove it from one of them",
                        ("search", entry),
                    )
            self._bases[name] = base

    def pieces(self, name: str, found: Mapping[str, Any]) -> Iterator[Any]:
        """Yields the JSON text of one mapping in pieces.

        Args:
            name: The field that holds it.
            found: What is yielded for a searched key, by dotted name: its JSON text, or what stands for it.
                One that is missing stays as it is.
        """
        replaced = {path: found[entry] for entry, path in self._entries[name].items() if entry in found}
        return pieces(self._leaves[name], self._bases[name], replaced)

    def texts(self, texts: Mapping[str, str]) -> dict[str, str]:
        """Returns the text of each mapping, made from the JSON text of each searched key."""
        return {name: "".join(self.pieces(name, texts)) for name in self._leaves}

    def check(self, texts: Mapping[str, str]) -> None:
        """Checks that the class takes the mappings with these values.

        Raises:
            PartError: It does not.
        """
        for name, leaf in self._leaves.items():
            with located("search", next(iter(self._entries[name]))):
                leaf.validated(leaf.decode("".join(self.pieces(name, texts))))
