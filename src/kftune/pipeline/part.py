"""The base of everything that only a pipeline is made of."""

from __future__ import annotations

from pydantic import ValidationError

from kftune.errors import KftuneError, PipelineError
from kftune.spec.part import Part
from kftune.validation import findings


class PipelinePart(Part):
    """One part of a pipeline."""

    @classmethod
    def own_error(cls, error: ValidationError) -> KftuneError:  # type: ignore[override]  # another class of the tree
        """pydantic's findings as one error, a line each."""
        return PipelineError("\n".join(map(str, findings(error, cls))))
