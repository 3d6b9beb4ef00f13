"""Reads an Experiment with its trials from a cluster."""

from __future__ import annotations

from kftune.errors import MissingExtraError, StoreError, UsageError, suggestion
from kftune.results import Trials

PREFIX = "katib:"
"""What begins the address of an Experiment on a cluster: ``katib:NAMESPACE/NAME``."""

_PATIENCE = 20.0


def open_live(address: str) -> Trials:
    """Returns the trials of an Experiment as the cluster has them now.

    Args:
        address: ``katib:NAMESPACE/NAME``, or ``katib:NAME`` in the namespace of the kubeconfig's context.

    Raises:
        UsageError: The address has another form.
        ClusterError: No cluster is configured, or it refuses.
        StoreError: There is no such Experiment.
        MissingExtraError: The Kubernetes client is not installed.
    """
    first, slash, second = address.removeprefix(PREFIX).partition("/")
    namespace, name = (first, second) if slash else (None, first)
    if not name or namespace == "" or "/" in name:
        raise UsageError(f"an Experiment on a cluster is katib:NAMESPACE/NAME or katib:NAME, but got {address!r}")
    try:
        from kftune.cluster import EXPERIMENT, SUGGESTION, Namespace
    except ImportError as error:
        instead = "save the objects: kubectl get experiment,trial,suggestion -o yaml > saved.yaml, and give that file"
        raise MissingExtraError("cluster", "kubernetes", instead) from error
    cluster = Namespace(namespace, patience=_PATIENCE)
    experiment = cluster.find(EXPERIMENT, name)
    if experiment is None:
        near = suggestion(name, cluster.names(EXPERIMENT))
        raise StoreError(f"the namespace {cluster.name} has no Experiment {name!r}; {near}", address)
    from kftune.results.sources.katib_objects import read

    suggestions = [each for each in [cluster.find(SUGGESTION, name)] if each is not None]
    # A list of objects has no kinds in its items on every server.
    trials = [{"apiVersion": experiment["apiVersion"], "kind": "Trial", **each} for each in cluster.trials(name)]
    return read([experiment, *suggestions, *trials], address)
