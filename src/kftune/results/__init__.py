"""A study's results: one SQLite file with every trial, their logs, and what they wrote.

`Store` writes them (the local run), `open_results` reads them, and `export` converts them to JSON and CSV. Nothing here
imports pydantic, the study or the engine, so that look-ups are fast.
"""

from __future__ import annotations

from kftune.results.layout import RunFolder, slug
from kftune.results.pareto import Front, Score, front_of, score_of
from kftune.results.reading import Results, open_results
from kftune.results.records import (
    FINISHED,
    SCORED,
    Aim,
    Meta,
    Origin,
    Retried,
    State,
    TrackedMetric,
    TrackedObjective,
    Trial,
    TrialEnd,
    TrialStart,
)
from kftune.results.trials import Trials

__all__ = [
    "FINISHED",
    "SCORED",
    "Aim",
    "Front",
    "Meta",
    "Origin",
    "Results",
    "Retried",
    "RunFolder",
    "Score",
    "State",
    "TrackedMetric",
    "TrackedObjective",
    "Trial",
    "TrialEnd",
    "TrialStart",
    "Trials",
    "front_of",
    "open_results",
    "score_of",
    "slug",
]
