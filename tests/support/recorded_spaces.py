"""The recorded cases of `engines` whose parameters are such as kftune writes for a domain.

What a study decides besides its domains (settings, numbers of trials, hyperband's resource) is none of these cases'
business: they have settings with which some run went well, and their names differ.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import NamedTuple

from recorded import Case, cases

from kftune.domains import Choice, Domain, IntUniform, LogNormal, LogUniform, Normal, QUniform, Uniform
from kftune.errors import DomainError
from kftune.katib.engines.native import Feasible, is_list, native

_TEXTS = {"int": re.compile(r"-?[0-9]+"), "double": re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?")}
_LISTS = ("categorical", "discrete")
_RESOURCE = "resource_name"


class SpaceCase(NamedTuple):
    """A recorded run, and what kftune makes of its parameters."""

    id: str
    kept: bool
    """Whether the run gave values of each domain, on its lattice and within its bounds."""
    why: str
    """What went wrong in the run."""
    domains: tuple[Domain, ...]
    reasons: tuple[str, ...]
    """Why kftune does not render a domain natively."""

    @property
    def is_native(self) -> bool:
        """Whether kftune renders all parameters natively, or as lists of equally likely values."""
        return not self.reasons


def space_cases(algorithm: str) -> list[SpaceCase]:
    """Returns the cases of an algorithm."""
    return list(_space_cases(algorithm))


def _space_cases(algorithm: str) -> Iterator[SpaceCase]:
    recorded = [case for case in cases("engines") if case["algorithm"] == algorithm and case["static"]]
    good = {json.dumps(case["settings"]) for case in recorded if case["outcome"] == "ok"}
    for case in recorded:
        resource = dict(case["settings"]).get(_RESOURCE)
        searched = [given for given in case["parameters"] if given["name"] != resource]
        domains = [_domain_of(given, algorithm) for given in searched]
        names = {given["name"] for given in searched}
        if not searched or json.dumps(case["settings"]) not in good or len(names) < len(searched) or None in domains:
            continue
        known = tuple(domain for domain in domains if domain is not None)
        tried = [native("x", domain, algorithm, "0.19") for domain in known if not is_list(domain)]
        reasons = tuple(found for found in tried if not isinstance(found, Feasible))
        yield SpaceCase(case["id"], case["outcome"] == "ok", case["why"], known, reasons)


def _domain_of(given: Case, algorithm: str) -> Domain | None:
    """Returns the domain for which kftune writes this parameter; None if there is none."""
    kind, space = given["parameterType"], given["feasibleSpace"]
    if algorithm == "hyperband" and kind == "discrete":
        return None  # written as categorical
    try:
        domain = Choice(*space["list"]) if kind in _LISTS else _number(kind, space)
    except (DomainError, ValueError, KeyError):
        return None
    return domain if domain is not None and domain.size > 1 else None


def _number(kind: str, space: Case) -> Domain | None:
    texts = [space.get(field) or None for field in ("min", "max", "step")]
    if kind not in _TEXTS or None in texts[:2] or not all(_TEXTS[kind].fullmatch(text) for text in texts if text):
        return None
    distribution = space.get("distribution", "uniform")
    if kind == "int":
        low, high, unit = int(space["min"]), int(space["max"]), int(space.get("step") or 1)
        is_written = distribution in ("uniform", "logUniform") and unit > 0 and (high - low) % unit == 0
        return IntUniform(low, high, unit, log=distribution == "logUniform") if is_written else None
    return _real(float(space["min"]), float(space["max"]), float(texts[2]) if texts[2] else None, distribution)


def _real(low: float, high: float, step: float | None, distribution: str) -> Domain | None:
    if step is not None:
        domain = QUniform(low, high, step)
        return domain if distribution == "uniform" and domain.point(domain.size - 1) == high else None
    if distribution == "normal":
        return Normal((low + high) / 2, (high - low) / 6)
    if distribution == "logNormal":
        return LogNormal((math.log(low) + math.log(high)) / 2, (math.log(high) - math.log(low)) / 6)
    return LogUniform(low, high) if distribution == "logUniform" else Uniform(low, high)
