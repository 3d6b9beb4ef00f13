"""Runs a study on this machine: `run_study` starts its trials, reads their metrics and stores their results."""

from __future__ import annotations

from kftune.local.study.events import (
    Event,
    MetricReported,
    Note,
    StudyFinished,
    StudyStarted,
    TrialFinished,
    TrialPaused,
    TrialRetries,
    TrialStarted,
)
from kftune.local.study.progress import Outcome, Reason
from kftune.local.study.run import run_study

__all__ = [
    "Event",
    "MetricReported",
    "Note",
    "Outcome",
    "Reason",
    "StudyFinished",
    "StudyStarted",
    "TrialFinished",
    "TrialPaused",
    "TrialRetries",
    "TrialStarted",
    "run_study",
]
