"""A study's results: one SQLite file with every trial, their logs, and what they wrote.

`Store` writes them (the local run), `open_results` reads them, and `export` converts them to JSON and CSV. Nothing here
imports pydantic, the study or the engine, so that look-ups are fast.
"""

from __future__ import annotations

from kftune.results.layout import RunFolder, slug
from kftune.results.reading import Results, open_results
from kftune.results.records import (
    FINISHED,
    SCORED,
    Meta,
    Origin,
    Retried,
    State,
    TrackedMetric,
    Trial,
    TrialEnd,
    TrialStart,
)

__all__ = [
    "FINISHED",
    "SCORED",
    "Meta",
    "Origin",
    "Results",
    "Retried",
    "RunFolder",
    "State",
    "TrackedMetric",
    "Trial",
    "TrialEnd",
    "TrialStart",
    "open_results",
    "slug",
]
