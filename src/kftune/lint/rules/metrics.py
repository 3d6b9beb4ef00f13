"""Rules for how Katib reads metrics from a trial's log."""

from __future__ import annotations

from kftune.lint.rules.rule import COLLECTOR, RUNTIME, WRAPPER, Rule


def _collector(inside: str) -> str:
    return f"spec: {{metricsCollectorSpec: {{{inside}}}}}"


SOURCE = COLLECTOR

RULES = (
    Rule(
        code="KT249",
        severity="advice",
        title="A custom collector without arguments",
        explanation="Katib passes its own collectors the trial's name, the metrics and the address of its database, "
        "but nothing to a custom one.",
        remedy="write them in args of customCollector; the trial's name comes from the pod's label "
        "katib.kubeflow.org/trial, through env.valueFrom.fieldRef",
        fails=_collector("collector: {kind: Custom, customCollector: {name: c, image: 'registry.example/c:1'}}"),
        source="katib v0.19.0, pkg/webhook/v1beta1/pod (inject_webhook.go); katib issue 2109",
    ),
    Rule(
        code="KT240",
        severity="fails",
        title="A metric that the default filter cannot find",
        explanation="The default filter knows letters, digits, '_', '-' and '|' in names: val/loss is read as loss, so "
        "no trial has the metric.",
        remedy="rename the metric, or add a filter for it to metricsFormat",
        fails="spec: {objective: {objectiveMetricName: val/loss}}",
    ),
    Rule(
        code="KT241",
        severity="wrong",
        title="A filter with a semicolon",
        explanation="Katib passes all filters to its collector in one string, separated by semicolons.",
        remedy="write \\x3b instead of the semicolon",
        fails=_collector("collector: {kind: StdOut}, source: {filter: {metricsFormat: ['(\\w+)=(\\S+);']}}"),
        passes=_collector("collector: {kind: StdOut}, source: {filter: {metricsFormat: ['(\\w+)=(\\S+)\\x3b']}}"),
    ),
    Rule(
        code="KT242",
        severity="fails",
        title="A filter that stops the collector",
        explanation="With StdOut the webhook does not check filters; the collector panics if Go cannot compile one.",
        remedy="write an RE2 regex, without lookaround and back-references",
        fails=_collector("collector: {kind: StdOut}, source: {filter: {metricsFormat: ['(?=x)(\\w+)=(\\S+)']}}"),
        passes=_collector("collector: {kind: StdOut}, source: {filter: {metricsFormat: ['(\\w+)=(\\S+)']}}"),
    ),
    Rule(
        code="KT243",
        severity="fails",
        title="A filter with fewer than two groups",
        explanation="Group 1 is the metric's name and group 2 its value; with fewer groups the filter finds nothing.",
        remedy="write two groups, such as ([\\w-]+)=([0-9.eE+-]+)",
        fails=_collector("collector: {kind: StdOut}, source: {filter: {metricsFormat: ['val_loss=([0-9.eE+-]+)']}}"),
        passes=_collector("collector: {kind: StdOut}, source: {filter: {metricsFormat: ['(val_loss)=([0-9.eE+-]+)']}}"),
    ),
    Rule(
        code="KT244",
        severity="hangs",
        title="A metric's name with a semicolon",
        explanation="Katib passes the names to its collector in one string, separated by semicolons. It "
        "finds neither part, stores nothing for the whole name, and the trial waits for its metrics forever.",
        remedy="rename the metric",
        fails="spec: {objective: {objectiveMetricName: 'a;b'}}",
    ),
    Rule(
        code="KT245",
        severity="wrong",
        title="Early stopping with a collector that ignores it",
        explanation="StdOut and File apply the rules; TensorFlowEvent fails with them, Push and Custom ignore them.",
        remedy="use the collector StdOut or File, or remove earlyStopping",
        fails="spec: {earlyStopping: {algorithmName: medianstop}, metricsCollectorSpec: {collector: {kind: Push}}}",
        passes="spec: {earlyStopping: {algorithmName: medianstop}}",
    ),
    Rule(
        code="KT259",
        severity="hangs",
        title="Early stopping of a training that is not root",
        explanation="To stop a trial, Katib's collector makes a file with a mark, as root. The line that Katib puts "
        "behind the training's command then writes `completed` into it. A container that is not root cannot, so it "
        "fails, and the collector waits forever. The Experiment does not go on.",
        remedy="let the training's shell make the file before: `{ echo running > /var/log/katib/$$$$.pid; python "
        "train.py; }`, as kftune render does; or give the pod, and so the collector, the same runAsUser",
        fails="spec: {earlyStopping: {algorithmName: medianstop}, trialTemplate: {retain: true}}",
        passes="spec: {earlyStopping: null}",
        source="katib v0.19.0, pkg/webhook/v1beta1/pod (utils.go), pkg/metricscollector/v1beta1/common (pns.go)",
    ),
    Rule(
        code="KT260",
        severity="hangs",
        title="Early stopping of trials that are not retained",
        explanation="Without retain Katib deletes the object of a trial as soon as it is marked as stopped, and never "
        "reads what it has reported. It creates no new trials until it has, so the Experiment does not go on.",
        remedy="set trialTemplate.retain: true",
        fails="spec: {earlyStopping: {algorithmName: medianstop}}",
        passes="spec: {earlyStopping: {algorithmName: medianstop}, trialTemplate: {retain: true}}",
        source="katib v0.19.0, pkg/controller.v1beta1/trial (trial_controller.go), experiment (ReconcileSuggestions)",
    ),
    Rule(
        code="KT269",
        severity="hangs",
        title="Early stopping with hyperband",
        explanation="Katib's hyperband begins the next bracket when all trials of the last one have succeeded. A trial "
        "that was stopped early never does: the service fails at each request, and no more trials are created.",
        remedy="remove earlyStopping, or use random, tpe or another algorithm",
        fails="spec: {algorithm: {algorithmName: hyperband, algorithmSettings: [{name: r_l, value: '9'}, "
        "{name: eta, value: '3'}, {name: resource_name, value: units}]}, "
        "earlyStopping: {algorithmName: medianstop}, trialTemplate: {retain: true}}",
        passes="spec: {earlyStopping: {algorithmName: medianstop}, trialTemplate: {retain: true}}",
        source="katib v0.19.0, pkg/suggestion/v1beta1/hyperband/service.py; recorded runs of it",
    ),
    Rule(
        code="KT246",
        severity="fails",
        title="A metrics file directly in /",
        explanation="Katib mounts a volume over the file's folder, in both containers.",
        remedy="put the file into a folder",
        fails=_collector("collector: {kind: File}, source: {fileSystemPath: {path: /metrics.log}}"),
        passes=_collector("collector: {kind: File}, source: {fileSystemPath: {path: /out/metrics.log}}"),
    ),
    Rule(
        code="KT247",
        severity="fails",
        title="A metrics path that the shell changes",
        explanation="Katib writes the path into the shell line without quotes, so its end marker goes to another file.",
        remedy="use only letters, digits and . _ - / in the path",
        fails=_collector("collector: {kind: File}, source: {fileSystemPath: {path: '/out dir/metrics.log'}}"),
        passes=_collector("collector: {kind: File}, source: {fileSystemPath: {path: /out/metrics.log}}"),
        source=WRAPPER,
    ),
    Rule(
        code="KT248",
        severity="advice",
        title="A filter that cuts numbers with an exponent",
        explanation="Python prints small numbers as 1e-05. A filter with ([0-9.]+), or the older default of Katib, "
        "((-?\\d+)(\\.\\d+)?), reads 1 there, or nothing.",
        remedy="write ([0-9.eE+-]+) for the group of the value",
        fails=_collector(
            "collector: {kind: StdOut}, source: {filter: {metricsFormat: ['(\\w+)\\s*=\\s*((-?\\d+)(\\.\\d+)?)']}}"
        ),
        passes=_collector("collector: {kind: StdOut}, source: {filter: {metricsFormat: ['(\\w+)=([0-9.eE+-]+)']}}"),
    ),
    Rule(
        code="KT267",
        severity="wrong",
        title="An unknown metric strategy",
        explanation="Katib does not check metricStrategies; with a value other than min, max or latest, no trial "
        "becomes the best one.",
        remedy="use min, max or latest, and the name of one of the metrics",
        fails="spec: {objective: {metricStrategies: [{name: val_loss, value: best}]}}",
        passes="spec: {objective: {metricStrategies: [{name: val_loss, value: min}]}}",
        source=RUNTIME,
    ),
    Rule(
        code="KT501",
        severity="fails",
        title="The sample log has no value of the objective",
        explanation="From the log of --sample-log Katib stores `unavailable`, or the collector stops at a line: the "
        "trial fails.",
        remedy="print the objective as name=value; or add a filter that finds it to metricsFormat, and in a study give "
        "objective.regex",
    ),
    Rule(
        code="KT502",
        severity="advice",
        title="The sample log has no value of an additional metric",
        explanation="The metric is empty in every trial.",
        remedy="print the metric as name=value, or remove it",
    ),
    Rule(
        code="KT503",
        severity="wrong",
        title="A value that is stored differently",
        explanation="What the filter or regex matches is stored: the default filter reads 1,000 as 1, and skips nan; "
        "([0-9.]+) reads 1e-05 as 1.",
        remedy="print plain numbers, stop the training at nan, and write ([0-9.eE+-]+) for the group of the value",
    ),
)
