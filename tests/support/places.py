"""Paths in this checkout."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "tests"
SUPPORT = TESTS / "support"
DATA = TESTS / "data"
CORPUS = TESTS / "corpus"
SNAPSHOTS = TESTS / "snapshots"
CIRCUITS = ROOT / "pipelines" / "circuits"
