"""A study's results: one SQLite file with every trial, their logs, and what they wrote.

`Store` writes them (the local run), `open_results` reads them, `export` turns them into JSON and CSV. Nothing here
imports pydantic, the study or the engine, so that looking something up is quick.
"""

from __future__ import annotations

from kftune.results.layout import RunFolder, slug
from kftune.results.reading import Results, open_results
from kftune.results.records import FINISHED, SCORED, Ending, Meta, Metric, State, Trial, Values

__all__ = [
    "FINISHED",
    "SCORED",
    "Ending",
    "Meta",
    "Metric",
    "Results",
    "RunFolder",
    "State",
    "Trial",
    "Values",
    "open_results",
    "slug",
]
