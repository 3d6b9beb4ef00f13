"""Findings about one trial: the object that Katib makes, its pods, commands and metrics."""
