"""Renders a pipeline for Argo Workflows: a WorkflowTemplate, a Workflow, and a CronWorkflow if it has a schedule.

`docs/guides/argo.md` lists what Argo's linter accepts and its controller then fails on; a rendering has none of it.
Source: argo-workflows v4.1.2, linter and controller, run.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import Any

from kftune.errors import RenderError
from kftune.pipeline import Node, Pipeline
from kftune.pipeline.ports import text_of
from kftune.pipeline.targets import ArgoTarget
from kftune.render.argo.container import POD_SECURITY, ports, shown_outputs, step_template
from kftune.render.argo.dag import EXIT, MAIN, dag_templates, relies_on_absence
from kftune.render.argo.notes import notes_of
from kftune.render.argo.settings import run_settings
from kftune.render.argo.size import check_counts, check_run, check_size
from kftune.render.argo.text import carried
from kftune.render.launching import Launching
from kftune.render.names import object_metadata
from kftune.render.rendering import Rendering, present, whole_seconds
from kftune.render.steps import all_nodes, launchings_of

_API = "argoproj.io/v1alpha1"
_DESCRIPTION = "workflows.argoproj.io/description"
# Source: argo-workflows, pull request 16223: since then the output of a skipped step counts as missing.
_FIXED_IN = {"3.7": "3.7.16", "4.0": "4.0.7"}


def render_argo(pipeline: Pipeline) -> Rendering:
    """Renders the objects that run a pipeline.

    Raises:
        RenderError: Argo cannot express the pipeline; the message says what, why and what works.
    """
    _check_names(pipeline)
    nodes = all_nodes(pipeline)
    launchings = launchings_of(pipeline)
    lacking = relies_on_absence(pipeline)
    if lacking is not None and pipeline.targets.argo.version == "3.6":
        raise RenderError(
            f"Argo 3.6 has no defaults for outputs of skipped steps, which step {lacking!r} needs; set "
            f"targets.argo.version to 3.7 or newer if the cluster has it, or remove the conditions before that step"
        )
    spec = _spec(pipeline, nodes, launchings)
    check_counts(spec["templates"])
    check_run(spec, *_weight(pipeline))
    metadata = _metadata(pipeline)
    documents = [{"apiVersion": _API, "kind": "WorkflowTemplate", "metadata": metadata, "spec": spec}]
    missing = [name for name, parameter in pipeline.run_parameters.items() if parameter.value is None]
    documents += _cron_workflow(pipeline, metadata, missing)
    # With its own spec, so that it also runs where the user may not create a template.
    created = [] if missing else [_workflow(pipeline, metadata, copy.deepcopy(spec))]
    notes = [note for document in documents for note in check_size(document)]
    if lacking is not None and pipeline.targets.argo.version in _FIXED_IN:
        notes.append(
            f"{lacking} gets a default when another step is skipped; this needs Argo "
            f"{_FIXED_IN[pipeline.targets.argo.version]} or newer: older versions pass an empty text, or hang"
        )
    return Rendering(documents, [*notes, *notes_of(pipeline, nodes, launchings, missing)], created)


def _check_names(pipeline: Pipeline) -> None:
    """Rejects names that Argo's tags use: ``{{workflow.parameters.json}}``, ``{{tasks.name}}``."""
    for what, names, taken, other in (
        ("parameter", pipeline.run_parameters, "json", "json_text"),
        ("step", pipeline.steps, "name", "make-name"),
        ("loop", pipeline.loops, "name", "names"),
    ):
        if taken in names:
            raise RenderError(f"Argo reserves the name {taken!r}; rename the {what}, for example to {other}")


def _metadata(pipeline: Pipeline) -> dict[str, Any]:
    metadata = object_metadata(pipeline.name, pipeline.targets.argo)
    if pipeline.description:
        metadata.setdefault("annotations", {}).setdefault(_DESCRIPTION, pipeline.description)
    return metadata


