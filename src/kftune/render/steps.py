"""What the pipeline targets share about a step: its image, its command line and what no target can run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from kftune.errors import RenderError
from kftune.pipeline import Argument, FixedValue, Node, Pipeline, StepConfig, TuneStep
from kftune.pipeline.targets import ArgoTarget
from kftune.render import pods
from kftune.render.command import torchrun_arguments, under_torchrun
from kftune.render.jobs import job_of
from kftune.render.launching import Launching
from kftune.render.line import line_of
from kftune.render.pod_notes import pod_notes
from kftune.render.tuning import tuning_of


def all_nodes(pipeline: Pipeline) -> list[Node]:
    """Returns the steps of a pipeline, its exit step last."""
    plan = pipeline.plan
    return [*plan.nodes.values(), *([] if plan.exit is None else [plan.exit])]


def argo_account(step: StepConfig, target: ArgoTarget) -> str | None:
    """Returns the service account of a step's pods on Argo; None means the namespace's default.

    Args:
        step: The step.
        target: The options of its pipeline.
    """
    launcher = target.launcher_account if step.launches else None
    return step.service_account or launcher or target.service_account


def stop_notes(pipeline: Pipeline, engine: str) -> Iterator[str]:
    """Yields what an engine on a cluster does where a failure is to stop further steps: it lets them start.

    Both engines run on Argo's DAG, which starts a task as soon as those that it depends on allow it. The templates'
    `failFast` is no way out: it counts a failed try as a failure though a retry is due, and a loop with it never ends
    where another task waits for it.

    Source: argo-workflows v4.0.5, run on a cluster, and workflow/controller, checkParallelism and assessDAGPhase;
    kubeflow/pipelines, backend/src/v2/compiler/argocompiler/dag.go, which sets no failFast.

    Args:
        pipeline: The pipeline.
        engine: Its name, for the note.
    """
    stopping = [f"loop {name!r}" for name, loop in pipeline.loops.items() if loop.on_failure == "stop"]
    if pipeline.on_failure == "stop":
        stopping.insert(0, "the pipeline")
    if stopping:
        yield (
            f"{engine} starts every step that does not wait for the failed one: on_failure: stop of "
            f"{' and '.join(stopping)} has no effect there, and the run fails when the other steps have ended"
        )


def steps_notes(nodes: Sequence[Node]) -> list[str]:
    """Returns what the pods of steps need of the cluster."""
    notes = [note for node in nodes for note in pod_notes(node.step, f"step {node.name}")]
    # The object of a step on several nodes has the queue, not a pod.
    if any(node.step.queue for node in nodes if isinstance(node.step, TuneStep) or not node.step.launches):
        notes.append("Kueue admits the pods of steps only if its integration for plain pods is on")
    return notes


def image_of(node: Node) -> str:
    """Returns the image of a step.

    Raises:
        RenderError: It has none, or one that is not resolved.
    """
    owner = f"step {node.name!r}"
    if node.step.launches:
        owner = f"kftune's launcher in {owner} (kftune images init launcher writes its Dockerfile)"
    return pods.image(node.step, owner, f"steps.{node.name}.image or defaults.image")


def launchings_of(pipeline: Pipeline) -> dict[str, Launching]:
    """Returns what kftune's launcher creates, for each step in whose pod it runs.

    Raises:
        RenderError: A step cannot run that way.
    """
    last = pipeline.plan.exit
    if last is not None and last.step.launches:
        raise RenderError(
            f"the exit step runs on one node, but {last.name!r} has {last.step.resources.nodes}; set its "
            f"resources.nodes (instance_count) to 1"
        )
    return {
        node.name: tuning_of(node) if isinstance(node.step, TuneStep) else job_of(node, pipeline.name)
        for node in pipeline.plan.nodes.values()
        if node.step.launches
    }


def command_of(
    node: Node, values: Mapping[str, str], literal: Callable[[str, str], str]
) -> tuple[list[str], list[str]]:
    """Returns what starts the step's program, and the arguments that its values make.

    Args:
        node: The step.
        values: Argument or output -> its text, path or placeholder; an optional one may be missing.
        literal: Escapes a text for the target; its second argument says which text it is.
    """
    unknown = {name for name, given in node.arguments.items() if not _is_known(given, values.get(name))}
    front, rest = line_of(node.step, node.given(values), node.kinds, unknown)
    start = [literal(token, f"an argument of step {node.name!r}") for token in node.step.start]
    launcher = torchrun_arguments(node.step.resources, "Job")
    program = under_torchrun(start, launcher) if launcher else start
    return [*(piece.text for piece in front), *program], [piece.text for piece in rest]


def _is_known(argument: Argument, text: str | None) -> bool:
    return isinstance(argument.source, FixedValue) and argument.source.text == text


def split_command(line: list[str]) -> tuple[list[str], list[str]]:
    """Splits a command line into a container's command and its arguments."""
    first = 3 if line[1:2] in (["-m"], ["-c"]) else 1
    return line[:first], line[first:]
