"""Names of other systems as names of fields, metrics and studies."""

from __future__ import annotations

import keyword
import re

from kftune.errors import MetricError
from kftune.hparams import Hparams
from kftune.metrics import check_metric_name

_RESERVED = frozenset({"bool", "float", "int", "list", "str", "dict", "Hparam", "Hparams", "Literal"})


def field_name(text: str) -> str:
    """Returns the name of a field for a name of another system; dots stay, they make groups."""
    parts = []
    for part in text.lstrip("-+").split("."):
        name = re.sub(r"\W+", "_", part, flags=re.ASCII).strip("_") or "value"
        name = f"p{name}" if name[0].isdigit() else name
        parts.append(f"{name}_" if keyword.iskeyword(name) or name in _RESERVED or hasattr(Hparams, name) else name)
    return ".".join(parts)


def metric_name(text: str) -> str:
    """Returns the name that a metric line can carry."""
    try:
        check_metric_name(text)
    except MetricError:
        return (
            "steps"
            if text == "step"
            else re.sub(r"[^!#%&(-:<>?@A-Z\[\]^_a-z{}~]+", "_", text).strip("_")[:255] or "loss"
        )
    return text


def study_name(text: str) -> str:
    """Returns a name for files and images: lower-case letters, digits and dashes, at most 40 characters."""
    name = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40].strip("-")
    return name if name and name[0].isalpha() else f"study-{name}".strip("-")
