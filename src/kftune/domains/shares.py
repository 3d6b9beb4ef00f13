"""The inverse of a domain's quantile function: the share, from 0 to 1, that gives a value, or one below it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from kftune.domains import Domain, same
from kftune.domains.listed import Listed

_BISECTIONS = 60


def share_of(domain: Domain, value: Any) -> float:
    """Returns the midpoint of the shares that the domain's quantile maps to a value.

    Args:
        domain: The domain.
        value: One of its values.
    """
    if isinstance(domain, Listed):
        order = domain.grid()
        rank: Callable[[float], Any] = lambda u: index_of(order, domain.quantile(u))  # noqa: E731
        target: Any = index_of(order, value)
    else:
        rank, target = domain.quantile, value
    return (_first_share(lambda u: rank(u) >= target) + _first_share(lambda u: rank(u) > target)) / 2


def index_of(points: Sequence[Any], value: object) -> int:
    """Returns the index of a value.

    Args:
        points: The values to search.
        value: One of them.
    """
    return next(number for number, point in enumerate(points) if same(point, value))


def rounded_down(domain: Domain, value: float) -> Any:
    """Returns the highest value of a domain that is not above another one; its lowest if there is none.

    Args:
        domain: A domain of numbers that lists none.
        value: A number.
    """
    low, high = 0.0, 1.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if domain.quantile(middle) <= value else (low, middle)
    return domain.quantile(1.0 if domain.quantile(1.0) <= value else low)


def _first_share(holds: Callable[[float], bool]) -> float:
    low, high = 0.0, 1.0
    if holds(low):
        return low
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
