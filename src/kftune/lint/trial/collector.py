"""Findings about how Katib's collector reads metrics from a trial's log.

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


def collector_findings(spec: Mapping[str, Any]) -> Iterator[Finding]:
    """Yields what is wrong with metric names, filters, paths and early stopping."""
    collecting = spec["metricsCollectorSpec"]
    kind = collecting["collector"].get("kind", "")
    source = collecting.get("source") or {}
    place = source.get("fileSystemPath") or {}
    reads_text = kind == "StdOut" or (kind == "File" and place.get("format") == "TEXT")
    filters = (source.get("filter") or {}).get("metricsFormat", [])
    if reads_text:
        yield from _name_findings(spec["objective"], bool(filters))
        yield from _filter_findings(filters)
    if kind == "Custom" and not (collecting["collector"].get("customCollector") or {}).get("args"):
        message = "Katib passes a custom collector nothing: no trial name, no metrics, no address of its database"
        yield finding("KT249", (*_COLLECTOR, "collector", "customCollector"), message)
    if kind in ("File", "TensorFlowEvent"):
        yield from _path_findings(place)
    if spec.get("earlyStopping") is not None and kind not in ("StdOut", "File"):
        fails = kind == "TensorFlowEvent"
        effect = "its trials fail once there are rules" if fails else "its trials are never stopped"
        message = f"the collector {kind} does not support early stopping: {effect}"
        yield finding("KT245", ("spec", "earlyStopping"), message, "fails" if fails else "wrong")
    yield from _strategy_findings(spec["objective"])


def _path_findings(place: Mapping[str, Any]) -> Iterator[Finding]:
    """Yields what is wrong with a path. Katib mounts a volume over the folder of a file, or over the folder itself."""
    given, at = place.get("path", ""), (*_COLLECTOR, "source", "fileSystemPath", "path")
    path = posixpath.normpath(given)
    folder = posixpath.dirname(path) if place.get("kind") == "File" else path
    if folder.strip("/") == "" and path != ".":
        yield finding("KT246", at, f"for {given} Katib mounts its volume over '/'; use a separate folder")
    if not _SAFE_PATH.fullmatch(given):
        yield finding("KT247", at, f"{given!r} does not reach the shell as written")


def _name_findings(objective: Mapping[str, Any], filtered: bool) -> Iterator[Finding]:
    path = ("spec", "objective")
    named: list[tuple[str, Path]] = [(objective["objectiveMetricName"], (*path, "objectiveMetricName"))]
    extra = objective.get("additionalMetricNames", ())
    named += [(name, (*path, "additionalMetricNames", index)) for index, name in enumerate(extra)]
    for position, (name, place) in enumerate(named):
        if ";" in name:
            message = f"{name!r} contains ';', which Katib uses to separate metric names"
            yield finding("KT244", place, message, None if position == 0 else "advice")
        elif not filtered and not _BY_DEFAULT.fullmatch(name):
            message = f"the default filter matches names of letters, digits, '_', '-' and '|' only, so not {name!r}"
            yield finding("KT240", place, message, None if position == 0 else "advice")


def _filter_findings(filters: list[str]) -> Iterator[Finding]:
    if not filters:
        return
    from kftune.katib.go.regex import GoRegexError, check
    from kftune.metrics.cut_rows import filter_notes

    at = (*_COLLECTOR, "source", "filter", "metricsFormat")
    for index, note in filter_notes(filters):
        yield finding("KT248", (*at, index), note)
    for index, regex in enumerate(filters):
        path = (*at, index)
        if ";" in regex:
            yield _cut_finding(regex, path)
            continue
        try:
            groups = check(regex)
        except GoRegexError as error:
            yield finding("KT242", path, f"the collector fails at the first line with a metric: {error}")
            continue
        if "\n" in regex:
            yield finding("KT243", path, f"{regex!r} has a newline, but is matched against single lines: no match")
        elif groups < 2:
            yield finding("KT243", path, f"{regex!r} has {groups} groups; it needs two, for the name and the value")


def _cut_finding(regex: str, path: Path) -> Finding:
    """Describes a filter with a semicolon by what its parts do."""
    from kftune.katib.go.regex import GoRegexError, check

    message = f"{regex!r} contains ';', which Katib uses to separate filters: it is cut in two"
    try:
        groups = [check(part) for part in regex.split(";")]
    except GoRegexError as error:
        return finding("KT241", path, f"{message}, and the collector fails: {error}", "fails")
    if max(groups) < 2:
        return finding("KT241", path, f"{message}, and no part finds a metric", "fails")
    return finding("KT241", path, message)


def _strategy_findings(objective: Mapping[str, Any]) -> Iterator[Finding]:
    names = {objective["objectiveMetricName"], *objective.get("additionalMetricNames", ())}
    for index, strategy in enumerate(objective.get("metricStrategies", ())):
        path = ("spec", "objective", "metricStrategies", index)
        name, value = strategy.get("name", ""), strategy.get("value", "")
        if value not in ("min", "max", "latest"):
            severity: Severity | None = None if name == objective["objectiveMetricName"] else "advice"
            message = f"the strategy of {name!r} must be min, max or latest, not {value!r}"
            yield finding("KT267", (*path, "value"), message, severity)
        elif name not in names:
            yield finding("KT267", (*path, "name"), f"this Experiment has no metric {name!r}", "advice")
