"""Finds the pod templates and containers in a trial's object."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from kftune.katib.go.types import Path

TEMPLATE: Path = ("spec", "trialTemplate")
TRIAL: Path = (*TEMPLATE, "trialSpec")

REPLICAS = {
    "PyTorchJob": "pytorchReplicaSpecs",
    "TFJob": "tfReplicaSpecs",
    "MPIJob": "mpiReplicaSpecs",
    "XGBoostJob": "xgbReplicaSpecs",
}
"""The kinds of Kubeflow's training operator, with the field that holds their pods."""

Entry = tuple[Mapping[str, Any], Path]
"""A map and its path."""


class Pod(NamedTuple):
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

    def maps(self, field: str) -> Iterator[Entry]:
        """Yields the maps in a list of its spec, with their paths."""
        return maps(self.spec, field, (*self.path, "spec"))


def as_map(value: object) -> Mapping[str, Any]:
    """Returns the value if it is a map, otherwise an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[Any]:
    """Returns the value if it is a list, otherwise an empty one."""
    return value if isinstance(value, list) else []


def maps(parent: Mapping[str, Any], field: str, path: Path) -> Iterator[Entry]:
    """Yields the maps in a list, with their paths.

    Args:
        parent: The map that holds the list.
        field: The list's name.
        path: The parent's path.
    """
    for index, item in enumerate(as_list(parent.get(field))):
        yield as_map(item), (*path, field, index)


def texts(value: object) -> list[str]:
    """Returns the texts in a list."""
    return [item for item in as_list(value) if isinstance(item, str)]


def pods_of(trial: Mapping[str, Any]) -> list[Pod]:
    """Returns the pod templates of a Job or a Kubeflow job; empty for kinds with unknown pods."""
    spec = as_map(trial.get("spec"))
    if trial.get("kind") == "Job":
        return [Pod(as_map(spec.get("template")), (*TRIAL, "spec", "template"))]
    field = REPLICAS.get(str(trial.get("kind")), "")
    return [
        Pod(as_map(as_map(replica).get("template")), (*TRIAL, "spec", field, name, "template"))
        for name, replica in as_map(spec.get(field)).items()
    ]
