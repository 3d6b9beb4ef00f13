"""A trial on Katib: substitution, wrapper, collector, stopping, status."""

METRICS_LOG = "/var/log/katib/metrics.log"
"""The file for the output of a trial with the collector StdOut."""

WRAPPED_COLLECTORS = ("StdOut", "File", "TensorFlowEvent")
"""The metrics collectors for which Katib wraps the primary container's command."""

COLLECTOR = "metrics-logger-and-collector"
"""The container that Katib adds to a pod whose metrics it collects; its log has what the training prints."""

SHELLS = ("sh", "bash")
"""The shells that Katib recognises, written exactly so."""

EXPERIMENT_LABEL = "katib.kubeflow.org/experiment"
"""The label of a trial and of its pods that names their Experiment."""
