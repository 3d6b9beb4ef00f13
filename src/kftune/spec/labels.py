"""Texts that must follow a rule of Kubernetes: names of objects, keys and values of labels."""

from __future__ import annotations

import hashlib
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
ENTITY_LABEL = "kftune.io/entity"
"""The label of an Experiment, its trials and their pods that says for which entity of the study they are. The
annotation of the same name has the whole name."""
_LONGEST_VALUE = 63
_HASH_LENGTH = 8
_OUTSIDE = re.compile(r"[^A-Za-z0-9_.-]+")


def label_value(text: str) -> str:
    """Returns a label's value for any text: the text itself if it is valid, otherwise a similar one with a hash.

    Args:
        text: Such as ``PLANT001/CIRCUIT01``.
    """
    if text and len(text) <= _LONGEST_VALUE and LABEL_VALUE.fullmatch(text):
        return text
    mark = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_LENGTH]
    similar = _OUTSIDE.sub("-", text).strip("-_.")[: _LONGEST_VALUE - _HASH_LENGTH - 1].rstrip("-_.")
    return f"{similar}-{mark}" if similar else mark


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
