"""Renders how often Argo retries a step: after a failure of its program, and after the loss of its node."""

from __future__ import annotations

import math
from typing import Any

from kftune.errors import RenderError
from kftune.pipeline import StepConfig, TuneStep
from kftune.render.tuning import STUDY_FAILED

# A pod that was deleted or evicted is gone before Argo's controller sees its end ("pod deleted"), or has the code of
# the signal. A memory limit and a timeout have that code too, but another text; a text that the program writes follows
# its code.
# Source: argo-workflows v3.6.10, v3.7.14 and v4.0.5, workflow/controller/operator.go, inferFailedReason and
# podReconciliation; Kubernetes 1.36, pkg/kubelet: eviction, nodeshutdown, preemption and rejectPod. On a cluster with
# Argo 4.0.5: pods deleted and evicted, signals from outside and inside, memory limit, timeout, missing output.
_LOST = (
    "pod deleted",
    "pod failed: ",  # Argo 3.7: the pod has failed although no container has
    "The node was low on resource",
    "Pod was terminated in response to imminent node shutdown",
    "Pod was rejected",
    "Preempted in order to admit critical pod",
    "(main: )?Error [(]exit code (137|143)[)]",
)
_NODE_IS_LOST = f'lastRetry.message matches "^({"|".join(_LOST)})"'
_STUDY_GOES_ON = f'lastRetry.exitCode != "{STUDY_FAILED}"'


def retry_strategy(step: StepConfig, name: str, version: str) -> dict[str, Any] | None:
    """Renders the retries of a step.

    Argo has one counter, `retries`: a lost node uses up one of the retries after a failure too, so a failing program is
    never started more often than its limit says.

    Args:
        step: The step.
        name: Its name.
        version: Argo's version.

    Returns:
        None if it is not retried.

    Raises:
        RenderError: Argo cannot wait between tries as the step says.
    """
    limit, lost = step.retries.limit, step.preemption.retries
    if not limit and not lost:
        return None
    # Always: also after an error of Argo, such as an artifact that it could not read.
    strategy: dict[str, Any] = {"limit": str(limit + lost), "retryPolicy": "Always"}
    failed = [f"asInt(retries) < {limit}"] if lost else []
    if isinstance(step, TuneStep):
        failed.append(_STUDY_GOES_ON)
    if lost:
        strategy["expression"] = f"{_NODE_IS_LOST} || ({' && '.join(failed)})" if limit else _NODE_IS_LOST
    elif failed:
        strategy["expression"] = failed[0]
    if step.retries.backoff is not None:
        strategy["backoff"] = _backoff(step, name, version)
    return strategy


def _backoff(step: StepConfig, name: str, version: str) -> dict[str, str]:
    retries = step.retries
    if not float(retries.factor).is_integer():
        raise RenderError(
            f"Argo needs a whole number as the factor between waits, but retries.factor of step {name!r} is "
            f"{retries.factor:g}; set it to {math.ceil(retries.factor)}"
        )
    backoff = {"duration": duration(retries.backoff or 0), "factor": str(int(retries.factor))}
    if retries.max_backoff is not None:
        if version == "3.6":
            raise RenderError(
                f"Argo 3.6 has no maximum wait between retries, but retries.max_backoff of step {name!r} is set; "
                f"remove it, or set targets.argo.version to 3.7 or newer if the cluster has it"
            )
        backoff["cap"] = duration(retries.max_backoff)
    return backoff


def duration(seconds: float) -> str:
    """Returns a duration as Argo writes it, rounded up."""
    return f"{math.ceil(seconds * 1000)}ms" if seconds < 1 else f"{math.ceil(seconds)}s"
