"""Renders what `targets.argo` says about a run: Argo's own account, what is deleted and when, artifacts, limits."""

from __future__ import annotations

from typing import Any

from kftune.pipeline.targets import ArgoTarget, ArtifactGc, ArtifactRepository, PodGc
from kftune.render.argo.retrying import duration
from kftune.render.rendering import present

_POD_GC = {
    "step_succeeded": "OnPodSuccess",
    "step_ended": "OnPodCompletion",
    "run_succeeded": "OnWorkflowSuccess",
    "run_ended": "OnWorkflowCompletion",
}
_ARTIFACT_GC = {"run_ended": "OnWorkflowCompletion", "run_deleted": "OnWorkflowDeletion", "never": "Never"}


def run_settings(target: ArgoTarget) -> dict[str, Any]:
    """Renders the fields of a Workflow's spec for them; those that the target does not set are empty.

    Args:
        target: The options.
    """
    return {
        **_executor(target),
        "podGC": _pod_gc(target.pod_gc),
        "artifactGC": _artifact_gc(target.artifact_gc),
        "artifactRepositoryRef": _repository(target.artifact_repository),
        "synchronization": _locks(target),
    }


def _executor(target: ArgoTarget) -> dict[str, Any]:
    """Returns the account of Argo's containers, the only ones with a token then: main containers get none."""
    if target.executor_account is None:
        return {}
    return {"executor": {"serviceAccountName": target.executor_account}, "automountServiceAccountToken": False}


def _pod_gc(pods: PodGc | None) -> dict[str, Any] | None:
    if pods is None:
        return None
    delay = None if pods.delay is None else duration(pods.delay)
    return present({"strategy": _POD_GC[pods.when], "deleteDelayDuration": delay})


def _artifact_gc(artifacts: ArtifactGc | None) -> dict[str, Any] | None:
    if artifacts is None:
        return None
    fields = {
        "strategy": _ARTIFACT_GC[artifacts.when],
        "serviceAccountName": artifacts.service_account,
        "forceFinalizerRemoval": artifacts.force or None,
    }
    return present(fields)


def _repository(repository: ArtifactRepository | None) -> dict[str, Any] | None:
    return None if repository is None else present({"configMap": repository.config_map, "key": repository.key})


def _locks(target: ArgoTarget) -> dict[str, Any]:
    semaphores = [{"configMapKeyRef": {"name": each.config_map, "key": each.key}} for each in target.semaphores]
    mutexes = [] if target.mutex is None else [{"name": target.mutex}]
    return present({"mutexes": mutexes, "semaphores": semaphores})
