"""Renders a pipeline for KFP: as the file for its UI and API, or as objects for `kubectl apply`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from kftune.errors import MissingExtraError, RenderError
from kftune.katib.go.names import MOST_ANNOTATION_BYTES
from kftune.pipeline import Pipeline
from kftune.render.launching import Launching
from kftune.render.names import object_metadata
from kftune.render.rendering import Rendering
from kftune.render.size import needs_server_side, size_of
from kftune.render.steps import all_nodes, launchings_of, steps_notes, stop_notes

# Source: etcd (--max-request-bytes, 1.5 MiB). KFP 2.17 makes a Workflow of 2.1 times the size of a pipeline's IR
# (measured: 257 KB from 121 KB), and Argo adds the states of the run's nodes: half of the object is left for them.
LARGEST_IR = 370_000
# Source: kubeflow/pipelines 12131.
_MANY_ITEMS = 450


def render_kfp(pipeline: Pipeline) -> Rendering:
    """Renders the pipeline's IR, for an upload in KFP's UI or for `kfp.Client`.

    Raises:
        RenderError: KFP cannot run the pipeline; the message says what, why and what works.
    """
    launchings = launchings_of(pipeline)
    documents = _compiled(pipeline, launchings)
    size = sum(map(size_of, documents))
    if size > LARGEST_IR:
        raise RenderError(
            f"a pipeline for KFP must not exceed {LARGEST_IR} bytes, because KFP stores a run in one object of at most "
            f"1.5 MiB, but this one has {size}; put long values into files or ConfigMaps, use a loop over a file's "
            f"entries instead of many steps, or split the pipeline"
        )
    return Rendering(documents, _notes(pipeline, launchings))


def render_kfp_objects(pipeline: Pipeline) -> Rendering:
    """Renders `Pipeline` and `PipelineVersion` objects, for KFP that stores pipelines in Kubernetes.

    A version is immutable, so its name holds a hash of its content.

    Raises:
        RenderError: KFP cannot run the pipeline; the message says what, why and what works.
    """
    rendering = render_kfp(pipeline)
    spec, *platform = rendering.documents
    metadata = object_metadata(pipeline.name, pipeline.targets.kfp)
    described = {"description": " ".join(pipeline.description.split())} if pipeline.description else {}
    version = {"pipelineName": pipeline.name, **described, "pipelineSpec": spec}
    if platform:
        version["platformSpec"] = platform[0]
    text = json.dumps(version, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    content = hashlib.sha256(text.encode()).hexdigest()[:10]
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
    if (size := size_of(version)) > MOST_ANNOTATION_BYTES:
        notes.append(needs_server_side("PipelineVersion", pipeline.name, size))
    return Rendering(objects, notes)


def _compiled(pipeline: Pipeline, launchings: dict[str, Launching]) -> list[dict[str, Any]]:
    try:
        from kftune.render.kfp.compiling import compiled  # noqa: PLC0415  # kfp takes half a second to import
    except ImportError as error:
        raise MissingExtraError("kfp", error.name or "kfp") from error
    return compiled(pipeline, launchings)


_API = "pipelines.kubeflow.org/v2beta1"


def _account_note(of_run: str | None, of_steps: set[str | None]) -> Iterator[str]:
    """Yields which service account to choose: that of the run has the rights of all that the steps name."""
    others = ", ".join(repr(account) for account in sorted(filter(None, of_steps - {of_run})))
    if of_run is not None:
        which = repr(of_run)
        needs = f", and give it the rights of {others} too, which the steps name" if others else ""
    elif "," in others:
        which, needs = f"one that has the rights of all of {others}", ""
    elif others:
        which, needs = others, ""
    else:
        return
    yield f"KFP runs all steps as the service account of the run: choose {which} when you start a run{needs}"


def _notes(pipeline: Pipeline, launchings: dict[str, Launching]) -> list[str]:
    notes = [note for launching in launchings.values() for note in launching.notes]
    if pipeline.schedule is not None:
        notes.append("KFP has no object for a schedule: create a recurring run of this pipeline in its UI")
    if pipeline.parallel is not None:
        notes.append("KFP has no limit for the steps of a run: parallel has no effect, except that of each loop")
    notes += stop_notes(pipeline, "KFP")
    target = pipeline.targets.kfp
    if pipeline.timeout is not None and target.version != "2.17":
        notes.append(f"KFP {target.version} has no time limit for a run: timeout has no effect")
    nodes = all_nodes(pipeline)
    notes += _account_note(target.service_account, {node.step.service_account for node in nodes})
    for name, loop in pipeline.loops.items():
        if loop.entries is not None and len(loop.entries) > _MANY_ITEMS:
            notes.append(
                f"loop {name!r} has {len(loop.entries)} items; KFP stores the states of all in one object and is known "
                f"to fail from about 475 on; split the items into several runs"
            )
    notes += steps_notes(all_nodes(pipeline))
    if any(node.step.preemption.retries for node in all_nodes(pipeline)):
        notes.append("KFP does not tell a lost node from a failure: preemption.retries also retries failures")
    return notes
