"""The command of every trial in this row: a process that only reports."""

CHILD = ("sh", "-c", "echo loss=0.1")

PART = 500
"""How many of the first and of the last trials of a long study are compared."""
