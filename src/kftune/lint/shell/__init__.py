"""Predicts what a shell does with the command of a trial after Katib has wrapped it."""
