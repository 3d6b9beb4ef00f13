"""The objects that a run makes on a cluster, by kind, if each pod has one try.

What a controller makes for every Service or pod of a cluster is not counted: EndpointSlices, Events.

Source: katib v0.19.0, pkg/controller.v1beta1/suggestion (Deployment, Service, volume, RBAC of early stopping) and
trial; training-operator v1.9.4, pkg/controller.v1/common/service.go (a Service for each replica); trainer v2.3 and
JobSet (a JobSet with one Job and one Service); Kueue (a Workload for each object with a queue); argo-workflows v4.1,
workflow/executor (a WorkflowTaskResult for each pod); kubeflow/pipelines 2.17, backend/src/v2/compiler/argocompiler
(a driver for the run, each group, each iteration and each step).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from kftune.pipeline import Node, Pipeline, TuneStep
from kftune.render.algorithm import counts, study_search
from kftune.render.entities import check_shared, entity_study
from kftune.render.katib import render_katib
from kftune.render.on_katib import on_katib
from kftune.study import Study


def job_objects(kind: str, nodes: int, *, queued: bool) -> Counter[str]:
    """Returns the objects of one trial, or of a step on several nodes.

    Args:
        kind: Job, PyTorchJob or TrainJob.
        nodes: Its nodes.
        queued: Whether Kueue admits it.
    """
    found = Counter({kind: 1, "Pod": nodes})
    if kind == "PyTorchJob":
        found["Service"] += nodes
    if kind == "TrainJob":
        found.update({"JobSet": 1, "Job": 1, "Service": 1})
    if queued:
        found["Workload"] += 1
    return found


def experiment_objects(study: Study) -> Counter[str]:
    """Returns the objects of a study on Katib.

    Raises:
        RenderError: Katib cannot run it.
    """
    rendered = render_katib(study).documents[0]["spec"]
    there = on_katib(study)
    trials = counts(there, study_search(there)).max_trials
    found = Counter(dict.fromkeys(("Experiment", "Suggestion", "Deployment", "ReplicaSet", "Service", "Pod"), 1))
    if rendered["resumePolicy"] == "FromVolume":
        found["PersistentVolumeClaim"] += 1
    if "earlyStopping" in rendered:
        found.update(("ServiceAccount", "Role", "RoleBinding"))
    step = study.step
    one = job_objects(study.targets.katib.trial_kind, step.resources.nodes, queued=step.queue is not None)
    found.update({"Trial": trials, **{kind: count * trials for kind, count in one.items() if kind not in found}})
    for kind in one.keys() & {"Pod", "Service"}:
        found[kind] += one[kind] * trials
    return found


def experiments_objects(study: Study) -> Counter[str]:
    """Returns the objects of a study on Katib: with entities, those of the Experiments of all of them.

    Raises:
        RenderError: Katib cannot run it.
    """
    each = study.for_each
    if each is None:
        return experiment_objects(study)
    check_shared(study, each)
    first, *others = each.entities
    one = experiment_objects(entity_study(study, first))
    return Counter({kind: count * (1 + len(others)) for kind, count in one.items()})


def argo_objects(pipeline: Pipeline, runs: Mapping[str, int]) -> Counter[str]:
    """Returns the objects of one run on Argo Workflows.

    Args:
        pipeline: The pipeline.
        runs: Step -> how often it runs.

    Raises:
        RenderError: Katib cannot run a study of it.
    """
    found = Counter({"Workflow": 1})
    for node in _nodes(pipeline):
        found.update({"Pod": runs[node.name], "WorkflowTaskResult": runs[node.name]})
        found.update(_launched(node, runs[node.name]))
        if node.step.queue is not None and not node.step.launches:
            found["Workload"] += runs[node.name]
    return found


def kfp_objects(pipeline: Pipeline, runs: Mapping[str, int], items: Mapping[str, int]) -> Counter[str]:
    """Returns the objects of one run on Kubeflow Pipelines, without cached steps.

    Args:
        pipeline: The pipeline.
        runs: Step -> how often it runs.
        items: Loop -> the number of its items.

    Raises:
        RenderError: KFP, or Katib, cannot run it.
    """
    from kftune.render.kfp.groups import Block, Placing  # noqa: PLC0415  # a study needs none of it

    def drivers(block: Block, times: int) -> int:
        """Returns the drivers of the groups in a block that runs some times."""
        count = 0
        for item in block.items:
            if not isinstance(item, Block) or item.group is None:
                continue
            inner = times * items[item.group.name] if item.group.kind == "loop" else times
            count += times + (inner if item.group.kind == "loop" else 0) + drivers(item, inner)
        return count

    pods = 1 + drivers(Placing(pipeline).block(), 1) + (1 if pipeline.exit is not None else 0)
    found = Counter({"Workflow": 1})
    for node in _nodes(pipeline):
        pods += 2 * runs[node.name]
        found.update(_launched(node, runs[node.name]))
    found.update({"Pod": pods, "WorkflowTaskResult": pods})
    return found


def _nodes(pipeline: Pipeline) -> list[Node]:
    plan = pipeline.plan
    return [*plan.nodes.values(), *([] if plan.exit is None else [plan.exit])]


def _launched(node: Node, runs: int) -> dict[str, int]:
    """Returns the objects that the launcher of a step makes, in all its runs."""
    step = node.step
    if isinstance(step, TuneStep):
        one = experiment_objects(step.study)
    elif step.launches and step.job is not None:
        one = job_objects(step.job.kind, step.resources.nodes, queued=step.queue is not None)
    else:
        return {}
    return {kind: count * runs for kind, count in one.items()}
