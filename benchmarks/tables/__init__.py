"""Recorded trainings: for every point of a small space, the validation loss after each epoch."""
