"""Metrics: the line that reports them, and everything that reads it.

`line` defines the format and writes it, `parser` and `reduction` read a trial's output, `definition` describes other
formats, `katib_filter` tells Katib of both. Importing this loads little beyond `re`: training containers do so.
"""

from __future__ import annotations

from kftune.metrics.definition import MetricDefinition, check_re2, definition_notes
from kftune.metrics.katib_filter import KatibFilter, KatibFilters, katib_filter, katib_filters
from kftune.metrics.line import METRIC_FORMAT, check_metric_name, format_line, is_metric_name, report
from kftune.metrics.parser import MetricParser, Observation, parse_file
from kftune.metrics.reduction import Reduced, Reducer, reduce_file

__all__ = [
    "METRIC_FORMAT",
    "KatibFilter",
    "KatibFilters",
    "MetricDefinition",
    "MetricParser",
    "Observation",
    "Reduced",
    "Reducer",
    "check_metric_name",
    "check_re2",
    "definition_notes",
    "format_line",
    "is_metric_name",
    "katib_filter",
    "katib_filters",
    "parse_file",
    "reduce_file",
    "report",
]
