"""The space of entities, narrowed to the ranges that their good trials have in common."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kftune.domains import Conditional, Domain
from kftune.errors import KftuneError
from kftune.results.across.ranges import CLEAR, Range

# How much wider than the good trials a range is at each end, as a part of its width, and at least of the domain.
_MARGIN, _LEAST_MARGIN = 0.1, 0.05


def narrowed(found: Range, default: Any) -> Domain | None:
    """Returns the domain of a hyperparameter that has the good values; None if it stays as it is.

    Args:
        found: The good values.
        default: The proposed value, which stays in the domain; None if there is none.
    """
    coordinate = found.coordinate
    inner = coordinate.domain
    if coordinate.declared is None or found.chance > CLEAR:
        return None
    try:
        smaller = _listed(found, default) if coordinate.options is not None else _between(found, inner, default)
        if smaller is None or smaller == inner:
            return None
        declared = coordinate.declared
        return Conditional(smaller, dict(declared.when)) if isinstance(declared, Conditional) else smaller
    except KftuneError:
        return None  # such as bounds that are one value


def _listed(found: Range, default: Any) -> Domain | None:
    kept = [value for value in found.coordinate.options or () if found.holds(value) or value == default]
    if len(kept) in (0, len(found.coordinate.options or ())):
        return None
    return type(found.coordinate.domain)(*kept)


def _between(found: Range, domain: Domain, default: Any) -> Domain | None:
    if getattr(domain, "low", None) is None or getattr(domain, "high", None) is None:
        return None  # a distribution without bounds
    coordinate = found.coordinate
    values = [found.low, found.high, *([] if default is None else [default])]
    low, high = coordinate.share(min(values)), coordinate.share(max(values))
    margin = max(_MARGIN * (high - low), _LEAST_MARGIN)
    ends = {"low": _rounded(domain, low - margin, up=False), "high": _rounded(domain, high + margin, up=True)}
    if ends == {"low": domain.quantile(0), "high": domain.quantile(1)} or not ends["low"] < ends["high"]:
        return None
    return replace(domain, **ends)  # type: ignore[type-var]  # it is a dataclass


def _rounded(domain: Domain, share: float, *, up: bool) -> Any:
    """Returns the bound of a domain at a share; of numbers without a step with as few digits as the domain takes."""
    value = domain.quantile(min(max(share, 0.0), 1.0))
    if domain.size < math.inf or share <= 0 or share >= 1 or value == 0:
        return value
    order = math.floor(math.log10(abs(value)))
    for digits in (2, 3, 4):
        places = digits - 1 - order
        steps = value * 10.0**places
        short = round((math.ceil(steps) if up else math.floor(steps)) / 10.0**places, max(places, 0))
        if domain.contains(short):
            return short
    return value


def narrowed_space(found: Mapping[str, Range], default: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Returns the domains that are narrower than before: name -> domain as a study file writes it.

    Args:
        found: The good values of each hyperparameter.
        default: The proposed point.
    """
    each = {name: narrowed(one, default.get(name)) for name, one in found.items()}
    return {name: domain.to_spec() for name, domain in each.items() if domain is not None}
