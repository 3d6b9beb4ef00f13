"""The webhook's rules for spec.metricsCollectorSpec.

Source: katib, pkg/webhook/v1beta1/experiment/validator/validator.go (validateMetricsCollector).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from kftune.katib.admission.cluster import Cluster
from kftune.katib.admission.reason import Reason, invalid, required

_PATH = ("spec", "metricsCollectorSpec")
_KIND = (*_PATH, "collector", "kind")
_SOURCE = (*_PATH, "source")
_FILE = (*_SOURCE, "fileSystemPath")
_FILTER = (*_SOURCE, "filter")

_CONFIGURED = frozenset({"StdOut", "TensorFlowEvent", "File", "PrometheusMetric"})
_WHOLE_NUMBER = re.compile(r"[-+]?[0-9]+")


def collector_reasons(spec: Mapping[str, Any], cluster: Cluster) -> Iterator[Reason]:
    """Yields why the webhook rejects the metrics collector.

    Args:
        spec: spec.metricsCollectorSpec with its defaults.
        cluster: The cluster with Katib's configuration.
    """
    collector = spec["collector"]
    kind = collector.get("kind", "")
    if kind in _CONFIGURED and kind not in cluster.config.collectors:
        detail = f"failed to find metrics collector config for kind: {kind} in ConfigMap: katib-config"
        yield invalid(_KIND, f"GetMetricsCollectorConfigData failed: {detail}")
    if kind in ("Push", "StdOut"):
        return
    source = spec.get("source") or {}
    if kind == "File":
        yield from _file_reasons(source)
    elif kind == "TensorFlowEvent":
        yield from _event_reasons(source["fileSystemPath"])
    elif kind == "PrometheusMetric":
        yield from _request_reasons(source["httpGet"])
    elif kind == "Custom":
        yield from _custom_reasons(collector, source.get("fileSystemPath"))
    else:
        yield invalid(_KIND, f"invalid metrics collector kind: {kind}")
    yield from _filter_reasons((source.get("filter") or {}).get("metricsFormat", ()))


def _file_reasons(source: Mapping[str, Any]) -> Iterator[Reason]:
    place = source["fileSystemPath"]
    if place["kind"] != "File" or not place["path"].startswith("/"):
        yield required((*_FILE, "path"), "file path where metrics file exists is required")
    if place["format"] not in ("TEXT", "JSON"):
        yield required((*_FILE, "format"), "format of metrics file is required for metrics collector")
    if place["format"] == "JSON" and source.get("filter") is not None:
        yield invalid(_FILTER, "filter must be nil when format of metrics file is json")


def _event_reasons(place: Mapping[str, str]) -> Iterator[Reason]:
    if place["kind"] != "Directory" or not place["path"].startswith("/"):
        detail = (
            "directory path where tensorflow event files exist is required by "
            ".spec.metricsCollectorSpec.source.fileSystemPath.path"
        )
        yield required(_SOURCE, detail)
    if place.get("format"):
        yield invalid((*_FILE, "format"), "must be empty")


def _request_reasons(request: Mapping[str, Any]) -> Iterator[Reason]:
    port = str(request["port"])
    if not _WHOLE_NUMBER.fullmatch(port) or not 0 < int(port[:20]) < 2**63:
        detail = "must be a positive integer value for metrics collector kind: PrometheusMetric"
        yield invalid((*_SOURCE, "httpGet", "port"), detail)
    if not request["path"].startswith("/"):
        detail = "path is invalid for metrics collector kind: PrometheusMetric"
        yield invalid((*_SOURCE, "httpGet", "path"), detail)


def _custom_reasons(collector: Mapping[str, Any], place: Mapping[str, str] | None) -> Iterator[Reason]:
    if collector.get("customCollector") is None:
        yield required((*_PATH, "collector", "customCollector"), "metrics collector kind: Custom is required")
    if place is None:
        return
    if not place.get("path", "").startswith("/") or place.get("kind") not in ("Directory", "File"):
        yield invalid(_FILE, ".spec.metricsCollectorSpec.source is invalid")


def _filter_reasons(formats: list[str]) -> Iterator[Reason]:
    if not formats:
        return
    from kftune.katib.go.regex import GoRegexError, check  # noqa: PLC0415 - most Experiments have no filter

    path = (*_FILTER, "metricsFormat")
    for index, regex in enumerate(formats):
        try:
            check(regex)
        except GoRegexError as error:
            yield invalid((*path, index), f"invalid filter: {error}", field=".".join(path))
            continue
        if not any(map(_has_two_brackets, regex.split("\n"))):
            yield invalid((*path, index), "two top subexpressions are required", field=".".join(path))


def _has_two_brackets(line: str) -> bool:
    r"""Whether `.*\(.*\).*\(.*\).*` matches a line."""
    place = 0
    for sign in "()()":
        place = line.find(sign, place) + 1
        if not place:
            return False
    return True
