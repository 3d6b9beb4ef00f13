"""Results in folders: which there are (`find_results`, `rows_of`), and which files can go (`plan`, `remove`)."""

from __future__ import annotations

from kftune.results.kept.finding import Found, find_results
from kftune.results.kept.listing import Row, rows_of
from kftune.results.kept.pruning import Plan, Unneeded, plan
from kftune.results.kept.removing import remove

__all__ = ["Found", "Plan", "Row", "Unneeded", "find_results", "plan", "remove", "rows_of"]
