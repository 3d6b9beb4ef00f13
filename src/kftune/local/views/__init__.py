"""Shows a run: live tables in a terminal, plain lines elsewhere."""
