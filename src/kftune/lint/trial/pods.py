"""Finds the pod templates and containers in a trial's object."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from kftune.katib.go.types import Path
from kftune.katib.go.unstructured import PlacedMap, as_map, maps

TEMPLATE: Path = ("spec", "trialTemplate")
TRIAL: Path = (*TEMPLATE, "trialSpec")

REPLICAS = {
    "PyTorchJob": "pytorchReplicaSpecs",
    "TFJob": "tfReplicaSpecs",
    "MPIJob": "mpiReplicaSpecs",
    "XGBoostJob": "xgbReplicaSpecs",
}
"""The kinds of Kubeflow's training operator, with the field that holds their pods."""


class PodTemplate(NamedTuple):
    """A pod template."""

    template: Mapping[str, Any]
    path: Path

    @property
    def metadata(self) -> Mapping[str, Any]:
        """Its metadata."""
        return as_map(self.template.get("metadata"))

    @property
    def spec(self) -> Mapping[str, Any]:
        """Its spec."""
        return as_map(self.template.get("spec"))

    def maps(self, field: str) -> Iterator[PlacedMap]:
        """Yields the maps in a list of its spec, with their paths."""
        return maps(self.spec, field, (*self.path, "spec"))


def pods_of(trial: Mapping[str, Any]) -> list[PodTemplate]:
    """Returns the pod templates of a Job or a Kubeflow job; empty for kinds with unknown pods."""
    spec = as_map(trial.get("spec"))
    if trial.get("kind") == "Job":
        return [PodTemplate(as_map(spec.get("template")), (*TRIAL, "spec", "template"))]
    field = REPLICAS.get(str(trial.get("kind")), "")
    return [
        PodTemplate(as_map(as_map(replica).get("template")), (*TRIAL, "spec", field, name, "template"))
        for name, replica in as_map(spec.get(field)).items()
    ]
