"""`PipelinePart`: the base of all sections of a pipeline file."""

from __future__ import annotations

from pydantic import ValidationError

from kftune.errors import KftuneError, PipelineError
from kftune.spec.part import Part
from kftune.validation import findings


class PipelinePart(Part):
    """One part of a pipeline."""

    @classmethod
    def own_error(cls, error: ValidationError) -> KftuneError:  # type: ignore[override]  # another class of the tree
        """Returns pydantic's findings as one error, one line each."""
        return PipelineError("\n".join(map(str, findings(error, cls))))
