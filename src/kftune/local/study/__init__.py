"""Runs the trials of one study or Experiment until it is over."""
