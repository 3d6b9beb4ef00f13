"""The CEL rules of the CRDs, each written in Python.

Source: the CRDs named in `tools/crd_overlay.yaml` (x-kubernetes-validations).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from kftune.katib.go.names import DNS_1035


class CelRule(NamedTuple):
    """A rule's message, and whether it holds for a value."""

    message: str
    holds: Callable[[Any], bool]


# `self == oldSelf`: these rules apply to edits only.
TRANSITIONS: Mapping[str, str] = MappingProxyType(
    {
        "immutable": "field is immutable",
        "immutable-optimization": "OptimizationJobSpec is immutable and cannot be updated after creation",
    }
)

_LOCATIONS = ("artifactory", "azure", "gcs", "git", "hdfs", "http", "oss", "plugin", "raw", "s3")
_BODIES = ("container", "containerSet", "dag", "data", "http", "plugin", "resource", "script", "steps", "suspend")


def _double(text: object) -> float:
    """`double(text)`; text that is not a number gives NaN, which fails every comparison."""
    try:
        found = float(str(text))
    except ValueError:
        return math.nan
    return math.nan if math.isinf(found) else found


def _all_parameters_are_choices(spec: Any) -> bool:
    if "grid" not in (spec.get("searchAlgorithm") or {}):
        return True
    return all("categorical" in (parameter.get("searchSpace") or {}) for parameter in spec.get("parameters", ()))


def _at_most_one(names: tuple[str, ...], given: Any) -> bool:
    return sum(name in given for name in names) <= 1


def _no_timeout_of_steps(templates: Any) -> bool:
    timed = [each for each in templates if "timeout" in each or "activeDeadlineSeconds" in each]
    return not any("dag" in each or "steps" in each for each in timed)


def _has_name_for_order(task: Any) -> bool:
    follows = "depends" in task or "dependencies" in task
    return not follows or not str(task.get("name", ""))[:1].isdigit()


RULES: Mapping[str, CelRule] = MappingProxyType(
    {
        "short-label-name": CelRule(
            "metadata.name must match RFC 1035 DNS label format",
            lambda it: DNS_1035.fullmatch(it["metadata"]["name"]) is not None,
        ),
        "short-name": CelRule(
            "metadata.name must be no more than 63 characters", lambda it: len(it["metadata"]["name"]) <= 63
        ),
        "managed-by": CelRule(
            "ManagedBy must be trainer.kubeflow.org/trainjob-controller or kueue.x-k8s.io/multikueue if set",
            lambda it: it in ("trainer.kubeflow.org/trainjob-controller", "kueue.x-k8s.io/multikueue"),
        ),
        "at-least-one-process": CelRule("numProcPerNode must be greater than or equal to 1", lambda it: it >= 1),
        "parallel-trials": CelRule(
            "parallelTrials cannot exceed numTrials", lambda it: it.get("parallelTrials", 0) <= it.get("numTrials", 0)
        ),
        "grid-of-choices": CelRule(
            "Grid search requires all parameters to be Categorical; Uniform and LogUniform are not supported.",
            _all_parameters_are_choices,
        ),
        "min-above-zero": CelRule("min must be strictly greater than 0", lambda it: _double(it["min"]) > 0),
        "min-below-max": CelRule(
            "min must be strictly less than max", lambda it: _double(it["min"]) < _double(it["max"])
        ),
        "no-name": CelRule(
            "name and namespace cannot be set in a template.", lambda it: "name" not in it and "namespace" not in it
        ),
        "one-ml-policy": CelRule(
            "Only one of the policy can be configured", lambda it: _at_most_one(("flux", "mpi", "torch"), it)
        ),
        "not-the-node": CelRule(
            "containerNames must not include the main node container because PET_* envs are always injected into it",
            lambda it: "node" not in it,
        ),
        "one-artifact-location": CelRule(
            "at most one artifact location can be specified", lambda it: _at_most_one(_LOCATIONS, it)
        ),
        "no-timeout-of-steps": CelRule("timeout cannot be applied to steps or dag templates", _no_timeout_of_steps),
        "one-template-type": CelRule(
            "template must have at most one template type",
            lambda it: all(_at_most_one(_BODIES, template) for template in it),
        ),
        "one-task-order": CelRule(
            "cannot use both 'depends' and 'dependencies' or 'continueOn'",
            lambda it: "depends" not in it or not ("dependencies" in it or "continueOn" in it),
        ),
        "task-name": CelRule(
            "task name cannot begin with a digit when using 'depends' or 'dependencies'", _has_name_for_order
        ),
    }
)
