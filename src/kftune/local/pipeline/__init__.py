"""Runs a pipeline on this machine, its studies included, in processes or containers: `run_pipeline`."""

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
