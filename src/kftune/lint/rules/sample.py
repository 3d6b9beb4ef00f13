"""Rules for what a sample log shows."""

from __future__ import annotations

from kftune.lint.rules.rule import Rule

_COLLECTOR = "katib v0.19.0, pkg/metricscollector/v1beta1; recorded runs"

RULES = (
    Rule(
        "KT501",
        "wrong",
        "The sample log holds no value of the objective",
        "Given the log of --sample-log, Katib's collector stores `unavailable`: such a trial counts for nothing. Or it "
        "stops at a line, and the trial fails.",
        "print the objective as name=value, or give metricsFormat a filter that finds it",
        "",
        "",
        _COLLECTOR,
    ),
    Rule(
        "KT502",
        "habit",
        "The sample log holds no value of an additional metric",
        "The metric stays empty in every trial.",
        "print the metric as name=value, or take it out of additionalMetricNames",
        "",
        "",
        _COLLECTOR,
    ),
    Rule(
        "KT503",
        "wrong",
        "A value that is stored as something else",
        "Katib stores the text that the filter finds: of 1,000 the default filter takes 1, of nan nothing at all, and "
        "such a value counts.",
        "print plain numbers, and stop the training at nan",
        "",
        "",
        _COLLECTOR,
    ),
)
