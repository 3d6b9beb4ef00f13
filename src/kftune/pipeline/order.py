"""Sorts names so that each comes after those that it waits for."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping
from graphlib import CycleError, TopologicalSorter

from kftune.spec.part import PartError


def in_order(waits: Mapping[str, Iterable[str]]) -> list[str]:
    """Returns names, each after those that it waits for, otherwise in the given order. There must be no cycle."""
    names = [*waits]
    place = {name: index for index, name in enumerate(names)}
    sorter = TopologicalSorter(waits)
    sorter.prepare()
    ready: list[int] = []
    found = []
    while sorter.is_active():
        for name in sorter.get_ready():
            heapq.heappush(ready, place[name])
        found.append(names[heapq.heappop(ready)])
        sorter.done(found[-1])
    return found


def refuse_cycle(
    waits: Mapping[str, Iterable[str]], path_of: Callable[[str], tuple[str | int, ...]], rule: str
) -> None:
    """Checks that no name waits for itself, directly or through others.

    Args:
        waits: Name -> the names that it waits for, in a fixed order.
        path_of: Returns the keys of a name in the file.
        rule: What must hold, for the message.

    Raises:
        PartError: One does; the message follows the cycle from the name that comes first in the file.
    """
    try:
        TopologicalSorter(waits).prepare()
    except CycleError as error:
        cycle = error.args[1][:0:-1]  # each waits for the one before it, and the first is at both ends
        names = [*waits]
        first = min(range(len(cycle)), key=lambda index: names.index(cycle[index]))
        walk = [*cycle[first:], *cycle[: first + 1]]
        text = " waits for ".join(walk)
        raise PartError(f"{rule}, but {text}; remove one of these references", path_of(walk[0])) from error
