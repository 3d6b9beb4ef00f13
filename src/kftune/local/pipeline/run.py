"""`run_pipeline`: runs a pipeline on this machine."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from kftune._version import __version__
from kftune.errors import RunError
from kftune.local.pipeline.cache import Cache
from kftune.local.pipeline.engine import PipelineEngine, RunState
from kftune.local.pipeline.events import PipelineStarted
from kftune.local.pipeline.folder import PipelineFolder, PipelineRunFolder
from kftune.local.pipeline.graph import Graph
from kftune.local.pipeline.steps import PipelineSteps
from kftune.local.processes.interrupts import Interrupts
from kftune.local.processes.limits import within_limits
from kftune.local.processes.process import INTERRUPTED
from kftune.local.processes.runners import ContainerRunner, ProcessRunner
from kftune.local.processes.start import Runtime
from kftune.local.study.audience import Audience
from kftune.local.study.events import Note, OnEvent, now
from kftune.pipeline import Pipeline
from kftune.results.lock import take_lock


class PipelineOutcome(NamedTuple):
    """How a run ended.

    Attributes:
        state: Succeeded, Failed or Interrupted.
        message: The state as a sentence.
        folder: Where all files of the run are.
        results: Outputs of the last steps, and every model outside of loops: step -> output -> value, or path of an
            artifact.
    """

    state: RunState
    message: str
    folder: Path
    results: Mapping[str, Mapping[str, Any]]

    @property
    def exit_code(self) -> int:
        """The exit code for a command: 0 done, 1 failed, 130 interrupted."""
        return {"Succeeded": 0, "Failed": 1, "Interrupted": INTERRUPTED}[self.state]


def run_pipeline(
    pipeline: Pipeline,
    folder: str | Path,
    parameters: Mapping[str, Any] | None = None,
    *,
    pipeline_path: str | Path | None = None,
    runtime: Runtime = "process",
    images: Mapping[str, str] | None = None,
    parallel: int | None = None,
    on_event: OnEvent | None = None,
    fresh: bool = False,
) -> PipelineOutcome:
    """Runs a pipeline here.

    The latest run of the same pipeline, parameters and runtime is resumed if it has not succeeded: its finished steps
    stay. Otherwise a new run starts, which takes the results of steps from earlier runs where nothing has changed.

    Args:
        pipeline: The pipeline.
        folder: Where its runs go.
        parameters: Run parameter -> value, of its type; the others have their defaults.
        pipeline_path: Its file: steps run in its folder, and find its modules. None takes the current folder.
        runtime: Whether steps are processes, or containers of their image.
        images: For containers, image in the file -> the one to run here (``images/NAME`` is one of the project); under
            the empty name, the one for all others.
        parallel: How many steps run at the same time; None takes the pipeline's own, or the number of cores.
        on_event: Called with each event.
        fresh: Start a new run, and take nothing from earlier ones, also when it is resumed.

    Raises:
        RunError: The pipeline cannot run here.
        StoreError: Another run writes to the folder.
        ContainerError: No container engine answers, or an image is missing.
    """
    if images and runtime == "process":
        raise RunError("images are for steps in containers, but these are processes; ask for the runtime container")
    values = _with_defaults(pipeline, parameters or {})
    place = Path.cwd() if pipeline_path is None else Path(pipeline_path).resolve().parent
    at_once = parallel or pipeline.parallel or os.cpu_count() or 1
    interrupts = Interrupts()
    emit = Audience(on_event, interrupts)
    graph = Graph(pipeline, values)
    files = PipelineFolder(Path(folder).resolve())
    content = [pipeline.content_hash(), values, runtime, dict(images or {})]
    identity = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    lock = take_lock(files.lock)
    runner: ProcessRunner | None = None
    try:
        earlier = None if fresh else files.unfinished(identity)
        run, meta = earlier or _new_run(files, pipeline, identity, {"parameters": values, "runtime": runtime})
        meta["version"] = __version__
        # A resumed run stays as it was begun: what it has not done yet is not taken from older runs either.
        meta["fresh"] = fresh or meta.get("fresh", False)
        runner = ContainerRunner(place, images) if runtime == "container" else ProcessRunner()
        runner.tell = lambda note: emit(Note(note))
        runner.patience.asked_to_stop = lambda: interrupts.count > 0
        steps = PipelineSteps(pipeline, run, place, at_once, runner)
        at_once = within_limits(at_once, steps.notes, "steps")
        steps.check()
        steps.remove_leftovers()
        run.write({**meta, "state": "Running"})
        emit(
            PipelineStarted(
                pipeline=pipeline.name,
                run=run.name,
                folder=str(run.path),
                runtime=runtime,
                parallel=at_once,
                parameters=values,
                steps=_step_counts(pipeline, graph),
                resumed=earlier is not None,
            )
        )
        if earlier is not None:
            fresh_too = " and was begun with --fresh, so it takes nothing from earlier runs" if meta["fresh"] else ""
            emit(Note(f"resuming run {run.name}, which has not succeeded{fresh_too} (--fresh starts over)"))
        cache = Cache(files, run, emit, use=not meta["fresh"])
        ended = PipelineEngine(
            pipeline, graph, run, steps, cache, parallel=at_once, interrupts=interrupts, emit=emit
        ).run()
        results = graph.results()
        states = {task.name: task.state for task in graph.all}
        end = {"state": ended.state, "message": ended.message, "ended": now(), "steps": states, "results": results}
        run.write({**meta, **end})
        emit.raise_error()
        return PipelineOutcome(ended.state, ended.message, run.path, results)
    finally:
        if runner is not None:
            runner.close()
        os.close(lock)


def _new_run(
    files: PipelineFolder, pipeline: Pipeline, identity: str, settings: Mapping[str, Any]
) -> tuple[PipelineRunFolder, dict[str, Any]]:
    run = files.new_run(identity)
    meta = {"pipeline": pipeline.name, "run": run.name, "identity": identity, "content_hash": pipeline.content_hash()}
    return run, {**meta, **settings, "created": now()}


def _step_counts(pipeline: Pipeline, graph: Graph) -> dict[str, int | None]:
    counts = {name: None if tasks is None else len(tasks) for name, tasks in graph.tasks.items()}
    return counts if pipeline.plan.exit is None else {**counts, pipeline.plan.exit.name: 1}


def _with_defaults(pipeline: Pipeline, given: Mapping[str, Any]) -> dict[str, Any]:
    """Returns every run parameter with its value.

    Raises:
        RunError: One without a default is not given.
    """
    values = {name: given.get(name, parameter.value) for name, parameter in pipeline.run_parameters.items()}
    missing = [name for name, value in values.items() if value is None]
    if missing:
        raise RunError(f"a parameter without a default must be given, but {', '.join(missing)} is not: {missing[0]}=…")
    return values
