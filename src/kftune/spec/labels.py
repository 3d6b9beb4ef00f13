"""Texts that must follow a rule of Kubernetes: names of objects, keys and values of labels."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Annotated

from pydantic import AfterValidator

from kftune.katib.go.names import CONFIG_KEY, DNS_LABEL, LABEL_VALUE, SUBDOMAIN
from kftune.spec.quantities import EnvText


def matching(pattern: str, rule: str) -> AfterValidator:
    """Returns a validator of texts.

    Args:
        pattern: A regular expression for the whole text.
        rule: What must hold, for the message.
    """
    matches = re.compile(pattern).fullmatch

    @lru_cache(256)  # a program may make thousands of studies, with few different texts
    def check(value: str) -> str:
        if matches(value) is None:
            raise ValueError(f"{rule}, but got {value!r}")
        return value

    return AfterValidator(check)


_VALUE = matching(
    rf"(?=.{{0,63}}\Z){LABEL_VALUE.pattern}",
    "a label's value is at most 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends",
)
_KEY = matching(
    r"(?:[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?",
    "a label's key is [prefix/]name with at most 63 letters, digits, '-', '_' and '.' in the name",
)
LabelKey = Annotated[str, _KEY]
"""The key of a label, a taint or a resource."""
LabelValue = Annotated[str, _VALUE]
LabelText = Annotated[EnvText, _VALUE]
"""A label value that may also be written as a number or boolean."""
DataKey = Annotated[
    str,
    matching(
        CONFIG_KEY.pattern,
        "a key of a ConfigMap or Secret is letters, digits, '-', '_' and '.', with no '..' at its start",
    ),
]
DnsLabel = Annotated[
    str,
    matching(
        rf"(?=.{{1,63}}\Z){DNS_LABEL.pattern}",
        "a Kubernetes name is at most 63 lower-case letters, digits and '-', with no '-' at its ends",
    ),
]
DnsSubdomain = Annotated[
    str,
    matching(
        rf"(?=.{{1,253}}\Z){SUBDOMAIN.pattern}",
        "a Kubernetes name is at most 253 lower-case letters, digits, '-' and '.', with a letter or digit at the ends "
        "of each part",
    ),
]
