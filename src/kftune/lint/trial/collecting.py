"""What goes wrong between a trial's log and the metrics that Katib wants.

Source: katib v0.19.0, pkg/metricscollector/v1beta1, cmd/metricscollector/v1beta1; recorded runs of them.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Any

from kftune.katib.go.types import Path
from kftune.lint.rules.findings import finding
from kftune.lint.rules.rule import Finding, Severity

_BY_DEFAULT = re.compile(r"[\w|-]+", re.ASCII)
_SAFE_PATH = re.compile(r"[\w./:,@%+^=-]+")
_COLLECTOR = ("spec", "metricsCollectorSpec")


def collecting_findings(spec: Mapping[str, Any]) -> Iterator[Finding]:
    """What is wrong with names, filters, paths and early stopping."""
    collecting = spec["metricsCollectorSpec"]
    kind = collecting["collector"].get("kind", "")
    source = collecting.get("source") or {}
    place = source.get("fileSystemPath") or {}
    reads_text = kind == "StdOut" or (kind == "File" and place.get("format") == "TEXT")
    filters = (source.get("filter") or {}).get("metricsFormat", [])
    if reads_text:
        yield from _name_findings(spec["objective"], bool(filters))
        yield from _filter_findings(filters)
    if _is_mounted_over_root(kind, place):
        message = f"for {place['path']} Katib would mount its volume over '/'; use a folder of its own"
        yield finding("KT246", (*_COLLECTOR, "source", "fileSystemPath", "path"), message)
    if kind in ("File", "TensorFlowEvent") and not _SAFE_PATH.fullmatch(place.get("path", "")):
        path = (*_COLLECTOR, "source", "fileSystemPath", "path")
        yield finding("KT247", path, f"{place.get('path')!r} does not reach the shell as written")
    if spec.get("earlyStopping") is not None and kind not in ("StdOut", "File"):
        ends = "its trials fail once there are rules" if kind == "TensorFlowEvent" else "its trials are never stopped"
        severity: Severity = "fails" if kind == "TensorFlowEvent" else "wrong"
        yield finding(
            "KT245", ("spec", "earlyStopping"), f"the collector {kind} knows no early stopping: {ends}", severity
        )
    yield from _strategy_findings(spec["objective"])


def _is_mounted_over_root(kind: str, place: Mapping[str, Any]) -> bool:
    """Katib mounts a volume over the folder of a file, and over a folder itself."""
    path = posixpath.normpath(place.get("path", ""))
    folder = posixpath.dirname(path) if place.get("kind") == "File" else path
    return kind in ("File", "TensorFlowEvent") and folder.strip("/") == "" and path != "."


def _name_findings(objective: Mapping[str, Any], filtered: bool) -> Iterator[Finding]:
    path = ("spec", "objective")
    named: list[tuple[str, Path]] = [(objective["objectiveMetricName"], (*path, "objectiveMetricName"))]
    extra = objective.get("additionalMetricNames", ())
    named += [(name, (*path, "additionalMetricNames", index)) for index, name in enumerate(extra)]
    for position, (name, place) in enumerate(named):
        if ";" in name:
            yield finding("KT244", place, f"{name!r} holds ';', by which Katib separates the names of metrics")
        elif not filtered and not _BY_DEFAULT.fullmatch(name):
            message = f"the default filter finds names of letters, digits, '_', '-' and '|' only, never {name!r}"
            yield finding("KT240", place, message, "wrong" if position == 0 else "advice")


def _filter_findings(filters: list[str]) -> Iterator[Finding]:
    if not filters:
        return
    from kftune.katib.go.regex import GoRegexError, check

    for index, regex in enumerate(filters):
        path = (*_COLLECTOR, "source", "filter", "metricsFormat", index)
        if ";" in regex:
            yield finding("KT241", path, f"{regex!r} holds ';', by which Katib separates filters: it is cut in two")
            continue
        try:
            groups = check(regex)
        except GoRegexError as error:
            yield finding("KT242", path, f"the collector stops at the first line with a metric: {error}")
            continue
        if "\n" in regex:
            yield finding(
                "KT243", path, f"{regex!r} holds a newline, and each line is looked at alone: it finds nothing"
            )
            continue
        if groups < 2:
            message = f"{regex!r} has {groups} groups and needs two, the name and the value: it finds nothing"
            yield finding("KT243", path, message)


def _strategy_findings(objective: Mapping[str, Any]) -> Iterator[Finding]:
    names = {objective["objectiveMetricName"], *objective.get("additionalMetricNames", ())}
    for index, strategy in enumerate(objective.get("metricStrategies", ())):
        path = ("spec", "objective", "metricStrategies", index)
        name, value = strategy.get("name", ""), strategy.get("value", "")
        if value not in ("min", "max", "latest"):
            severity: Severity = "wrong" if name == objective["objectiveMetricName"] else "advice"
            message = f"the strategy of {name!r} is {value!r}; Katib knows min, max and latest"
            yield finding("KT267", (*path, "value"), message, severity)
        elif name not in names:
            yield finding("KT267", (*path, "name"), f"no metric of this Experiment is called {name!r}", "advice")