def _spec(pipeline: Pipeline, nodes: list[Node], launchings: Mapping[str, Launching]) -> dict[str, Any]:
    target = pipeline.targets.argo
    kept = {"secondsAfterSuccess": target.keep_succeeded, "secondsAfterFailure": target.keep_failed}
    shown = shown_outputs(nodes)
    steps = [step_template(node, pipeline, launchings.get(node.name), shown) for node in nodes]
    spec = {
        "entrypoint": MAIN,
        "onExit": EXIT if pipeline.plan.exit is not None else None,
        "arguments": ports(("parameters", _parameter(name, given)) for name, given in pipeline.run_parameters.items()),
        "serviceAccountName": target.service_account,
        "securityContext": POD_SECURITY,
        "activeDeadlineSeconds": whole_seconds(pipeline.timeout),
        "parallelism": pipeline.parallel,
        "ttlStrategy": present({key: whole_seconds(seconds) for key, seconds in kept.items()}),
        **run_settings(target),
        "workflowMetadata": present({"labels": dict(target.labels)}),
        "templates": [*dag_templates(pipeline), *steps],
    }
    return present(spec)


def _parameter(name: str, parameter: Any) -> dict[str, Any]:
    written: dict[str, Any] = {"name": name}
    if parameter.description:
        # Argo replaces tags here too; a description may be changed without harm.
        written["description"] = parameter.description.replace("{{", "{ {")
    if parameter.value is not None:
        written["value"] = carried(text_of(parameter.value), f"the default of parameter {name!r}")
        if parameter.type == "bool":
            written["enum"] = ["true", "false"]
    return written


def _cron_workflow(pipeline: Pipeline, metadata: Mapping[str, Any], missing: list[str]) -> list[dict[str, Any]]:
    schedule = pipeline.schedule
    if schedule is None:
        return []
    if missing:
        raise RenderError(
            f"a pipeline with a schedule needs a default for every parameter, but {missing[0]!r} has none; "
            f"add one, or remove schedule"
        )
    spec = {
        "schedules": [schedule.cron],
        "timezone": schedule.timezone,
        "concurrencyPolicy": schedule.concurrency.capitalize(),
        **_history(pipeline.targets.argo),
        **present({"startingDeadlineSeconds": whole_seconds(pipeline.targets.argo.starting_deadline)}),
        **({"suspend": True} if schedule.suspend else {}),
        "workflowSpec": {"workflowTemplateRef": {"name": pipeline.name}},
    }
    return [{"apiVersion": _API, "kind": "CronWorkflow", "metadata": copy.deepcopy(metadata), "spec": spec}]


def _history(target: ArgoTarget) -> dict[str, int]:
    """Returns how many runs of a schedule are kept, if the target says so: Argo keeps the last 3 and 1 otherwise."""
    kept = {
        "successfulJobsHistoryLimit": _runs(target.keep_succeeded_runs, target.keep_succeeded),
        "failedJobsHistoryLimit": _runs(target.keep_failed_runs, target.keep_failed),
    }
    return present(kept)


def _runs(count: int | None, seconds: float | None) -> int | None:
    # A schedule starts a run each minute at most.
    return count if count is not None or seconds is None else math.ceil(seconds / 60)


def _workflow(pipeline: Pipeline, metadata: Mapping[str, Any], spec: dict[str, Any]) -> dict[str, Any]:
    kept = {key: metadata[key] for key in ("namespace", "labels") if key in metadata}
    own = {"generateName": f"{pipeline.name}-", **copy.deepcopy(kept)}
    return {"apiVersion": _API, "kind": "Workflow", "metadata": own, "spec": spec}


def _weight(pipeline: Pipeline) -> tuple[int, int]:
    """Returns the number of nodes of a run, and the bytes of its loops' items, where they are known before the run."""
    count, size = 1, 0
    for node in pipeline.plan.nodes.values():
        entries = () if node.loop is None else pipeline.loops[node.loop].entries or ()
        times = 1 if node.loop is None else len(entries)
        count += times * (2 if node.step.retries.limit or node.step.preemption.retries else 1)
    for name, loop in pipeline.loops.items():
        entries = loop.entries or ()
        # The loop, its items, and the check of each list that it gives.
        count += 1 + len(entries) + sum(len(pipeline.node(step).outputs) for step in pipeline.members(name))
        texts = sum(len(text_of(entry)) for entry in entries)
        size += texts * (1 + len(pipeline.members(name)))
    return count, size
