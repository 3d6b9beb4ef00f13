"""Runs the studies of several entities in one loop, with one budget."""
