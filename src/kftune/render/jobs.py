"""Renders what a step on several nodes runs on a cluster: kftune's launcher, and the object that it creates."""

from __future__ import annotations

from typing import Any

from kftune.errors import RenderError
from kftune.pipeline import EXECUTOR_OUTPUT, Node, StepConfig
from kftune.pipeline.job import Job
from kftune.render import pods
from kftune.render.command import Texts, script, torchrun_arguments
from kftune.render.launching import Launching, artifacts_of, mark, run_values_of, shared_volume, texts_of
from kftune.render.names import object_name
from kftune.render.trials import KINDS, Work, object_of
from kftune.spec.container import ContainerSettings
from kftune.spec.pod import Security, Volume
from kftune.study import Step

# What the launcher's pod has of the step. All else is for the nodes' pods.
_OF_LAUNCHER = frozenset(
    {
        "annotations",
        "grace_period",
        "image_pull_policy",
        "image_pull_secrets",
        "labels",
        "preemption",
        "service_account",
    }
)


def job_of(node: Node, pipeline: str) -> Launching:
    """Renders what a step on several nodes runs.

    Args:
        node: The step.
        pipeline: The name of its pipeline.

    Raises:
        RenderError: It does not say what runs it, or that cannot express the step.
    """
    step, job = node.step, node.step.job
    if job is None:
        raise RenderError(
            f"a step's own pod is on one node, but step {node.name!r} has {step.resources.nodes}; set its job to what "
            f"runs it on several, for example {{kind: PyTorchJob, launcher: images/launcher}}, or set resources.nodes "
            f"(instance_count) to 1"
        )
    outputs = (*node.outputs, *((EXECUTOR_OUTPUT,) if step.has_executor_output else ()))
    artifacts = artifacts_of(node.arguments)
    volume = shared_volume(node, (*artifacts, *node.outputs), "the nodes")
    work = Work(
        step=_nodes(step, job, f"step {node.name!r}"),
        kind=job.kind,
        group=pipeline,
        runtime=job.runtime,
        runtime_kind=job.runtime_kind,
        is_trial=False,
        key="job.kind",
        runtime_key="job.runtime",
    )
    texts = {**texts_of(node.arguments), **{name: mark(name) for name in outputs}}
    try:
        unknown = {name for name, text in texts.items() if text == mark(name)}
        given = Texts(texts, marks=unknown, kinds=node.kinds)
        line = script(work.step, given, torchrun_arguments(step.resources, job.kind))
        made = object_of(work, line)
    except RenderError as error:
        raise RenderError(f"step {node.name!r}: {error}") from error
    metadata = {"name": object_name(f"{pipeline}-{node.name}"), **made.get("metadata", {})}
    return Launching(
        node=node.with_step(_launcher(step, job, volume)),
        flag="job",
        object={"apiVersion": made["apiVersion"], "kind": made["kind"], "metadata": metadata, "spec": made["spec"]},
        run_values=run_values_of(node.arguments),
        artifacts=artifacts,
        outputs=outputs,
        share=None if volume is None else volume.mount,
        further={},
        notes=[f"{node.name}: {note}" for note in _notes(job)],
    )


def _notes(job: Job) -> list[str]:
    group = KINDS[job.kind].api_version.partition("/")[0]
    return [
        f"its service account needs create, delete and get on {job.kind.lower()}s ({group}), list and watch on pods, "
        f"and get on pods/log"
    ]


def _nodes(step: StepConfig, job: Job, owner: str) -> Step:
    """Returns the container of each node."""
    given: dict[str, Any] = {
        name: getattr(step, name)
        for name in Step.model_fields
        if name in step.model_fields_set and name in type(step).model_fields and name != "name"
    }
    labels = {pods.JOB_TYPE_LABEL: step.job_type, **step.labels}
    image = pods.image(step, owner, "image of the step")
    return Step(**{**given, "image": image, "labels": labels, "service_account": job.service_account})


def _launcher(step: StepConfig, job: Job, volume: Volume | None) -> StepConfig:
    """Returns the step with the container of the launcher in place of its own."""
    own = {
        name: field.get_default(call_default_factory=True)
        for name, field in ContainerSettings.model_fields.items()
        if name not in _OF_LAUNCHER
    }
    wanted = step.security
    security = Security(
        run_as_user=wanted.run_as_user,
        run_as_group=wanted.run_as_group,
        fs_group=wanted.fs_group,
        run_as_non_root=wanted.run_as_non_root,
    )
    own |= {
        "image": job.launcher,
        "resources": job.resources,
        "security": security,
        "volumes": () if volume is None else (volume,),
        "preemption": step.preemption.model_copy(update={"spot": False}),
    }
    return step.model_copy(update=own)
