"""Keys and values of labels, as Kubernetes takes them: what a run would be refused is refused when a file is read."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

from kftune.spec.quantities import EnvText

_VALUE = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?")
_KEY = re.compile(r"(?:[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
# Source: Kubernetes, IsConfigMapKey; a Secret's keys are the same.
_DATA_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")


def label_value(value: str) -> str:
    """`value`, if a label can have it."""
    if _VALUE.fullmatch(value) is None:
        raise ValueError(
            f"a label's value is at most 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends, "
            f"but got {value!r}"
        )
    return value


def label_key(value: str) -> str:
    """`value`, if a label, a taint or a resource can be called so."""
    if _KEY.fullmatch(value) is None:
        raise ValueError(
            f"a label's key is [prefix/]name with at most 63 letters, digits, '-', '_' and '.' in the name, "
            f"but got {value!r}"
        )
    return value


def data_key(value: str) -> str:
    """`value`, if a ConfigMap or a Secret can have such a key."""
    if _DATA_KEY.fullmatch(value) is None or value in (".", ".."):
        raise ValueError(f"a key of a ConfigMap or Secret is letters, digits, '-', '_' and '.', but got {value!r}")
    return value


LabelKey = Annotated[str, AfterValidator(label_key)]
LabelValue = Annotated[str, AfterValidator(label_value)]
LabelText = Annotated[EnvText, AfterValidator(label_value)]
"""A label's value, for which a number or boolean may be written."""
DataKey = Annotated[str, AfterValidator(data_key)]
