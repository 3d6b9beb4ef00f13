"""Starts trials from a warm worker: a process that has imported torch once, and forks itself for each trial."""

from __future__ import annotations

from kftune.local.processes.warm.runner import WarmRunner

__all__ = ["WarmRunner"]
