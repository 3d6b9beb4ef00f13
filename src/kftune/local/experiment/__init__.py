"""A Katib Experiment on this machine, whoever wrote it: `run_experiment` does what a cluster would do with it."""

from __future__ import annotations

from kftune.local.experiment.launcher import Options
from kftune.local.experiment.run import run_experiment

__all__ = ["Options", "run_experiment"]
