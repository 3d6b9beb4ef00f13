"""kftune measured beside its peers: `python -m benchmarks`. README.md tells how, docs/benchmarks.md what came out."""
