"""What a run of a pipeline costs: its steps, the trials of its tune steps, and the nodes of its jobs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from kftune.cost.estimate import Estimate, Line
from kftune.cost.objects import argo_objects, kfp_objects
from kftune.cost.of_study import NO_PRICES, OF_CLUSTER, trial_count, trials_line
from kftune.cost.times import UNKNOWN, Times
from kftune.errors import RenderError
from kftune.pipeline import Node, Pipeline, TuneStep
from kftune.spec.container import Resources
from kftune.spec.prices import PriceTable, node_type_of


class PipelineTimes(NamedTuple):
    """The times of a pipeline's parts."""

    steps: Mapping[str, Times]
    """Step -> the time of one run; of a tune step that of one trial."""
    items: Mapping[str, int]
    """Loop -> the number of its items, where only a run knows it."""


def pipeline_estimate(pipeline: Pipeline, times: PipelineTimes, table: PriceTable | None) -> Estimate:
    """Returns what one run of a pipeline takes and costs, if no step is skipped or taken from an earlier run.

    Args:
        pipeline: The pipeline.
        times: The times of its steps.
        table: The price table; None without one.
    """
    found = _Parts(pipeline, times, table)
    plan = pipeline.plan
    nodes = [*plan.nodes.values(), *([] if plan.exit is None else [plan.exit])]
    lines = tuple(line for node in nodes for line in found.of(node))
    items = {name: found.items(name) for name in pipeline.loops}
    unknown = [
        f"the number of items of loop {name}, which only a run knows; give --items {name}=NUMBER"
        for name, count in items.items()
        if count is None
    ]
    objects: dict[str, Counter[str]] = {}
    if not unknown:
        known = {name: count or 0 for name, count in items.items()}
        runs = {node.name: found.runs(node) or 0 for node in nodes}
        engines: dict[str, Callable[[], Counter[str]]] = {
            "argo": lambda: argo_objects(pipeline, runs),
            "kfp": lambda: kfp_objects(pipeline, runs, known),
        }
        for engine, counted in engines.items():
            try:
                objects[engine] = counted()
            except RenderError as error:
                unknown.append(f"pods and objects on {engine}, which cannot run it: {error}")
    skipped = [node.name for node in nodes if node.skippable]
    return Estimate(
        name=pipeline.name,
        lines=lines,
        objects=objects,
        table=table,
        unknown=tuple(unknown),
        not_counted=(OF_CLUSTER, *([f"conditions: {', '.join(skipped)} may be skipped"] if skipped else [])),
    )


class _Parts:
    """Makes the lines of a pipeline's steps."""

    def __init__(self, pipeline: Pipeline, times: PipelineTimes, table: PriceTable | None) -> None:
        self._pipeline = pipeline
        self._times = times
        self._table = table

    def items(self, loop: str) -> int | None:
        """Returns the number of a loop's items; None if only a run knows it."""
        entries = self._pipeline.loops[loop].entries
        return self._times.items.get(loop) if entries is None else len(entries)

    def runs(self, node: Node) -> int | None:
        """Returns how often a step runs."""
        return 1 if node.loop is None else self.items(node.loop)

    def of(self, node: Node) -> Iterator[Line]:
        """Yields the lines of a step."""
        step, times = node.step, self._times.steps.get(node.name, UNKNOWN)
        shared = self._pipeline.defaults.instance_type
        missing = f"it has not run yet, so its time is unknown; give --step-time {node.name}=DURATION"
        problem = (missing,) if times.mean is None else ()
        if isinstance(step, TuneStep):
            study, launched = step.study, f"{node.name}: trials"
            trials = trials_line(launched, study, times, self._table, runs=self.runs(node), node_type=shared)
            mean = None if times.mean is None else times.mean * trial_count(study) / study.budget.at_once
            yield self._line(node, "launcher", Times(mean, times.source, times.where), _Pods(step.resources, 1))
            yield trials
            return
        if step.launches and step.job is not None:
            yield self._line(node, "launcher", times, _Pods(step.job.resources, 1))
        pods = _Pods(step.resources, step.resources.nodes, node_type_of(step, shared))
        yield self._line(node, "nodes" if step.launches else "", times, pods, problem)

    def _line(self, node: Node, part: str, times: Times, pods: _Pods, problem: tuple[str, ...] = ()) -> Line:
        step, pipeline = node.step, self._pipeline
        limits = [limit for limit in (step.timeout, pipeline.timeout) if limit is not None]
        if not limits:
            problem += (f"it has no longest time; give steps.{node.name}.timeout, or a timeout of the pipeline",)
        return Line(
            name=f"{node.name}: {part}" if part else node.name,
            runs=self.runs(node),
            tries=1 + step.retries.limit + step.preemption.retries,
            pods=pods.number,
            resources=pods.resources,
            times=times,
            longest=min(limits) + step.grace_period if limits else None,
            rate=NO_PRICES if self._table is None else self._table.rate(pods.resources, pods.node_type),
            unknown=problem,
        )


class _Pods(NamedTuple):
    """The pods of one run of a step."""

    resources: Resources
    number: int
    node_type: str | None = None
