"""Reads which metrics an Experiment has, and how they are collected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kftune.confined import below
from kftune.errors import RunError
from kftune.study.objective import Direction

_NOT_HERE = {
    "PrometheusMetric": "Katib itself has no collector for it; print the metrics, or write them to a file",
    "Custom": "its container runs in the trial's pod only; print the metrics, write them to a file, or push them",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Metrics:
    """The metrics of an Experiment.

    Attributes:
        kind: The collector.
        objective: The metric that counts.
        direction: Whether less or more is better.
        names: All metrics, the objective first.
        strategies: Metric -> which of its values counts.
        filters: Regular expressions that find metrics in lines.
        format: TEXT or JSON.
        path: Where the collector reads, in the container.
        is_folder: Whether that is a folder.
    """

    kind: str
    objective: str
    direction: Direction
    names: tuple[str, ...]
    strategies: Mapping[str, str]
    filters: tuple[str, ...]
    format: str
    path: str
    is_folder: bool


def local_folder(output: Path, folder: str) -> Path:
    """Returns the folder that is used here for the one in which a trial's collector reads.

    Args:
        output: The trial's output folder.
        folder: The collector's folder, in the container.

    Raises:
        ConfinedError: It leads out of the trial's folder.
    """
    return below(output / "files", folder.strip("/"))


def metrics_of(spec: Mapping[str, Any]) -> Metrics:
    """Returns the metrics of a decoded spec with its defaults.

    Raises:
        RunError: Its collector does not run here.
    """
    objective, collecting = spec["objective"], spec["metricsCollectorSpec"]
    kind = collecting["collector"].get("kind", "")
    if kind in _NOT_HERE:
        raise RunError(f"the collector {kind} is not run locally: {_NOT_HERE[kind]}")
    source = collecting.get("source") or {}
    place = source.get("fileSystemPath") or {}
    path = place.get("path", "") if kind in ("File", "TensorFlowEvent") else ""
    if ".." in path.split("/"):
        raise RunError(
            f"the collector's path must be without '..' to stand for a file of the trial, but is {path!r}; give the "
            f"path that it leads to"
        )
    name = objective["objectiveMetricName"]
    return Metrics(
        kind=kind,
        objective=name,
        direction=objective["type"],
        names=tuple(dict.fromkeys((name, *objective.get("additionalMetricNames", ())))),
        strategies={each.get("name", ""): each.get("value", "") for each in objective.get("metricStrategies", ())},
        filters=tuple((source.get("filter") or {}).get("metricsFormat", ())) if kind in ("StdOut", "File") else (),
        format=place.get("format") or "TEXT" if kind == "File" else "TEXT",
        path=path,
        is_folder=kind == "TensorFlowEvent",
    )
