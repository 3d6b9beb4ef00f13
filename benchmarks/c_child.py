"""What every trial runs here: a process that does nothing but report."""

CHILD = ("sh", "-c", "echo loss=0.1")

PART = 500
"""Of a long study, the first and the last so many trials are compared."""
