"""The rules of Katib's validating webhook for an Experiment, in its order and with its early returns.

Source: katib, pkg/webhook/v1beta1/experiment/validator/validator.go.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kftune.katib.admission.cluster import Cluster
from kftune.katib.admission.defaults import KatibVersion
from kftune.katib.admission.reason import Reason, invalid, required
from kftune.katib.admission.webhook_collector import collector_reasons
from kftune.katib.admission.webhook_template import template_reasons
from kftune.katib.admission.webhook_update import update_reasons
from kftune.katib.go.names import DNS_1035
from kftune.katib.go.text import plain_text

_NAME_RULE = (
    "name must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with "
    "an alphanumeric character and may not be longer than 40 characters"
)  # Katib's words without its example
_LONGEST_NAME = 40

_TYPES = frozenset({"unknown", "double", "int", "discrete", "categorical"})
_DISTRIBUTIONS = frozenset({"unknown", "uniform", "logUniform", "normal", "logNormal"})
_POLICIES = frozenset({"", "Never", "LongRunning", "FromVolume"})


def webhook_reasons(
    name: str, spec: Mapping[str, Any], old: Mapping[str, Any] | None, cluster: Cluster, version: KatibVersion
) -> list[Reason]:
    """Returns why the webhook rejects an Experiment; empty when it admits it.

    Args:
        name: metadata.name.
        spec: The decoded spec with its defaults.
        old: The decoded existing object with its spec's defaults; None when the object is created.
        cluster: Katib's configuration and the other objects of the cluster.
        version: Katib's version.
    """
    reasons = list(_count_reasons(spec))
    if not DNS_1035.match(name) or len(name) > _LONGEST_NAME:
        reasons.insert(0, invalid(("metadata", "name"), _NAME_RULE))
    if old is not None:
        reasons += update_reasons(spec, old)
    objective = list(_objective_reasons(spec.get("objective")))
    if objective:
        return reasons + objective
    reasons += _service_reasons(spec, "algorithm", cluster.config.algorithms, _SUGGESTION)
    if spec.get("earlyStopping") is not None:
        reasons += _service_reasons(spec, "earlyStopping", cluster.config.early_stoppings, _EARLY_STOPPING)
    if spec["resumePolicy"] not in _POLICIES:
        reasons.append(invalid(("spec", "resumePolicy"), "invalid ResumePolicyType"))
    reasons += template_reasons(spec, cluster)
    reasons += _space_reasons(spec)
    for index, parameter in enumerate(spec.get("parameters", ())):
        reasons += _parameter_reasons(index, parameter, version)
    reasons += collector_reasons(spec["metricsCollectorSpec"], cluster)
    return reasons


def _count_reasons(spec: Mapping[str, Any]) -> Iterator[Reason]:
    failed, most, parallel = (spec.get(key) for key in ("maxFailedTrialCount", "maxTrialCount", "parallelTrialCount"))
    if failed is not None and failed < 0:
        yield invalid(("spec", "maxFailedTrialCount"), "should not be less than 0")
    if most is not None and most <= 0:
        yield invalid(("spec", "maxTrialCount"), "must be greater than 0")
    if parallel is not None and parallel <= 0:
        yield invalid(("spec", "parallelTrialCount"), "must be greater than 0")
    if most is None:
        return
    if failed is not None and failed > most:
        yield invalid(("spec", "maxFailedTrialCount"), "should be less than or equal to spec.maxTrialCount")
    if parallel is not None and parallel > most:
        yield invalid(("spec", "parallelTrialCount"), "should be less than or equal to spec.maxTrialCount")


def _objective_reasons(objective: Mapping[str, Any] | None) -> Iterator[Reason]:
    path = ("spec", "objective")
    if objective is None:
        yield required(path, "must be specified")
        return
    if objective.get("type") not in ("minimize", "maximize"):
        yield invalid((*path, "type"), "must be minimize or maximize")
    name = objective.get("objectiveMetricName", "")
    if not name:
        yield required((*path, "objectiveMetricName"), "must be specified")
    if name in objective.get("additionalMetricNames", ()):
        detail = "should not contain spec.objective.objectiveMetricName"
        yield invalid((*path, "additionalMetricNames"), detail)


_SUGGESTION = "Suggestion config data for algorithm {0}: failed to find suggestion config for algorithm: {0}"
_EARLY_STOPPING = "EarlyStopping config data for algorithm {0}: failed to find early stopping config for algorithm: {0}"


def _service_reasons(spec: Mapping[str, Any], field: str, known: frozenset[str], failure: str) -> Iterator[Reason]:
    """Checks the algorithm of spec.algorithm or spec.earlyStopping."""
    service = spec.get(field)
    if service is None:
        yield required(("spec", field), "must be specified")
        return
    path = ("spec", field, "algorithmName")
    name = service.get("algorithmName", "")
    if not name:
        yield required(path, "must be specified")
    if name not in known:
        yield invalid(path, f"unable to get {failure.format(name)} in ConfigMap: katib-config")


def _space_reasons(spec: Mapping[str, Any]) -> Iterator[Reason]:
    if not spec.get("parameters") and spec.get("nasConfig") is None:
        yield required(("spec",), "spec.parameters or spec.nasConfig must be specified")
    if spec.get("parameters") and spec.get("nasConfig") is not None:
        yield invalid(("spec",), "only one of spec.parameters and spec.nasConfig can be specified")


def _parameter_reasons(index: int, parameter: Mapping[str, Any], version: KatibVersion) -> Iterator[Reason]:
    path = ("spec", "parameters", index)
    kind = parameter.get("parameterType", "")
    space = parameter["feasibleSpace"]
    if kind not in _TYPES:
        yield invalid((*path, "parameterType"), f"parameterType: {kind} is not supported")
    if space["distribution"] not in _DISTRIBUTIONS:
        detail = f"distribution: {space['distribution']} is not supported"
        yield invalid((*path, "feasibleSpace", "distribution"), detail)
    if kind in ("double", "int"):
        yield from _number_reasons((*path, "feasibleSpace"), kind, space, version)
    elif kind in ("categorical", "discrete") and (space.get("max") or space.get("min") or space.get("step")):
        detail = f"feasibleSpace .max, .min and .step is not supported for parameterType: {kind}"
        yield invalid((*path, "feasibleSpace"), detail)


def _number_reasons(
    path: tuple[str | int, ...], kind: str, space: Mapping[str, Any], version: KatibVersion
) -> Iterator[Reason]:
    if space.get("list"):
        detail = f"feasibleSpace.list is not supported for parameterType: {kind}"
        yield invalid((*path, "list"), detail)
    if not space.get("max") or not space.get("min"):
        detail = f"feasibleSpace.max or feasibleSpace.min must be specified for parameterType: {kind}"
        yield required((*path, "max"), detail)
    if version == "main" and space["distribution"] in ("logUniform", "logNormal"):
        for end in ("min", "max"):
            if _is_not_positive(space.get(end, "")):
                detail = f"must be greater than 0 for distribution: {plain_text(space['distribution'])}"
                yield invalid((*path, end), detail)


def _is_not_positive(text: str) -> bool:
    try:
        return float(text) <= 0
    except ValueError:
        return False
