"""`PipelinePart`: the base of all sections of a pipeline file."""

from __future__ import annotations

from kftune.errors import PipelineError
from kftune.spec.part import Part


class PipelinePart(Part):
    """One section of a pipeline file."""

    ERROR = PipelineError
