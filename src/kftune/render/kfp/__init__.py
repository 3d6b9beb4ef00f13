"""The KFP target: a pipeline as the file that KFP's page and API take, or as objects for `kubectl apply`."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from kftune.errors import MissingExtraError, RenderError
from kftune.pipeline import Pipeline, TuneStep
from kftune.render.names import object_metadata
from kftune.render.rendering import Rendering
from kftune.render.steps import all_nodes
from kftune.render.tuning import Tuning, tuning_of

# Source: etcd (--max-request-bytes, 1.5 MiB). KFP 2.17 makes a Workflow of 2.1 times the size of a pipeline's IR
# (measured: 121 KB give 257 KB), and Argo adds the states of the nodes in the run: half is left for them.
LARGEST_IR = 370_000
# Source: kubernetes, apimachinery (ValidateAnnotations): all annotations together; kubectl apply keeps a copy there.
_LARGEST_ANNOTATIONS = 262_144
# Source: kubeflow/pipelines 12131.
_MANY_ITEMS = 450


def render_kfp(pipeline: Pipeline) -> Rendering:
    """The pipeline's IR: upload it on KFP's page, or give it to `kfp.Client`.

    Raises:
        RenderError: KFP cannot run the pipeline so; the text names what, why and a way that works.
    """
    tunings = {name: tuning_of(node) for name, node in pipeline.plan.nodes.items() if isinstance(node.step, TuneStep)}
    documents = _compiled(pipeline, tunings)
    size = sum(len(_compact(document)) for document in documents)
    if size > LARGEST_IR:
        raise RenderError(
            f"KFP keeps a run in one object of at most 1.5 MiB, for which a pipeline may have {LARGEST_IR} bytes, but "
            f"this one has {size}; put long values into files or ConfigMaps, loop over a file's entries instead of "
            f"writing steps out, or split the pipeline in two"
        )
    return Rendering(documents, _notes(pipeline, tunings))


def render_kfp_objects(pipeline: Pipeline) -> Rendering:
    """The same as `Pipeline` and `PipelineVersion` objects, for KFP that keeps pipelines in Kubernetes.

    A version cannot be changed once it is there, so its name has a hash of all that it holds.

    Raises:
        RenderError: KFP cannot run the pipeline so.
    """
    rendering = render_kfp(pipeline)
    spec, *platform = rendering.documents
    metadata = object_metadata(pipeline.name, pipeline.targets.kfp)
    described = {"description": " ".join(pipeline.description.split())} if pipeline.description else {}
    version = {
        "pipelineName": pipeline.name,
        **described,
        "pipelineSpec": spec,
        **({"platformSpec": platform[0]} if platform else {}),
    }
    content = hashlib.sha256(_compact(version).encode()).hexdigest()[:10]
    objects = [
        {"apiVersion": _API, "kind": "Pipeline", "metadata": metadata, "spec": described},
        {
            "apiVersion": _API,
            "kind": "PipelineVersion",
            "metadata": {**metadata, "name": f"{pipeline.name}-{content}"},
            "spec": version,
        },
    ]
    notes = list(rendering.notes)
    if len(_compact(objects[1])) > _LARGEST_ANNOTATIONS:
        notes.append("the PipelineVersion is too large for plain kubectl apply: use kubectl apply --server-side")
    return Rendering(objects, notes)


def _compiled(pipeline: Pipeline, tunings: dict[str, Tuning]) -> list[dict[str, Any]]:
    try:
        from kftune.render.kfp.compiling import compiled  # noqa: PLC0415  # kfp takes half a second to import
    except ImportError as error:
        raise MissingExtraError("kfp", error.name or "kfp") from error
    return compiled(pipeline, tunings)


_API = "pipelines.kubeflow.org/v2beta1"


def _notes(pipeline: Pipeline, tunings: dict[str, Tuning]) -> list[str]:
    notes = [note for tuning in tunings.values() for note in tuning.notes]
    if pipeline.schedule is not None:
        notes.append("KFP has no object for a schedule: create a recurring run of this pipeline on its page")
    if pipeline.parallel is not None:
        notes.append("KFP has no limit for the steps of a run: parallel has no effect, the loops' own have")
    target = pipeline.targets.kfp
    if pipeline.timeout is not None and target.version != "2.17":
        notes.append(f"KFP {target.version} has no longest time for a run: timeout has no effect")
    nodes = all_nodes(pipeline)
    accounts = sorted({node.step.service_account for node in nodes if node.step.service_account})
    if accounts or target.service_account:
        named = target.service_account or accounts[0]
        notes.append(f"KFP runs all steps as the service account of the run: choose {named!r} when you start one")
    for name, loop in pipeline.loops.items():
        if loop.entries is not None and len(loop.entries) > _MANY_ITEMS:
            notes.append(
                f"loop {name!r} has {len(loop.entries)} items, and KFP keeps the states of all in one object, which "
                f"is known to fail from some 475 on; split the items over several runs"
            )
    return notes


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
