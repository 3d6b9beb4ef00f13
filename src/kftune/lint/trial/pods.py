"""The pod templates and containers in a trial template."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from kftune.katib.go.types import Path

TRIAL: Path = ("spec", "trialTemplate", "trialSpec")

_REPLICAS = {
    "PyTorchJob": "pytorchReplicaSpecs",
    "TFJob": "tfReplicaSpecs",
    "MPIJob": "mpiReplicaSpecs",
    "XGBoostJob": "xgbReplicaSpecs",
}


class Pod(NamedTuple):
    """A pod template."""

    template: Mapping[str, Any]
    path: Path

    @property
    def spec(self) -> Mapping[str, Any]:
        """Its spec."""
        return as_map(self.template.get("spec"))

    def containers(self, kind: str = "containers") -> Iterator[tuple[Mapping[str, Any], Path]]:
        """Its containers, with their paths."""
        for index, container in enumerate(as_list(self.spec.get(kind))):
            yield as_map(container), (*self.path, "spec", kind, index)


def as_map(value: object) -> Mapping[str, Any]:
    """The value when it is a map, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[Any]:
    """The value when it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def texts(value: object) -> list[str]:
    """The texts in a list."""
    return [item for item in as_list(value) if isinstance(item, str)]


def pods_of(trial: Mapping[str, Any]) -> list[Pod]:
    """The pod templates of a Job or of one of Kubeflow's jobs; empty for kinds whose pods are not known."""
    spec = as_map(trial.get("spec"))
    if trial.get("kind") == "Job":
        return [Pod(as_map(spec.get("template")), (*TRIAL, "spec", "template"))]
    field = _REPLICAS.get(str(trial.get("kind")))
    if field is None:
        return []
    replicas = as_map(spec.get(field))
    return [
        Pod(as_map(as_map(replica).get("template")), (*TRIAL, "spec", field, name, "template"))
        for name, replica in replicas.items()
    ]
