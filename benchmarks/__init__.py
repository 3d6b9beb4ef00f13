"""Compares kftune with its peers: `python -m benchmarks`. README.md has the method, docs/benchmarks.md the results."""
