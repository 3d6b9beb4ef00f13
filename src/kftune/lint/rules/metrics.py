"""Rules for what stands between a trial's log and the metrics that Katib wants."""

from __future__ import annotations

from kftune.lint.rules.rule import Rule

_RUNTIME = "katib v0.19.0, pkg/controller.v1beta1; recorded runs"
_COLLECTOR = "katib v0.19.0, pkg/metricscollector/v1beta1; recorded runs"
_WRAPPER = "katib v0.19.0, pkg/webhook/v1beta1/pod; recorded runs in dash and bash"


def _collector(inside: str) -> str:
    return f"spec: {{metricsCollectorSpec: {{{inside}}}}}"


RULES = (
    Rule(
        "KT240",
        "wrong",
        "A metric that the default filter cannot find",
        "The default filter takes letters, digits, '_', '-' and '|' for a name. val/loss is found as loss, and the "
        "objective is never there.",
        "rename the metric, or give metricsFormat a filter for it",
        "spec: {objective: {objectiveMetricName: val/loss}}",
        "",
        _COLLECTOR,
    ),
    Rule(
        "KT241",
        "wrong",
        "A filter with a semicolon",
        "Katib hands filters to its collector in one text, separated by semicolons.",
        "write \\x3b for the semicolon",
        _collector("collector: {kind: StdOut}, source: {filter: {metricsFormat: ['(\\w+)=([0-9.]+);']}}"),
        _collector("collector: {kind: StdOut}, source: {filter: {metricsFormat: ['(\\w+)=([0-9.]+)\\x3b']}}"),
        _COLLECTOR,
    ),
    Rule(
        "KT242",
        "fails",
        "A filter that stops the collector",
        "With StdOut the webhook does not look at filters; the collector panics at one that Go does not compile.",
        "write a regex of RE2: no lookaround, no back-references",
        _collector("collector: {kind: StdOut}, source: {filter: {metricsFormat: ['(?=x)(\\w+)=(\\S+)']}}"),
        _collector("collector: {kind: StdOut}, source: {filter: {metricsFormat: ['(\\w+)=(\\S+)']}}"),
        _COLLECTOR,
    ),
    Rule(
        "KT243",
        "wrong",
        "A filter with fewer than two groups",
        "Group 1 is the metric's name and group 2 its value; with fewer the filter finds nothing.",
        "write two groups, such as ([\\w-]+)=([0-9.]+)",
        _collector("collector: {kind: StdOut}, source: {filter: {metricsFormat: ['loss=([0-9.]+)']}}"),
        _collector("collector: {kind: StdOut}, source: {filter: {metricsFormat: ['(loss)=([0-9.]+)']}}"),
        _COLLECTOR,
    ),
    Rule(
        "KT244",
        "wrong",
        "A metric's name with a semicolon",
        "Katib hands the names to its collector in one text, separated by semicolons.",
        "rename the metric",
        "spec: {objective: {objectiveMetricName: 'a;b'}}",
        "",
        _COLLECTOR,
    ),
    Rule(
        "KT245",
        "wrong",
        "Early stopping with a collector that ignores it",
        "Only StdOut and File look at rules. TensorFlowEvent's collector stops at them, Push and Custom do not.",
        "use the collector StdOut or File, or leave earlyStopping out",
        "spec: {earlyStopping: {algorithmName: medianstop}, metricsCollectorSpec: {collector: {kind: Push}}}",
        "spec: {earlyStopping: {algorithmName: medianstop}}",
        _COLLECTOR,
    ),
    Rule(
        "KT246",
        "fails",
        "A metrics file right below /",
        "Katib mounts a volume over the file's folder, in both containers.",
        "put the file into a folder of its own",
        _collector("collector: {kind: File}, source: {fileSystemPath: {path: /metrics.log}}"),
        _collector("collector: {kind: File}, source: {fileSystemPath: {path: /out/metrics.log}}"),
        _COLLECTOR,
    ),
    Rule(
        "KT247",
        "fails",
        "A metrics path that the shell changes",
        "Katib writes the path into the shell line without quotes: its mark of completion goes elsewhere.",
        "use letters, digits and . _ - / in the path",
        _collector("collector: {kind: File}, source: {fileSystemPath: {path: '/out dir/metrics.log'}}"),
        _collector("collector: {kind: File}, source: {fileSystemPath: {path: /out/metrics.log}}"),
        _WRAPPER,
    ),
    Rule(
        "KT267",
        "wrong",
        "A metric strategy that Katib does not know",
        "Nobody checks metricStrategies; with another value than min, max or latest no trial counts.",
        "write min, max or latest, and the name of one of the metrics",
        "spec: {objective: {metricStrategies: [{name: val_loss, value: best}]}}",
        "spec: {objective: {metricStrategies: [{name: val_loss, value: min}]}}",
        _RUNTIME,
    ),
)
