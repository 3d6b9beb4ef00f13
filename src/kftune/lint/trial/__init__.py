"""Findings about the trials of an Experiment: the object that Katib creates, its pods, commands and metrics."""
