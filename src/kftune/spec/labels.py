"""Keys and values of labels, by the rules of Kubernetes."""

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
    """Returns `value`, if it is a valid label value; raises ValueError otherwise."""
    if _VALUE.fullmatch(value) is None:
        raise ValueError(
            f"a label's value is at most 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends, "
            f"but got {value!r}"
        )
    return value


def label_key(value: str) -> str:
    """Returns `value`, if it is a valid key of a label, taint or resource; raises ValueError otherwise."""
    if _KEY.fullmatch(value) is None:
        raise ValueError(
            f"a label's key is [prefix/]name with at most 63 letters, digits, '-', '_' and '.' in the name, "
            f"but got {value!r}"
        )
    return value


def data_key(value: str) -> str:
    """Returns `value`, if it is a valid key of a ConfigMap or Secret; raises ValueError otherwise."""
    if _DATA_KEY.fullmatch(value) is None or value in (".", ".."):
        raise ValueError(f"a key of a ConfigMap or Secret is letters, digits, '-', '_' and '.', but got {value!r}")
    return value


LabelKey = Annotated[str, AfterValidator(label_key)]
LabelValue = Annotated[str, AfterValidator(label_value)]
LabelText = Annotated[EnvText, AfterValidator(label_value)]
"""A label value that may also be written as a number or boolean."""
DataKey = Annotated[str, AfterValidator(data_key)]
