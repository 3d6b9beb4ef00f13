"""Values of hyperparameters in groups of an experiment list, such as ``optimizer.type``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from kftune.errors import HparamsError, KftuneError, UnknownNameError

Groups = Mapping[str, Mapping[str, str]]
"""Group -> key -> field; of two keys for the same field, that of the later group counts."""


class GroupedValue(NamedTuple):
    """A value, and where it is."""

    path: tuple[str, ...]
    """The keys that lead to it."""
    field: str
    """The field of the class."""
    value: Any


class GroupedProblem(NamedTuple):
    """What is wrong with a group, and where."""

    path: tuple[str, ...]
    """The keys that lead to it."""
    error: KftuneError
    at_key: bool
    """Whether the last key itself is wrong, not its value."""


def grouped_values(
    groups: Groups, alone: Sequence[str], experiment: Mapping[str, Any]
) -> tuple[list[GroupedValue], list[GroupedProblem]]:
    """Returns the values of an experiment, in the order in which later ones take precedence, and all its mistakes.

    Args:
        groups: The groups of the class.
        alone: Fields outside of groups.
        experiment: The experiment.
    """
    values: list[GroupedValue] = []
    problems: list[GroupedProblem] = []
    for name in experiment:
        if name not in groups and name not in alone:
            error = UnknownNameError("group of an experiment", str(name), [*alone, *groups])
            problems.append(GroupedProblem((str(name),), error, at_key=True))
    values += [GroupedValue((name,), name, experiment[name]) for name in alone if name in experiment]
    for group, fields in groups.items():
        given = experiment.get(group, {})
        if not isinstance(given, Mapping):
            text = f"{group} must be a mapping, but is {given!r}"
            problems.append(GroupedProblem((group,), HparamsError(text), at_key=False))
            continue
        for key, value in given.items():
            path = (group, str(key))
            if key in fields:
                values.append(GroupedValue(path, fields[key], value))
            else:
                error = UnknownNameError(f"key of {group}", str(key), list(fields))
                problems.append(GroupedProblem(path, error, at_key=True))
    return values, problems
