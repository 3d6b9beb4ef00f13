"""Notes about a pipeline on Argo: what it needs of the cluster, and what has no effect there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kftune.pipeline import Node, Pipeline
from kftune.render.launching import Launching
from kftune.render.steps import argo_account, steps_notes, stop_notes

_SCHEDULED = ("starting_deadline", "keep_succeeded_runs", "keep_failed_runs")


def notes_of(
    pipeline: Pipeline, nodes: list[Node], launchings: Mapping[str, Launching], missing: list[str]
) -> Iterator[str]:
    """Yields what a cluster needs for a pipeline, and what Argo does not do.

    Args:
        pipeline: The pipeline.
        nodes: Its steps.
        launchings: What kftune's launcher creates, by step.
        missing: The parameters without a default.
    """
    yield from _cluster_notes(pipeline, nodes)
    if any(node.step.timeout is not None for node in nodes):
        yield "a step's timeout counts from the creation of its pod: add the time for scheduling and pulling its image"
    yield from stop_notes(pipeline, "Argo")
    yield from _schedule_notes(pipeline)
    if missing:
        yield (
            f"{', '.join(missing)} must be given for each run: argo submit --from workflowtemplate/{pipeline.name} "
            f"-p {missing[0]}=VALUE"
        )
    if any("cache" in node.step.model_fields_set and node.step.cache for node in nodes):
        yield "Argo runs every step again; cache has no effect there"
    yield from steps_notes(nodes)
    for launching in launchings.values():
        yield from launching.notes


def _cluster_notes(pipeline: Pipeline, nodes: list[Node]) -> Iterator[str]:
    yield from _access_notes(pipeline, nodes)
    if any(argument.is_artifact for node in nodes for argument in node.arguments.values()):
        repository = pipeline.targets.argo.artifact_repository
        where = "Argo's configuration" if repository is None else f"the config map {repository.config_map}"
        yield f"steps pass artifacts through the artifact repository of {where}; without one they fail"
    yield (
        "a step's container must not run as root: images need a numeric USER; in a namespace that enforces the "
        "restricted standard, Argo's containers need the image argoexec-nonroot and executor.securityContext"
    )
    for semaphore in pipeline.targets.argo.semaphores:
        yield f"runs wait for the config map {semaphore.config_map}, which holds how many may run in {semaphore.key}"


def _schedule_notes(pipeline: Pipeline) -> Iterator[str]:
    if pipeline.schedule is None:
        for name in _SCHEDULED:
            if getattr(pipeline.targets.argo, name) is not None:
                yield f"targets.argo.{name} has no effect without a schedule"
    if pipeline.schedule is not None and pipeline.schedule.meets_clock_changes:
        yield f"schedule.cron {pipeline.schedule.clock_changes}; choose an hour from 4 on, or UTC"


def _access_notes(pipeline: Pipeline, nodes: list[Node]) -> Iterator[str]:
    """Yields what service accounts need."""
    target = pipeline.targets.argo
    executor = target.executor_account
    rights = "create and patch on workflowtaskresults (argoproj.io)"
    if executor is None:
        yield (
            f"every step's service account needs {rights}; Argo's container in the step's pod uses its token, which "
            f"the step's program can read: targets.argo.executor_account gives Argo's container an account of its own"
        )
    else:
        yield (
            f"the service account {executor} needs {rights}, and a Secret {executor}.service-account-token of type "
            f"kubernetes.io/service-account-token with its token: without it, pods of steps do not start"
        )
    if target.artifact_gc is not None and target.artifact_gc.when != "never":
        yield (
            f"the service account {target.artifact_gc.service_account or 'default'} deletes artifacts; it needs list "
            f"and watch on workflowartifactgctasks, and patch on workflowartifactgctasks/status (argoproj.io)"
        )
    launching = {argo_account(node.step, target) for node in nodes if node.step.launches}
    others = [node for node in nodes if not node.step.launches]
    shared = [node.name for node in others if argo_account(node.step, target) in launching]
    if shared and executor is None:
        yield (
            f"{shared[0]} has the service account of kftune's launcher, so its program may create Experiments or jobs: "
            f"give the launcher an account of its own, targets.argo.launcher_account, or set "
            f"targets.argo.executor_account"
        )
