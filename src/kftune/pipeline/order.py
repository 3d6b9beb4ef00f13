"""Putting names in an order in which each stands after those that it waits for."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping
from graphlib import CycleError, TopologicalSorter

from kftune.spec.part import PartError


def in_order(waits: Mapping[str, Iterable[str]]) -> list[str]:
    """Names, each after those that it waits for, and else in the order given. There is no circle."""
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


def refuse_circle(
    waits: Mapping[str, Iterable[str]], path_of: Callable[[str], tuple[str | int, ...]], rule: str
) -> None:
    """Makes sure that no name waits for itself, not even by way of others.

    Args:
        waits: Name -> the names that it waits for, in an order that does not change.
        path_of: Where in the file a name stands.
        rule: What must hold, for the message.

    Raises:
        PartError: One does; the message walks the circle from the name that is written first.
    """
    try:
        TopologicalSorter(waits).prepare()
    except CycleError as error:
        circle = error.args[1][:0:-1]  # each is waited for by the next, and the first stands at both ends
        names = [*waits]
        first = min(range(len(circle)), key=lambda index: names.index(circle[index]))
        walk = [*circle[first:], *circle[: first + 1]]
        text = " waits for ".join(walk)
        raise PartError(f"{rule}, but {text}; take one of these references out", path_of(walk[0])) from error
