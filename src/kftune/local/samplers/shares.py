"""From a value back to its share: the number from 0 to 1 at which a domain's quantile is that value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from kftune.domains import Domain, same
from kftune.domains.listed import Listed

_BISECTIONS = 60


def share_of(domain: Domain, value: Any) -> float:
    """The middle of the shares at which the domain's quantile is `value`."""
    if isinstance(domain, Listed):
        order = domain.grid()
        rank: Callable[[float], Any] = lambda u: index_of(order, domain.quantile(u))  # noqa: E731
        target: Any = index_of(order, value)
    else:
        rank, target = domain.quantile, value
    return (_first_share(lambda u: rank(u) >= target) + _first_share(lambda u: rank(u) > target)) / 2


def index_of(points: Sequence[Any], value: object) -> int:
    """The number of a value among points."""
    return next(number for number, point in enumerate(points) if same(point, value))


def _first_share(holds: Callable[[float], bool]) -> float:
    low, high = 0.0, 1.0
    if holds(low):
        return low
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
