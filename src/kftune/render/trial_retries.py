"""What of a study's retries the object of a trial can do: a Job can count, and knows some kinds; the others cannot.

Source: Kubernetes 1.36, pkg/controller/job: backoffLimit counts failed pods that no rule ignores; the first rule of
podFailurePolicy that fits a pod decides. katib v0.19.0, cmd/metricscollector/v1beta1/file-metricscollector: the
collector sends nothing when the program has failed, so that only the last pod's metrics are stored.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kftune.study import Study
from kftune.study.retries import NONE_RUNS_AGAIN, RetryLimits

_LOST = {"type": "DisruptionTarget", "status": "True"}
# The exit codes of a container that was killed: for want of memory, or at its deadline after the grace period. One that
# handles SIGTERM at its deadline may have the other.
_KILLED, _TERMINATED = 137, 143


def job_policy(limits: RetryLimits, container: str) -> dict[str, Any]:
    """Returns the fields of a Job that say how often it starts its pod again, and after what.

    Args:
        limits: How often a trial runs again.
        container: The name of its container.
    """
    if limits is NONE_RUNS_AGAIN:
        return {"backoffLimit": 0}
    memory = 0 if limits.halve else limits.out_of_memory
    count, rules = limits.failed + memory, []
    if limits.lost or count:
        rules.append({"action": "Ignore" if limits.lost else "FailJob", "onPodConditions": [_LOST]})
    if count and not memory:
        rules.append(_fail_on(container, "In", _KILLED, _TERMINATED))
    elif count and not limits.failed:
        rules.append(_fail_on(container, "NotIn", _KILLED))
    return {"backoffLimit": count, **({"podFailurePolicy": {"rules": rules}} if rules else {})}


def _fail_on(container: str, operator: str, *codes: int) -> dict[str, Any]:
    found = {"containerName": container, "operator": operator, "values": [*codes]}
    return {"action": "FailJob", "onExitCodes": found}


def retry_notes(study: Study) -> Iterator[str]:
    """Returns what a user should know about the retries of a study's trials on Katib."""
    limits, kind = study.retry_limits, study.targets.katib.trial_kind
    if limits is NONE_RUNS_AGAIN:
        return
    if limits.lost:
        yield _LOST_NODE[kind]
    if not limits.failed and not limits.out_of_memory:
        return
    if kind != "Job":
        yield _NO_EFFECT[kind]
        return
    if limits.halve:
        yield (
            f"Katib cannot change the values of a trial: it does not halve {limits.halve}, and a trial without memory "
            f"fails, if its container was killed for that"
        )
        if not limits.failed:
            return
    elif limits.failed and limits.out_of_memory:
        yield (
            f"a Job has one counter: a trial runs again up to {limits.failed + limits.out_of_memory} times after "
            f"failures, want of memory and timeouts together"
        )
    elif limits.out_of_memory and study.budget.trial_timeout is not None:
        yield "a Job takes a trial that reached trial_timeout for one without memory: out_of_memory retries both"
    yield (
        "a Job knows want of memory by the exit code 137 only: an error of a GPU or of the program is a failure there"
    )


# Source: training-operator v1.9.4, pkg/controller.v1/common/pod.go: `ExitCode` starts a pod again after any code from
# 128 on, and NumRequeues of its queue is always 0, so that backoffLimit sets no bound. trainer v2.3, JobSpecPatch: a
# TrainJob can change the pods of its runtime's Jobs, but not the Jobs.
_LOST_NODE = {
    "Job": (
        "a Job starts its pod again each time that its node is lost; it does not count how often (preemption.retries, "
        "budget.retries.lost)"
    ),
    "PyTorchJob": (
        "a PyTorchJob fails when its node is lost, since its operator takes that for a failure: "
        "preemption.retries and budget.retries.lost have no effect"
    ),
    "TrainJob": (
        "the runtime of a TrainJob decides what happens when a node is lost: preemption.retries and "
        "budget.retries.lost have no effect; with torch-distributed a trial starts again, as after a failure"
    ),
}
_NO_EFFECT = {
    "PyTorchJob": (
        "a PyTorchJob does not start failed pods again, since its operator sets no bound: budget.retries.failed and "
        "out_of_memory have no effect"
    ),
    "TrainJob": (
        "the runtime of a TrainJob decides how often failed pods start again: budget.retries.failed and out_of_memory "
        "have no effect"
    ),
}
