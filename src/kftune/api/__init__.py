"""The Python API: `tune` runs a study here, and `ask_tell` hands out trials to a loop of one's own."""
