"""`plan`: the changed text of a file, and what changes in it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from kftune import yaml_text
from kftune.applying.chosen import Chosen, typed
from kftune.applying.evidence import equal
from kftune.applying.target import Spot, Target
from kftune.errors import HparamsError, UsageError, near_names
from kftune.files import write_bytes
from kftune.hparams import Hparams
from kftune.hparams.fields import put
from kftune.yaml_text.difference import difference
from kftune.yaml_text.paths import names_in, parts_of
from kftune.yaml_text.setting import Changes
from kftune.yaml_text.tree import Node


class Change(NamedTuple):
    """A value that changes.

    Attributes:
        name: The hyperparameter.
        key: Its key in the file, with dots for nested ones.
        before: The present value as the file writes it; None if there is none.
        after: The new value.
    """

    name: str
    key: str
    before: str | None
    after: Any

    def line(self) -> str:
        """Returns the change on one line."""
        return f"{self.key}: {'(not set)' if self.before is None else self.before} -> {yaml_text.inline(self.after)}"


class Plan(NamedTuple):
    """A file as it would become.

    Attributes:
        target: The place in the file.
        text: The changed text, without a byte order mark.
        changes: The values that change.
        notes: What a reader should know, one sentence each.
    """

    target: Target
    text: str
    changes: tuple[Change, ...]
    notes: tuple[str, ...]

    @property
    def content(self) -> bytes:
        """The changed file."""
        return self.target.bytes_of(self.text)

    def diff(self) -> str:
        """Returns the changes as a unified diff."""
        return difference(self.target.text, self.text, str(self.target.path))

    def write(self) -> None:
        """Replaces the file, at once; its mode stays, and a link stays a link.

        Raises:
            UsageError: The file has changed since it was read, or is read-only.
        """
        path = self.target.path.resolve()
        if path.read_bytes() != self.target.content:
            raise UsageError(f"{self.target.path} has changed since it was read; run this again")
        if not os.access(path, os.W_OK):
            raise UsageError(f"{self.target.path} is read-only; change its mode first")
        write_bytes(path, self.content)


def plan(
    values: Mapping[str, Any],
    target: Target,
    hparams: type[Hparams] | None,
    *,
    add: bool = False,
    shared: bool = False,
) -> Plan:
    """Returns the file with new values. A value that is there already keeps its text.

    Args:
        values: The new values, by dotted name.
        target: The place in the file.
        hparams: The class; None if it is not known.
        add: Whether keys that are missing are added.
        shared: Whether values may change that other places in the file use too.

    Raises:
        UsageError: A key is missing and may not be added, or one value is inside another.
        YamlError: A value is written in a way that cannot be changed safely.
        HparamsError: The class refuses the values together.
    """
    spots = [target.spot(name) for name in values]
    differing = [spot for spot in spots if not _is_there(spot, values[spot.name], target, hparams)]
    missing = [spot for spot in differing if spot.missing]
    if missing and not add:
        raise _not_there(missing, target)
    changes = Changes(target.text, target.documents, str(target.path), shared=shared)
    for spot in differing:
        problem = None if shared else target.shared_by(spot)
        if problem is not None:
            raise problem
        if spot.node is not None:
            changes.set(spot.node, values[spot.name])
    for owner, tree in _trees(missing, values, target).items():
        changes.add(owner, tree)
    text = changes.made() if differing else target.text
    if text == target.text:
        return Plan(target, text, (), tuple(_notes(spots, (), target, hparams)))
    _check_together(values, target, hparams)
    made = tuple(Change(spot.name, _key(spot), _before(spot, target), values[spot.name]) for spot in differing)
    return Plan(target, text, made, tuple(_notes(spots, differing, target, hparams)))


def _has_keys(whole: str, chosen: Chosen, target: Target) -> bool:
    """Returns whether a file has each searched key of a mapping, such as where a map says, though not the mapping."""
    return all(target.spot(name).source is not None for name in chosen.values if name.startswith(f"{whole}."))


def plan_for(
    chosen: Chosen, target: Target, hparams: type[Hparams] | None, *, add: bool = False, shared: bool = False
) -> Plan:
    """Returns the file with the values of a trial, as `plan` does.

    Args:
        chosen: The trial.
        target: The place in the file.
        hparams: The class; None if it is not known.
        add: Whether keys that are missing are added.
        shared: Whether values may change that other places in the file use too.

    Raises:
        KftuneError: As for `plan`.
    """
    missing = [
        name for name in chosen.wholes if target.spot(name).source is None and not _has_keys(name, chosen, target)
    ]
    return plan(chosen.with_wholes(missing), target, hparams, add=add, shared=shared)


def check_keys(names: Iterable[str], target: Target, *, add: bool) -> None:
    """Checks that a file has the keys of some hyperparameters, unless they may be added.

    Args:
        names: Their dotted names.
        target: The place in the file.
        add: Whether keys that are missing are added.

    Raises:
        UsageError: It does not.
        YamlError: A key is there twice, or a change of it would change other values too.
    """
    spots = [target.spot(name) for name in names]
    missing = [spot for spot in spots if spot.missing]
    if missing and not add:
        raise _not_there(missing, target)
    for spot in spots:
        problem = target.shared_by(spot)
        if problem is not None:
            raise problem


def _is_there(spot: Spot, value: Any, target: Target, hparams: type[Hparams] | None) -> bool:
    return spot.source is not None and equal(typed(spot.name, target.value(spot), hparams), value)


def _not_there(missing: Sequence[Spot], target: Target) -> UsageError:
    names = []
    for spot in missing:
        merged = "" if spot.inherited is None else f" (<< brings it from line {spot.inherited.place[0]})"
        key = ".".join(spot.missing)
        near = near_names(key, names_in(spot.nodes[-1] if spot.nodes else target.mapping))
        named = f" (as {_key(spot)})" if _key(spot) != spot.name else ""
        names.append(f"{spot.name}{named}{merged}{near and f' ({near})'}")
    first = missing[0].name
    inside = "" if target.at else "; --at names a mapping inside of the file"
    return UsageError(
        f"{target.label} has no key for {', '.join(names)}; give --add to add such keys, or say which key "
        f"is meant: --map {first}=KEY{inside}"
    )


def _trees(missing: Sequence[Spot], values: Mapping[str, Any], target: Target) -> dict[Node, dict[str, Any]]:
    """Returns mapping -> the keys that are added to it."""
    trees: dict[Node, dict[str, Any]] = {}
    for spot in missing:
        owner = spot.nodes[-1] if spot.nodes else target.mapping
        put(trees.setdefault(owner, {}), spot.missing, values[spot.name])
    return trees


def _check_together(values: Mapping[str, Any], target: Target, hparams: type[Hparams] | None) -> None:
    """Checks that the class takes the new values with the ones that do not change.

    Raises:
        HparamsError: It does not, and it takes the present ones.
    """
    if hparams is None:
        return
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    for name, leaf in hparams.leaves().items():
        spot = target.spot(name)
        if leaf.is_group or (spot.source is None and name not in values):
            continue
        if spot.source is not None:
            put(before, leaf.path, target.value(spot))
        put(after, leaf.path, values.get(name, target.value(spot)))
    for name, value in values.items():
        put(after, hparams.leaf(name).path, value)
    try:
        hparams.from_dict(after)
    except HparamsError as error:
        if _refusal(hparams, before) != str(error):
            raise HparamsError(
                f"{target.label}: {hparams.__name__} refuses the new values with the ones that do not change: {error}"
            ) from error


def _refusal(hparams: type[Hparams], values: Mapping[str, Any]) -> str:
    try:
        hparams.from_dict(values)
    except HparamsError as error:
        return str(error)
    return ""


def _key(spot: Spot) -> str:
    return ".".join((*spot.keys, *spot.missing))


def _before(spot: Spot, target: Target) -> str | None:
    node = spot.node
    if node is None or node.is_empty:
        return None
    if node.is_scalar or node.target is not None:
        return target.text[node.start : node.end]
    return yaml_text.inline(target.value(spot))


def _notes(
    spots: Sequence[Spot], differing: Sequence[Spot], target: Target, hparams: type[Hparams] | None
) -> list[str]:
    notes = [
        f"{spot.name} is the key {_key(spot)} of the file"
        for spot in spots
        if not spot.missing and ".".join(spot.keys) != spot.name and target.mapped(spot.name) is None
    ]
    for spot in differing:
        if spot.node is not None and spot.node.target is not None:
            notes.append(f"{spot.name} was *{spot.node.event.anchor}, and now has a separate value")
        if spot.inherited is not None:
            notes.append(f"{spot.name} came from <<, and now has a separate value")
    if hparams is None and differing:
        notes.append(
            "the class of the hyperparameters is not known here, so no type and no range was checked (--hparams)"
        )
    return notes


def snippet(values: Mapping[str, Any], at: str = "") -> str:
    """Returns a block of YAML with some values, to be pasted.

    Args:
        values: The values, by dotted name.
        at: The path of the mapping that they belong to; empty for none.
    """
    inner: dict[str, Any] = {}
    for name, value in values.items():
        put(inner, name.split("."), value)
    for key in reversed(parts_of(at)):
        inner = {key: inner}
    return yaml_text.dump(inner)
