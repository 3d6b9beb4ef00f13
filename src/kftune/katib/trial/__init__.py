"""A trial on Katib: substitution, wrapper, collector, stopping, status."""

METRICS_LOG = "/var/log/katib/metrics.log"
"""The file for the output of a trial with the collector StdOut."""

WRAPPED_COLLECTORS = ("StdOut", "File", "TensorFlowEvent")
"""The metrics collectors for which Katib wraps the primary container's command."""

SHELLS = ("sh", "bash")
"""The shells that Katib recognises, written exactly so."""
