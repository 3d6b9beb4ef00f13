"""The parts of a cluster that a verdict depends on: Katib's configuration, ConfigMaps and Namespaces."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from kftune.errors import UsageError
from kftune.katib.go.reading import NotYamlError, pieces, read
from kftune.katib.go.unstructured import as_map
from kftune.katib.trial.conditions import KUBEFLOW_JOBS

INJECTION_LABEL = "katib.kubeflow.org/metrics-collector-injection"

_ALGORITHMS = frozenset(
    "random tpe grid multivariate-tpe hyperband bayesianoptimization cmaes sobol enas darts pbt".split()  # noqa: SIM905
)
_TRIAL_KINDS = frozenset(
    {("trainer.kubeflow.org/v1alpha1", "TrainJob"), ("batch/v1", "Job")}
    | {("kubeflow.org/v1", kind) for kind in KUBEFLOW_JOBS}
)


class KatibConfig(NamedTuple):
    """The ConfigMap katib-config; without arguments, that of a stock install.

    Source: katib v0.19.0, manifests/v1beta1/installs/katib-standalone/katib-config.yaml.
    """

    algorithms: frozenset[str] = _ALGORITHMS
    early_stoppings: frozenset[str] = frozenset({"medianstop"})
    collectors: frozenset[str] = frozenset({"StdOut", "File", "TensorFlowEvent"})
    trial_kinds: frozenset[tuple[str, str]] = _TRIAL_KINDS
    copies_context: bool = False
    """`injectSecurityContext`: whether the collector gets the securityContext of the pod's first container."""
    is_given: bool = False
    """Whether it is that of a cluster, not of a stock install."""


class Cluster(NamedTuple):
    """The cluster in which an Experiment is created."""

    config: KatibConfig = KatibConfig()
    config_maps: Mapping[tuple[str, str], Mapping[str, str]] = MappingProxyType({})
    """(namespace, name) -> data."""
    namespaces: Mapping[str, Mapping[str, str]] = MappingProxyType({})
    """Name -> labels of each given namespace."""
    labelled: bool = True
    """Whether a namespace that is not given has the label for metrics collection."""

    def is_labelled(self, namespace: str | None) -> bool:
        """Whether Katib accepts Experiments in the namespace."""
        labels = self.namespaces.get(namespace or "")
        return self.labelled if labels is None else labels.get(INJECTION_LABEL) == "enabled"

    def knows_config_maps_of(self, namespace: str) -> bool:
        """Whether ConfigMaps of the namespace are given; then it has no others."""
        return any(place == namespace for place, _ in self.config_maps)


def cluster_of(objects: Iterable[object], config: KatibConfig, *, labelled: bool) -> Cluster:
    """Returns the cluster that a set of manifests describes.

    Args:
        objects: All objects of the input, of any kind.
        config: Katib's configuration.
        labelled: Whether namespaces that are not among the objects have Katib's label.
    """
    config_maps: dict[tuple[str, str], Mapping[str, str]] = {}
    namespaces: dict[str, Mapping[str, str]] = {}
    for found in objects:
        if not isinstance(found, dict) or found.get("kind") not in ("ConfigMap", "Namespace"):
            continue
        metadata = as_map(found.get("metadata"))
        name = str(metadata.get("name"))
        if found["kind"] == "Namespace":
            namespaces[name] = as_map(metadata.get("labels"))
        else:
            data = {key: text for key, text in as_map(found.get("data")).items() if isinstance(text, str)}
            config_maps[str(metadata.get("namespace") or "default"), name] = data
    return Cluster(config, config_maps, namespaces, labelled)


def config_of(text: str, file: str) -> KatibConfig:
    """Reads Katib's configuration from a ConfigMap katib-config, or from the file in it.

    Args:
        text: The YAML text.
        file: The file's name, for messages.

    Raises:
        UsageError: The text has no such configuration.
    """
    try:
        for piece in pieces(text):
            value = read(piece.text)
            config = _inner_config(value)
            if config is not None:
                return _config(config)
    except NotYamlError as error:
        raise UsageError(f"{file}: {error.message}") from None
    raise UsageError(f"{file}: a katib-config must have `runtime` or `init`; give the ConfigMap katib-config")


def _inner_config(value: object) -> Mapping[str, Any] | None:
    if not isinstance(value, dict):
        return None
    if "runtime" in value or "init" in value:
        return value
    inner = as_map(value.get("data")).get("katib-config.yaml")
    return _inner_config(read(inner)) if isinstance(inner, str) else None


def _config(given: Mapping[str, Any]) -> KatibConfig:
    runtime = as_map(given.get("runtime"))
    controller = as_map(as_map(given.get("init")).get("controller"))
    kinds = controller.get("trialResources")
    stock = KatibConfig()
    return KatibConfig(
        _names(runtime, "suggestions", "algorithmName"),
        _names(runtime, "earlyStoppings", "algorithmName"),
        _names(runtime, "metricsCollectors", "kind"),
        frozenset(_trial_kind(str(kind)) for kind in kinds) if isinstance(kinds, list) else stock.trial_kinds,
        controller.get("injectSecurityContext") is True,
        is_given=True,
    )


def _names(runtime: Mapping[str, Any], section: str, key: str) -> frozenset[str]:
    entries = runtime.get(section)
    return frozenset(str(as_map(entry).get(key)) for entry in entries) if isinstance(entries, list) else frozenset()


def _trial_kind(text: str) -> tuple[str, str]:
    """Splits `TrainJob.v1alpha1.trainer.kubeflow.org` into (apiVersion, kind)."""
    kind, _, rest = text.partition(".")
    version, _, group = rest.partition(".")
    return (f"{group}/{version}" if group else version, kind)
