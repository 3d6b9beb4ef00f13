"""The defaults that Katib's mutating webhook sets before the validating one runs.

Source: katib, pkg/apis/controller/experiments/v1beta1 (experiment_defaults.go, constants.go).
"""

from __future__ import annotations

from typing import Any, Literal

from kftune.katib.trial import METRICS_LOG
from kftune.katib.trial.conditions import KUBEFLOW_JOBS, PRIMARY_LABELS, expression

KatibVersion = Literal["0.18", "0.19", "main"]
VERSIONS: tuple[KatibVersion, ...] = ("0.18", "0.19", "main")


def with_defaults(spec: dict[str, Any], version: KatibVersion) -> dict[str, Any]:
    """Sets the defaults of a spec, and returns it.

    Args:
        spec: A decoded spec; it is changed.
        version: Katib's version.
    """
    spec.setdefault("parallelTrialCount", 3)
    if not spec.get("resumePolicy"):
        spec["resumePolicy"] = "Never"
    _default_objective(spec.get("objective"))
    _default_template(spec.get("trialTemplate"), version)
    _default_collector(spec)
    for parameter in spec.get("parameters", ()):
        space = parameter.setdefault("feasibleSpace", {})
        if not space.get("distribution"):
            space["distribution"] = "uniform"
    return spec


def _default_objective(objective: dict[str, Any] | None) -> None:
    if objective is None:
        return
    strategies = objective.setdefault("metricStrategies", [])
    named = {strategy.get("name", "") for strategy in strategies}
    strategy = {"minimize": "min", "maximize": "max"}.get(objective.get("type", ""), "latest")
    for name in (objective.get("objectiveMetricName", ""), *objective.get("additionalMetricNames", ())):
        if name not in named:
            strategies.append({"name": name, "value": strategy})


def _default_template(template: dict[str, Any] | None, version: KatibVersion) -> None:
    trial = template.get("trialSpec") if template else None
    if template is None or trial is None:
        return
    kind = trial["kind"]
    if kind == "Job" or (kind == "TrainJob" and version != "0.18"):
        success = "Complete"
    elif kind in KUBEFLOW_JOBS:
        success = "Succeeded"
    else:
        return
    template["successCondition"] = template.get("successCondition") or expression(success)
    template["failureCondition"] = template.get("failureCondition") or expression("Failed")
    if kind in PRIMARY_LABELS and not template.get("primaryPodLabels"):
        template["primaryPodLabels"] = dict(PRIMARY_LABELS[kind])


def _default_collector(spec: dict[str, Any]) -> None:
    collecting = spec.setdefault("metricsCollectorSpec", {})
    kind = collecting.setdefault("collector", {"kind": "StdOut"}).get("kind", "")
    if kind == "PrometheusMetric":
        request = collecting.setdefault("source", {}).setdefault("httpGet", {})
        request["path"] = request.get("path") or "/metrics"
        if str(request.get("port", 0)) == "0":
            request["port"] = 8080
    elif kind == "File":
        place = collecting.setdefault("source", {}).setdefault("fileSystemPath", {})
        place["kind"] = place.get("kind") or "File"
        place["path"] = place.get("path") or METRICS_LOG
        place["format"] = place.get("format") or "TEXT"
    elif kind == "TensorFlowEvent":
        place = collecting.setdefault("source", {}).setdefault("fileSystemPath", {})
        place["kind"] = place.get("kind") or "Directory"
        place["path"] = place.get("path") or "/var/log/katib/tfevent/"
