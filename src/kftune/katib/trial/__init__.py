"""A trial on Katib: substitution, wrapper, collector, stopping, status."""

METRICS_LOG = "/var/log/katib/metrics.log"
"""The file for the output of a trial with the collector StdOut."""
