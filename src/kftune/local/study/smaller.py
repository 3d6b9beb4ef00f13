"""Smaller values for a trial that ran out of memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from kftune.domains import Domain
from kftune.domains.listed import Listed
from kftune.domains.shares import rounded_down
from kftune.study import Study
from kftune.study.retries import RetryLimits, inner


class Smaller(NamedTuple):
    """How values get smaller when memory runs out."""

    name: str
    """The hyperparameter that is halved."""
    domain: Domain
    refuses: Callable[[Mapping[str, Any]], str]
    """Returns why a trial may not have a point; empty if it may."""


def smaller_values(study: Study, limits: RetryLimits) -> Smaller | None:
    """Returns how the values of a study's trials get smaller when memory runs out; None if they do not.

    Args:
        study: The study.
        limits: Its retries.
    """
    if not limits.halve:
        return None

    def refuses(point: Mapping[str, Any]) -> str:
        refusal = study.refusal(point)
        return "" if refusal is None else f"{refusal.by} refuses it ({refusal.why})"

    return Smaller(limits.halve, inner(study.space[limits.halve]), refuses)


def halved(domain: Domain, value: Any) -> Any:
    """Returns half of a value, rounded down to one of its domain, at least its lowest; None for the lowest.

    Args:
        domain: A domain of positive numbers, without a condition.
        value: One of them.
    """
    if isinstance(domain, Listed):
        below = [point for point in domain.grid() if point < value]
        return max((point for point in below if point <= value / 2), default=min(below, default=None))
    half, lowest = value // 2 if isinstance(value, int) else value / 2, domain.quantile(0)
    if half <= lowest:
        return lowest if lowest < value else None
    return half if domain.contains(half) else rounded_down(domain, half)
