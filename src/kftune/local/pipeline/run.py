"""`run_pipeline`: a pipeline on this machine, from its file to the outputs of its last steps."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from kftune._version import __version__
from kftune.errors import RunError
from kftune.local.pipeline.engine import Engine, State
from kftune.local.pipeline.events import PipelineStarted
from kftune.local.pipeline.folder import PipelineFolder, RunFolder
from kftune.local.pipeline.graph import Graph
from kftune.local.pipeline.processes import Processes
from kftune.local.pipeline.starter import Starter
from kftune.local.processes.interrupts import Interrupts
from kftune.local.study.events import Note, OnEvent, now
from kftune.pipeline import Pipeline
from kftune.results.lock import take_lock

Runtime = Literal["process", "container"]


class PipelineOutcome(NamedTuple):
    """How a run ended.

    Attributes:
        state: Succeeded, Failed or Interrupted.
        message: The same in a sentence.
        folder: Where everything is.
        results: What the last steps wrote, and every model outside of loops: by step and output, a value or the path of
            an artifact.
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

    The latest run of the same pipeline, parameters and runtime that has not succeeded is gone on with: its finished
    steps stay. Else a new run begins, which takes the results of steps from earlier runs where nothing has changed.

    Args:
        pipeline: The pipeline.
        folder: Where its runs go.
        parameters: Run parameter -> value, of its type; the others have their defaults.
        pipeline_path: Its file: steps run in its folder, and find its modules. None takes the current folder.
        runtime: Whether steps are processes, or containers with their image.
        images: For containers, image in the file -> the one to run here (``images/NAME`` is one of the project); under
            the empty name, the one for all others.
        parallel: Steps at once; None takes the pipeline's own, else the number of cores.
        on_event: Called with what happens.
        fresh: Begin a new run, and take nothing from earlier ones.

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
            pipeline, values, files, place, runtime, images or {}, at_once, graph, on_event or _nobody, fresh
        ).go()
    finally:
        os.close(lock)


@dataclass
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
        starter = self._starter(run)
        starter.check()
        starter.remove_leftovers()
        run.write({**meta, "version": __version__, "state": "Running"})
        self._tell_start(run, starter, resumed=earlier is not None)
        engine = Engine(
            self.pipeline,
            self.graph,
            self.files,
            run,
            starter,
            self.at_once,
            Interrupts(),
            self.emit,
            use_cache=not self.fresh,
        )
        ended = engine.run()
        steps = {task.name: task.state for task in self.graph.all}
        results = self.graph.results()
        run.write(
            {
                **meta,
                "version": __version__,
                "state": ended.state,
                "message": ended.message,
                "ended": now(),
                "steps": steps,
                "results": results,
            }
        )
        return PipelineOutcome(ended.state, ended.message, run.path, results)

    def _starter(self, run: RunFolder) -> Starter:
        if self.runtime == "process":
            return Processes(self.pipeline, run, self.place, self.at_once)
        from kftune.local.pipeline.containers import Containers  # noqa: PLC0415  # processes need no engine

        return Containers(self.pipeline, run, self.place, self.at_once, self.images)

    def _tell_start(self, run: RunFolder, starter: Starter, *, resumed: bool) -> None:
        exit_node = self.pipeline.plan.exit
        steps = {name: None if tasks is None else len(tasks) for name, tasks in self.graph.tasks.items()}
        if exit_node is not None:
            steps[exit_node.name] = 1
        self.emit(
            PipelineStarted(
                self.pipeline.name,
                run.name,
                str(run.path),
                self.runtime,
                self.at_once,
                dict(self.values),
                steps,
                resumed,
            )
        )
        if resumed:
            self.emit(Note(f"going on with run {run.name}, which has not succeeded (--fresh begins anew)"))


def _with_defaults(pipeline: Pipeline, given: Mapping[str, Any]) -> dict[str, Any]:
    """Every run parameter with its value.

    Raises:
        RunError: One that has no default is not given.
    """
    values = {name: given.get(name, parameter.value) for name, parameter in pipeline.run_parameters.items()}
    missing = [name for name, value in values.items() if value is None]
    if missing:
        raise RunError(f"a parameter without a default must be given, but {', '.join(missing)} is not: {missing[0]}=…")
    return values


def _nobody(event: object) -> None:
    """Events that nobody listens to."""
