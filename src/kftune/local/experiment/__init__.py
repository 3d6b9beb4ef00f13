"""Runs any Katib Experiment on this machine, as a cluster would: `run_experiment`."""

from __future__ import annotations

from kftune.local.experiment.run import run_experiment
from kftune.local.experiment.template import Options

__all__ = ["Options", "run_experiment"]
