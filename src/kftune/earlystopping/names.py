"""The names that kftune's rules have in Katib, and the clusters that know them."""

from __future__ import annotations

from kftune.katib.admission.cluster import Cluster
from kftune.katib.go.unstructured import value_at

PREFIX = "kftune-"
"""The names of kftune's rules in Katib begin with this."""

KINDS = ("median", "bandit", "truncation", "percentile", "asha", "hyperband", "threshold")
"""The rules that Katib can apply, as `approximation` says."""

ALGORITHMS = tuple(PREFIX + kind for kind in KINDS)
"""Their names in Katib."""

_PATH = ("spec", "earlyStopping", "algorithmName")


def with_service(cluster: Cluster, value: object) -> Cluster:
    """Returns the cluster with the service, if an Experiment asks for it and Katib's configuration is not given.

    Args:
        cluster: What the input says about the cluster.
        value: The JSON value of the Experiment.
    """
    name = value_at(value, _PATH)
    if cluster.config.is_given or not isinstance(name, str) or not name.startswith(PREFIX):
        return cluster
    known = cluster.config.early_stoppings | set(ALGORITHMS)
    return cluster._replace(config=cluster.config._replace(early_stoppings=known))
