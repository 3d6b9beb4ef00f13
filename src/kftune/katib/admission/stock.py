"""The trial templates that come with Katib, for Experiments that use them without giving their ConfigMap."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from kftune.katib.admission.cluster import Cluster
from kftune.katib.go.reading import read
from kftune.katib.go.unstructured import as_map

_PLACE = ("kubeflow", "trial-templates")


def template_place(value: object) -> Mapping[str, Any]:
    """Returns where an Experiment takes its template from: spec.trialTemplate.configMap; empty if it holds its own.

    Args:
        value: The JSON value of a document.
    """
    spec = as_map(value.get("spec")) if isinstance(value, Mapping) else {}
    return as_map(as_map(spec.get("trialTemplate")).get("configMap"))


def with_stock_template(cluster: Cluster, value: object) -> Cluster:
    """Returns the cluster with Katib's own ConfigMap of templates, if an Experiment uses one of them and none is given.

    Args:
        cluster: What the input says about the cluster.
        value: The JSON value of the Experiment.
    """
    place = template_place(value)
    if (place.get("configMapNamespace"), place.get("configMapName")) != _PLACE:
        return cluster
    if cluster.knows_config_maps_of(_PLACE[0]) or place.get("templatePath") not in _templates():
        return cluster
    return cluster._replace(config_maps={**cluster.config_maps, _PLACE: _templates()})


@cache
def _templates() -> Mapping[str, str]:
    text = files("kftune.katib.admission").joinpath("stock_templates.yaml").read_text(encoding="utf-8")
    found = read(text)
    return {key: str(template) for key, template in as_map(found).items()}
