"""A pipeline on this machine: `run_pipeline` runs its steps as processes or containers, and its studies with them."""

from __future__ import annotations

from kftune.local.pipeline.events import (
    PipelineFinished,
    PipelineStarted,
    StepFinished,
    StepPrinted,
    StepRetries,
    StepStarted,
)
from kftune.local.pipeline.run import PipelineOutcome, run_pipeline

__all__ = [
    "PipelineFinished",
    "PipelineOutcome",
    "PipelineStarted",
    "StepFinished",
    "StepPrinted",
    "StepRetries",
    "StepStarted",
    "run_pipeline",
]
