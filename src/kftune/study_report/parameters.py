"""The hyperparameters of a study as a picture needs them: numbers or categories, and on which scale."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from kftune.domains import Conditional, Domain, domain_from_spec
from kftune.domains.domain import is_number
from kftune.errors import KftuneError
from kftune.html_page import Scale
from kftune.results.records import Meta, Trial

Value = float | str | None

_LOG_KINDS = ("loguniform", "qloguniform", "lognormal", "qlognormal")
_EVEN_KINDS = ("uniform", "quniform", "int", "normal", "qnormal")
_LISTED_KINDS = ("choice", "ordinal", "discrete")
_MOST_OPTIONS = 30
"""Numbers that a study lists are categories, so that they have equal distances; more of them are numbers."""


class Parameter(NamedTuple):
    """One hyperparameter that is searched."""

    name: str
    values: Sequence[Value]
    """Of each trial: a finite number, the text of a category, or None where the trial did not get it."""
    is_number: bool
    is_log: bool = False
    """Whether equal distances mean equal factors."""
    categories: Sequence[str] = ()
    """In the order of the study, then of the trials; empty for numbers."""

    @property
    def varies(self) -> bool:
        """Whether trials got more than one value."""
        return len({value for value in self.values if value is not None}) > 1


def parameters(meta: Meta, trials: Sequence[Trial]) -> list[Parameter]:
    """Returns the hyperparameters that are searched, in the order of the study.

    Args:
        meta: The study; a source that does not know the space has no domains in it.
        trials: The trials.
    """
    names = dict.fromkeys([*meta.space, *(name for trial in trials for name in trial.point)])
    return [_parameter(name, _domain(meta.space.get(name)), trials) for name in names]


def _parameter(name: str, domain: Domain | None, trials: Sequence[Trial]) -> Parameter:
    given = [trial.point.get(name) for trial in trials]
    if domain is None:
        given = [_number(value) for value in given]
    known = [value for value in given if value is not None]
    if known and all(map(is_number, known)) and not _is_listed(domain):
        is_log = min(known) > 0 and _is_log(domain, known)
        return Parameter(name, given, is_number=True, is_log=is_log)
    texts = [_text(trial.point[name]) if name in trial.point else None for trial in trials]
    found = dict.fromkeys(text for text in texts if text is not None)
    return Parameter(
        name,
        texts,
        is_number=False,
        categories=[*dict.fromkeys([*filter(found.__contains__, _options(domain)), *found])],
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _number(value: Any) -> Any:
    """Returns the number that a text of unknown type is; other values as they are."""
    try:
        number = float(value) if isinstance(value, str) else math.nan
    except ValueError:
        return value
    return number if math.isfinite(number) else value


def _domain(spec: object) -> Domain | None:
    """Returns the domain that is stored; None where the source of the trials does not know it."""
    if not isinstance(spec, Mapping) or not spec:
        return None
    try:
        domain = domain_from_spec(spec)
    except KftuneError:  # of another version, or a plug-in
        return None
    return domain.domain if isinstance(domain, Conditional) else domain


def _is_log(domain: Domain | None, numbers: Sequence[float]) -> bool:
    spec: Mapping[str, Any] = {} if domain is None else domain.to_spec()
    if spec.get("log") is True or any(kind in spec for kind in _LOG_KINDS):
        return True
    return Scale.of(numbers).is_log and not any(kind in spec for kind in _EVEN_KINDS)


def _is_listed(domain: Domain | None) -> bool:
    return domain is not None and domain.kind in _LISTED_KINDS and domain.size <= _MOST_OPTIONS


def _options(domain: Domain | None) -> list[str]:
    return [] if domain is None or domain.size > _MOST_OPTIONS else [_text(value) for value in domain.grid()]
