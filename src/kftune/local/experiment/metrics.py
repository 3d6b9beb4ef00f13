"""What an Experiment says of its metrics, and who collects them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from kftune.errors import RunError
from kftune.study.objective import Direction

_NOT_HERE = {
    "PrometheusMetric": "Katib itself has no collector for it; print the metrics, or write them to a file",
    "Custom": "its container runs in the trial's pod only; print the metrics, write them to a file, or push them",
}


class Metrics(NamedTuple):
    """What an Experiment says of its metrics."""

    kind: str
    """The collector."""
    objective: str
    direction: Direction
    names: tuple[str, ...]
    """The objective first."""
    strategies: Mapping[str, str]
    filters: tuple[str, ...]
    format: str
    path: str
    """Where the collector reads, in the container."""
    is_folder: bool


def local_folder(output: Path, folder: str) -> Path:
    """What stands in a trial's output folder for the folder in which its collector reads."""
    return output / "files" / folder.strip("/")


def metrics_of(spec: Mapping[str, Any]) -> Metrics:
    """The metrics of a decoded spec with its defaults.

    Raises:
        RunError: Its collector does not run here.
    """
    objective, collecting = spec["objective"], spec["metricsCollectorSpec"]
    kind = collecting["collector"].get("kind", "")
    if kind in _NOT_HERE:
        raise RunError(f"the collector {kind} is not run locally: {_NOT_HERE[kind]}")
    source = collecting.get("source") or {}
    place = source.get("fileSystemPath") or {}
    name = objective["objectiveMetricName"]
    return Metrics(
        kind,
        name,
        objective["type"],
        tuple(dict.fromkeys((name, *objective.get("additionalMetricNames", ())))),
        {each.get("name", ""): each.get("value", "") for each in objective.get("metricStrategies", ())},
        tuple((source.get("filter") or {}).get("metricsFormat", ())) if kind in ("StdOut", "File") else (),
        place.get("format") or "TEXT" if kind == "File" else "TEXT",
        place.get("path", "") if kind in ("File", "TensorFlowEvent") else "",
        kind == "TensorFlowEvent",
    )
