"""Steps as processes of this machine: the same command line as in their image, with paths of this machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kftune.local.pipeline.cache import code_of
from kftune.local.pipeline.folder import TaskFolder
from kftune.local.pipeline.graph import Given, Task
from kftune.local.pipeline.starter import Feed, Starter, outputs_of
from kftune.local.processes.launch import find_program, process_environment
from kftune.local.processes.process import TrialProcess
from kftune.pipeline import Node
from kftune.pipeline.steps import TuneStep
from kftune.spec.container import Command, ContainerSettings


class Processes(Starter):
    """Starts each step as a process.

    ``python`` is the interpreter that runs kftune. A step runs in the folder of the pipeline's file and finds the
    modules there; a trial in that of its study's file.
    """

    def _start_step(
        self,
        task: Task,
        values: Mapping[str, Given],
        folder: TaskFolder,
        attempt: int,
        gpus: Sequence[str] | None,
        feed: Feed,
    ) -> TrialProcess:
        step = task.node.step
        env = {**self._environment(step, self._place), **self.own_variables(folder)}
        env["KFTUNE_OUTPUT_DIR"] = str(folder.work)
        if gpus is not None:
            env["CUDA_VISIBLE_DEVICES"] = ",".join(gpus)
        paths = {name: str(folder.outputs / name) for name in outputs_of(task.node)}
        argv = task.node.command_line({**_texts(values), **paths})
        first, executable = find_program(argv, self._place, env, "pipeline")
        return TrialProcess(
            [first, *argv[1:]],
            executable=executable,
            env=env,
            cwd=self._place,
            log=folder.log,
            feed=feed,
            timeout=step.timeout,
            grace=step.grace_period,
            clean_up=lambda: self.clean_up(task),
        )

    def _inputs_of_trials(self, task: Task, values: Mapping[str, Given]) -> tuple[dict[str, str], dict[str, Any]]:
        return _texts(values), {}

    def _check(self, node: Node) -> None:
        self._program(node)

    def _code(self, node: Node) -> str:
        folder, argv, env, executable = self._program(node)
        return code_of([executable, *argv[1:]], folder, env["PYTHONPATH"].split(":"))

    def _program(self, node: Node) -> tuple[Path, list[str], dict[str, str], str]:
        """The folder, command line, environment and program of a step, or of a tune step's trials."""
        step = node.step
        container: ContainerSettings = step.study.step if isinstance(step, TuneStep) else step
        command: Command = step.study.step if isinstance(step, TuneStep) else step
        folder = self.study_folder(step) if isinstance(step, TuneStep) else self._place
        argv, env = command.command_line({}), self._environment(container, folder)
        _, executable = find_program(argv, folder, env, "study" if isinstance(step, TuneStep) else "pipeline")
        return folder, argv, env, executable

    def _environment(self, container: ContainerSettings, folder: Path) -> dict[str, str]:
        return process_environment(container.env, folder, self._parallel)


def _texts(values: Mapping[str, Given]) -> dict[str, str]:
    return {name: str(given.artifact.path) if given.artifact else given.text for name, given in values.items()}
