"""`run_pipeline`: runs a pipeline on this machine."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from kftune._version import __version__
from kftune.errors import RunError
from kftune.local.pipeline.engine import PipelineEngine, State
from kftune.local.pipeline.events import PipelineStarted
from kftune.local.pipeline.folder import PipelineFolder, PipelineRunFolder
from kftune.local.pipeline.graph import Graph
from kftune.local.pipeline.steps import PipelineSteps
from kftune.local.processes.interrupts import Interrupts
from kftune.local.processes.runners import ContainerRunner, ProcessRunner
from kftune.local.processes.start import Runtime
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

    state: State
    message: str
    folder: Path
    results: Mapping[str, Mapping[str, Any]]

    @property
    def exit_code(self) -> int:
        """The exit code for a command: 0 done, 1 failed, 130 interrupted."""
        return {"Succeeded": 0, "Failed": 1, "Interrupted": 130}[self.state]


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
        parallel: Steps at once; None takes the pipeline's own, else the number of cores.
        on_event: Called with each event.
        fresh: Start a new run, and take nothing from earlier ones.

    Raises:
        RunError: The pipeline cannot run here.
        StoreError: Another run writes to the folder.
        ContainerError: No container engine answers, or an image is missing.
    """
    values = _with_defaults(pipeline, parameters or {})
    files = PipelineFolder(Path(folder).resolve())
    place = Path.cwd() if pipeline_path is None else Path(pipeline_path).resolve().parent
    at_once = parallel or pipeline.parallel or os.cpu_count() or 1
    if images and runtime == "process":
        raise RunError("images are for steps in containers, but these are processes; ask for the runtime container")
    graph = Graph(pipeline, values)
    lock = take_lock(files.lock)
    try:
        return _Run(
            pipeline=pipeline,
            values=values,
            files=files,
            place=place,
            runtime=runtime,
            images=images or {},
            at_once=at_once,
            graph=graph,
            emit=on_event or _drop,
            fresh=fresh,
        ).go()
    finally:
        os.close(lock)


@dataclass(frozen=True, kw_only=True)
class _Run:
    """One run, under the lock."""

    pipeline: Pipeline
    values: Mapping[str, Any]
    files: PipelineFolder
    place: Path
    runtime: Runtime
    images: Mapping[str, str]
    at_once: int
    graph: Graph
    emit: OnEvent
    fresh: bool

    def go(self) -> PipelineOutcome:
        content = [self.pipeline.content_hash(), dict(self.values), self.runtime, dict(self.images)]
        identity = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
        earlier = None if self.fresh else self.files.unfinished(identity)
        run, meta = earlier or (None, {})
        if run is None:
            run = self.files.new_run(identity)
            meta = {
                "pipeline": self.pipeline.name,
                "run": run.name,
                "identity": identity,
                "content_hash": self.pipeline.content_hash(),
                "parameters": dict(self.values),
                "runtime": self.runtime,
                "created": now(),
            }
        runner = ContainerRunner(self.place, self.images) if self.runtime == "container" else ProcessRunner()
        steps = PipelineSteps(self.pipeline, run, self.place, self.at_once, runner)
        steps.check()
        steps.remove_leftovers()
        run.write({**meta, "version": __version__, "state": "Running"})
        self._emit_start(run, resumed=earlier is not None)
        ended = PipelineEngine(
            self.pipeline,
            graph=self.graph,
            folder=self.files,
            run=run,
            steps=steps,
            parallel=self.at_once,
            interrupts=Interrupts(),
            emit=self.emit,
            use_cache=not self.fresh,
        ).run()
        results = self.graph.results()
        run.write(
            {
                **meta,
                "version": __version__,
                "state": ended.state,
                "message": ended.message,
                "ended": now(),
                "steps": {task.name: task.state for task in self.graph.all},
                "results": results,
            }
        )
        return PipelineOutcome(ended.state, ended.message, run.path, results)

    def _emit_start(self, run: PipelineRunFolder, *, resumed: bool) -> None:
        exit_node = self.pipeline.plan.exit
        steps = {name: None if tasks is None else len(tasks) for name, tasks in self.graph.tasks.items()}
        if exit_node is not None:
            steps[exit_node.name] = 1
        self.emit(
            PipelineStarted(
                pipeline=self.pipeline.name,
                run=run.name,
                folder=str(run.path),
                runtime=self.runtime,
                parallel=self.at_once,
                parameters=dict(self.values),
                steps=steps,
                resumed=resumed,
            )
        )
        if resumed:
            self.emit(Note(f"resuming run {run.name}, which has not succeeded (--fresh starts over)"))


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


def _drop(event: object) -> None:
    """Drops an event."""
