"""Metrics: the line that reports them, and everything that reads it.

`line` defines and writes the format. `reduction` reads a trial's output. `definition` describes other
formats, and `katib_filter` renders both for Katib. Importing this package loads only `line`, because training
containers import it.
"""

from __future__ import annotations

from kftune.metrics.line import METRIC_FORMAT, check_metric_name, format_line, report

__all__ = ["METRIC_FORMAT", "check_metric_name", "format_line", "report"]
