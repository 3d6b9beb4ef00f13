"""Domains as a study file describes them: one key that names the domain, with its arguments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from kftune.domains.conditional import Conditional
from kftune.domains.continuous import LogUniform, ReverseLogUniform, Uniform
from kftune.domains.domain import Domain
from kftune.domains.lattice import IntUniform, QLogUniform, QUniform
from kftune.domains.listed import Choice, Constant, Discrete, Listed, Ordinal
from kftune.domains.normal import LogNormal, Normal, QLogNormal, QNormal
from kftune.errors import DomainError, UnknownNameError

_KINDS: dict[str, type[Domain]] = {
    domain.kind: domain
    for domain in (
        *(Uniform, LogUniform, ReverseLogUniform, QUniform, QLogUniform),
        *(Normal, LogNormal, QNormal, QLogNormal, IntUniform),
        *(Choice, Ordinal, Discrete, Constant),
    )
}


def domain_from_spec(spec: object) -> Domain:
    """The domain that a study file describes.

    Args:
        spec: One key that names the domain, with a list of its arguments (or a mapping of them by name), and further
            keys for options: ``{"int": [1, 9], "step": 2}``; ``when`` makes it conditional.

    Raises:
        DomainError: The description is not of that form, or the domain it describes cannot be.
        UnknownNameError: No domain has that name.
    """
    if not isinstance(spec, Mapping):
        raise DomainError(f"a domain is written as one key with its arguments, {_EXAMPLE}; but got {spec!r}")
    options = dict(spec)
    when = options.pop("when", None)
    kinds = [key for key in options if key in _KINDS]
    if not kinds and when is not None and not options:
        return Conditional(None, when)
    if not kinds and options:
        raise UnknownNameError("domain", str(next(iter(options))), _KINDS)
    if len(kinds) != 1:
        raise DomainError(f"a domain has exactly one of {', '.join(_KINDS)}, {_EXAMPLE}; but got {dict(spec)!r}")
    domain = _domain(kinds[0], options.pop(kinds[0]), options)
    return domain if when is None else Conditional(domain, when)


_EXAMPLE = "for example {loguniform: [1.0e-4, 1.0e-2]}"


def _domain(kind: str, arguments: object, options: dict[str, Any]) -> Domain:
    make = _KINDS[kind]
    if make is Constant:
        positional: list[Any] = [arguments]
    elif isinstance(arguments, Mapping) and not issubclass(make, Listed):
        twice = arguments.keys() & options.keys()
        if twice:
            raise DomainError(f"{kind} takes each argument once, but got {min(twice)!r} twice")
        positional, options = [], {**arguments, **options}
    elif isinstance(arguments, (list, tuple)):
        positional = list(arguments)
    else:
        raise DomainError(f"{kind} takes a list, {_EXAMPLE}; but got {arguments!r}")
    if not issubclass(make, Listed) and len(positional) > len(make.positional):
        names = ", ".join(make.positional)
        raise DomainError(f"{kind} takes [{names}], and options by name; but got {positional!r}")
    known = ("weights",) if make is Choice else () if issubclass(make, Listed) else _argument_names(make)
    for name in options:
        if name not in known:
            raise UnknownNameError(f"option of {kind}", str(name), known)
    try:
        return make(*positional, **options)
    except TypeError as error:
        wanted = ", ".join(known)
        raise DomainError(f"{kind} takes {wanted}; but got {arguments!r} {options or ''}".rstrip()) from error


def _argument_names(make: type[Domain]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(make))  # type: ignore[arg-type]  # each is a dataclass
