"""Starts the tasks of a run; a tune step is a process of this machine that runs its study, whatever trials run in."""

from __future__ import annotations

import json
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kftune.errors import RunError
from kftune.files import write_text
from kftune.local.pipeline.cache import key_of
from kftune.local.pipeline.folder import RunFolder, TaskFolder
from kftune.local.pipeline.graph import Given, Task
from kftune.local.processes.launch import check_variables
from kftune.local.processes.leftovers import stop_marked
from kftune.local.processes.process import TrialProcess
from kftune.pipeline import EXECUTOR_OUTPUT, Node, Pipeline
from kftune.pipeline.steps import TuneStep
from kftune.spec.beside import find_file

MARK = "KFTUNE_STEP_DIR"
"""The variable by which the processes of a killed run are found: whatever a step starts inherits it."""

Feed = Callable[[bytes], object]


class Starter(ABC):
    """Starts tasks.

    Args:
        pipeline: The pipeline.
        run: Where the run's files are.
        place: The folder of the pipeline's file.
        parallel: Steps at once, which share the cores.

    Attributes:
        notes: What the user should know of how steps run here.
    """

    def __init__(self, pipeline: Pipeline, run: RunFolder, place: Path, parallel: int) -> None:
        self._run = run
        self._place = place
        self._parallel = parallel
        self._codes: dict[str, str] = {}
        self.notes: list[str] = []
        self.nodes = [*pipeline.plan.nodes.values(), *([pipeline.plan.exit] if pipeline.plan.exit else [])]

    def check(self) -> None:
        """Finds out what would make a step fail whatever it does.

        Raises:
            RunError: A program, image, variable or device is missing.
        """
        for node in self.nodes:
            try:
                check_variables(node.step)
                if isinstance(node.step, TuneStep):
                    check_variables(node.step.study.step)
                self._check(node)
            except RunError as error:
                raise RunError(f"step {node.name}: {error}") from error
        volumes = sorted({name for node in self.nodes for name in _of_cluster(node)})
        if volumes:
            self.notes.append(f"volumes of a cluster are not here: {', '.join(volumes)}")
        several = [
            node.name for node in self.nodes if node.step.resources.nodes * node.step.resources.procs_per_node > 1
        ]
        if several:
            self.notes.append(f"each step is one process here; on a cluster these are several: {', '.join(several)}")

    def key(self, node: Node, values: Mapping[str, Given]) -> str:
        """What a task's result depends on; see `kftune.local.pipeline.cache`."""
        if node.name not in self._codes:
            self._codes[node.name] = self._code(node)
        return key_of(node, values, self._codes[node.name])

    def start(
        self, task: Task, values: Mapping[str, Given], attempt: int, gpus: Sequence[str] | None, feed: Feed
    ) -> TrialProcess:
        """Starts one try of a task; its folders are there and empty.

        Args:
            task: The task.
            values: What it gets.
            attempt: Which try, from 1.
            gpus: The devices that it gets; None where it asks for none.
            feed: Called with each piece of its output.

        Raises:
            OSError: It cannot be started.
            ValueError: A text cannot be passed to a process.
        """
        folder = self._run.task(task.name)
        if isinstance(task.node.step, TuneStep):
            return self._start_tune(task, values, folder, gpus, feed)
        return self._start_step(task, values, folder, attempt, gpus, feed)

    @abstractmethod
    def _check(self, node: Node) -> None:
        """Finds out what would make one step fail."""

    @abstractmethod
    def _code(self, node: Node) -> str:
        """What stands for the code that a step runs."""

    @abstractmethod
    def _start_step(
        self,
        task: Task,
        values: Mapping[str, Given],
        folder: TaskFolder,
        attempt: int,
        gpus: Sequence[str] | None,
        feed: Feed,
    ) -> TrialProcess:
        """Starts a step that is no tune step."""

    @abstractmethod
    def _inputs_of_trials(self, task: Task, values: Mapping[str, Given]) -> tuple[dict[str, str], dict[str, Any]]:
        """What trials get, and how they run: the texts of the arguments, and further keys of the request."""

    def remove_leftovers(self) -> None:
        """Ends what a killed run has left."""
        stop_marked(f"{MARK}={self._run.steps}/")

    def clean_up(self, task: Task) -> None:
        """Ends what a task that was stopped or killed has left."""
        stop_marked(f"{MARK}={self._run.task(task.name).path}/")

    # -- tune --------------------------------------------------------------------------------------------------

    def study_folder(self, step: TuneStep) -> Path:
        """The folder of a tune step's study file."""
        if step.study_file is None:
            return self._place
        return find_file(step.study_file, (self._place, Path.cwd()), "study").resolve().parent

    def _start_tune(
        self, task: Task, values: Mapping[str, Given], folder: TaskFolder, gpus: Sequence[str] | None, feed: Feed
    ) -> TrialProcess:
        step = task.node.step
        assert isinstance(step, TuneStep)  # noqa: S101  # whoever calls has looked
        texts, further = self._inputs_of_trials(task, values)
        study = task.node.trial_study(texts)
        place = self.study_folder(step)
        request = {
            "study": study.to_dict(),
            "place": str(place),
            "folders": [str(place), str(self._place), str(Path.cwd())],
            "results": str(folder.study),
            "outputs": {name: str(folder.outputs / name) for name in outputs_of(task.node)},
            "gpus": None if gpus is None else list(gpus),
            **further,
        }
        write_text(folder.request, json.dumps(request, indent=2))
        return TrialProcess(
            [sys.executable, "-m", "kftune.local.pipeline.tune", str(folder.request)],
            executable=sys.executable,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **self.own_variables(folder)},
            cwd=Path.cwd(),
            log=folder.log,
            feed=feed,
            timeout=step.timeout,
            # It has to wait for its trials' end.
            grace=step.grace_period + study.step.grace_period,
            clean_up=lambda: self.clean_up(task),
        )

    def own_variables(self, folder: TaskFolder) -> dict[str, str]:
        """What tells a process whose it is."""
        return {MARK: str(folder.work)}


def _of_cluster(node: Node) -> Iterator[str]:
    """The volumes of a step that only a cluster has; trials here need none to see their inputs."""
    share = node.step.share if isinstance(node.step, TuneStep) else None
    yield from (volume.name for volume in node.step.volumes if not volume.empty_dir and volume.name != share)


def outputs_of(node: Node) -> Iterator[str]:
    """The names of everything that a step writes."""
    yield from node.outputs
    if node.step.has_executor_output:
        yield EXECUTOR_OUTPUT
