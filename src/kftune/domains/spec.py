"""Domains as a study file writes them: one key that names the domain, with its arguments."""

from __future__ import annotations

from collections.abc import Mapping

from kftune.domains.conditional import Conditional
from kftune.domains.domain import EXAMPLE, KINDS, Domain
from kftune.errors import DomainError, UnknownNameError
from kftune.near import meant


def domain_from_spec(spec: object) -> Domain:
    """Returns the domain that a study file describes.

    Args:
        spec: One key that names the domain, with a list of its arguments (or a mapping of them by name), and further
            keys for options: ``{"int": [1, 9], "step": 2}``; ``when`` makes it conditional.

    Raises:
        DomainError: The description is not of that form, or the domain is invalid.
        UnknownNameError: No domain or option has that name.
    """
    if not isinstance(spec, Mapping):
        raise DomainError(f"a domain is written as one key with its arguments, {EXAMPLE}; but got {spec!r}")
    options = dict(spec)
    when = options.pop("when", None)
    kinds = [key for key in options if key in KINDS]
    if not kinds and when is not None and not options:
        return Conditional(None, when)
    if not kinds and options:
        name, arguments = next(iter(options.items()))
        if isinstance(arguments, (list, tuple, Mapping)):
            raise UnknownNameError("domain", str(name), KINDS)
        near = [kind for value in options.values() for kind in meant(str(value), KINDS)]
        hint = f"; did you mean {{{near[0]}: […]}}?" if near else f"; known: {', '.join(sorted(KINDS))}"
        raise DomainError(f"a domain is written as one key with its arguments, {EXAMPLE}; but got {options!r}{hint}")
    if len(kinds) != 1:
        raise DomainError(f"a domain has exactly one of {', '.join(KINDS)}, {EXAMPLE}; but got {dict(spec)!r}")
    domain = KINDS[kinds[0]].from_arguments(options.pop(kinds[0]), options)
    return domain if when is None else Conditional(domain, when)
