"""Where the best values of a study go after a run."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from kftune.spec.part import Part


class Apply(Part):
    """The place in a YAML file that gets the best values when a run has succeeded. On this machine only."""

    to: Annotated[str, Field(min_length=1)]
    """The YAML file, relative to the study's."""
    at: str = ""
    """The mapping in it, such as ``PLANT001/CIRCUIT01``; the whole document by default."""
    map: dict[str, str] = Field(default_factory=dict)
    """Hyperparameter -> path of its value in the mapping, where the key has another name."""
    add: bool = False
    """Whether keys that are missing are added at the end of the mapping."""
    baseline: bool = True
    """Whether a run tries the values of the file first, and applies only better ones."""
