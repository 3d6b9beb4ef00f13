"""Starts processes and containers, listens to them and stops them."""
