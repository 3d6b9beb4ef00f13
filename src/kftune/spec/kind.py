"""Which of kftune's own files a YAML document is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from kftune import yaml_text

_STUDY_KEYS = {
    "hparams",
    "objective",
    "step",
    "search",
    "values",
    "algorithm",
    "budget",
    "metrics",
    "points",
    "targets",
}


def written(value: object) -> Literal["study", "pipeline"] | None:
    """Whether a document is a study or a pipeline, or was meant to be one; None for all else.

    Args:
        value: The document as it was read.
    """
    if not isinstance(value, Mapping) or not {"kind", "apiVersion"}.isdisjoint(value):
        return None
    known = len(_STUDY_KEYS & value.keys())
    if known > 3 or (known > 1 and isinstance(value.get("hparams"), str)):
        return "study"
    # Others write lists of steps; ours are a mapping, and who gives a list to a pipeline with a name is told so.
    if isinstance(value.get("steps"), Mapping) or {"name", "steps"} <= value.keys():
        return "pipeline"
    return None


def is_a(path: Path, kind: Literal["study", "pipeline"]) -> bool:
    """Whether a file holds one of this kind, or was meant to."""
    return written(yaml_text.load_file(path)) == kind
