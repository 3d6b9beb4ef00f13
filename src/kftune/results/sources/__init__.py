"""Reads trials that other programs or other machines recorded: one module for each form, `find.open_trials` for all."""
