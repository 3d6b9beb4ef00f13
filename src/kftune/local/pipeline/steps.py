"""Starts the steps of a pipeline's run. A tune step is a process of kftune, which runs its study."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from kftune.containers import Folder
from kftune.errors import RunError
from kftune.files import write_text
from kftune.local.pipeline.artifacts import empty
from kftune.local.pipeline.cache import key_of
from kftune.local.pipeline.folder import PipelineRunFolder
from kftune.local.pipeline.graph import Given, Task
from kftune.local.processes.passing import passed
from kftune.local.processes.process import TrialProcess
from kftune.local.processes.programs import step_remedies
from kftune.local.processes.runners import ContainerRunner, ProcessRunner
from kftune.local.processes.start import LABEL_OF_RUN, Start, step_start
from kftune.pipeline import EXECUTOR_OUTPUT, Node, Pipeline
from kftune.pipeline.steps import StepConfig, TuneStep
from kftune.spec.arguments import HPARAMS_FILE
from kftune.spec.beside import find_file
from kftune.spec.container import SHOWN_FILE
from kftune.study.shared_limits import not_shared

INPUTS = "/kftune/inputs"
"""Where a container finds its input artifacts, by name, read-only."""

OUTPUTS = "/kftune/outputs"
"""Where a container writes its outputs, by name."""

FILES = "/kftune/files"
"""Where a container finds the file with its hyperparameters, if it takes them so."""

LABEL_OF_STEP = "io.kftune.step"

MARK = "KFTUNE_STEP_DIR"
"""The variable that marks all processes of a step; everything that a step starts inherits it."""


class PipelineSteps:
    """Starts the tasks of a pipeline's run.

    Args:
        pipeline: The pipeline.
        run: The files of the run.
        place: The folder of the pipeline's file: steps run there as processes, and Python finds modules there.
        parallel: How many steps run at the same time and share the cores.
        runner: What starts them.

    Attributes:
        nodes: All steps.
        patience: Waits while the machine cannot start them, or cannot write.
        notes: What the user should know about how steps run here.
    """

    def __init__(
        self, pipeline: Pipeline, run: PipelineRunFolder, place: Path, parallel: int, runner: ProcessRunner
    ) -> None:
        self._run = run
        self._place = place
        self._parallel = parallel
        self._runner = runner
        self.patience = runner.patience
        self._codes: dict[str, str] = {}
        self._labels = {LABEL_OF_RUN: hashlib.sha256(str(run.path).encode()).hexdigest()[:32]}
        self.notes: list[str] = []
        self.nodes = [*pipeline.plan.nodes.values(), *([pipeline.plan.exit] if pipeline.plan.exit else [])]

    def check(self) -> None:
        """Checks, before the first step, that every step can start.

        Raises:
            RunError: A program, image or variable is missing.
        """
        for node in self.nodes:
            try:
                self._start_of(node.step)
                remedies = step_remedies("study" if isinstance(node.step, TuneStep) else "pipeline")
                self._runner.check(self._what_runs(node), remedies)
                self.notes += [f"step {node.name}: {note}" for note in self._runner.notes(self._what_runs(node))]
            except RunError as error:
                raise RunError(f"step {node.name}: {error}") from error
        volumes = sorted({name for node in self.nodes for name in _cluster_volumes(node)})
        if volumes:
            self.notes.append(f"volumes of a cluster are not here: {', '.join(volumes)}")
        several = [
            node.name for node in self.nodes if node.step.resources.nodes * node.step.resources.procs_per_node > 1
        ]
        for node in self.nodes:
            each = node.step.entities if isinstance(node.step, TuneStep) else None
            if each is not None:
                self.notes += [f"step {node.name}: {note}" for note in not_shared(each, "a pipeline")]
        if several:
            self.notes.append(f"each step is one process here; on a cluster these are several: {', '.join(several)}")

    def key(self, node: Node, values: Mapping[str, Given]) -> str:
        """Returns a hash of everything that a task's result depends on; see `kftune.local.pipeline.cache`.

        Args:
            node: The step.
            values: What it gets.
        """
        if node.name not in self._codes:
            self._codes[node.name] = self._runner.code(self._what_runs(node))
        return key_of(node, values, self._codes[node.name])

    def start(
        self,
        task: Task,
        values: Mapping[str, Given],
        attempt: int,
        gpus: Sequence[str] | None,
        feed: Callable[[bytes], object],
    ) -> TrialProcess:
        """Starts one try of a task, in empty folders.

        Args:
            task: The task.
            values: What it gets.
            attempt: Which try, from 1.
            gpus: The devices that it gets; None if it asks for none.
            feed: Called with each piece of its output.

        Raises:
            OSError: It cannot be started.
            ValueError: A text cannot be passed to a process.
        """
        folder = self._run.task(task.name)
        texts = {name: self._text(name, given) for name, given in values.items()}
        inputs = [
            Folder(given.artifact.path, f"{INPUTS}/{name}", read_only=True)
            for name, given in values.items()
            if given.artifact is not None
        ]
        make = self._tune if isinstance(task.node.step, TuneStep) else self._step

        def record() -> Start:
            self._prepare(task, attempt)
            return make(task, texts, inputs, gpus)

        start = replace(
            self.patience.hold(f"the files of {task.name} cannot be written", record),
            name=f"kftune-{self._labels[LABEL_OF_RUN][:8]}-{task.name.replace('/', '.')}-{attempt}",
            mark=(MARK, str(folder.work)),
            log=folder.log,
            sweep=True,
            labels=self._labels_of(task),
        )
        return self._runner.start(start, feed)

    def remove_leftovers(self) -> None:
        """Ends what a killed run left behind.

        Raises:
            RunError: A process does not end.
            ContainerError: The container engine does not answer.
        """
        self._runner.remove_leftovers(f"{MARK}={self._run.steps}/", self._labels)

    # -- start records -----------------------------------------------------------------------------------------

    def _prepare(self, task: Task, attempt: int) -> None:
        """Makes the folders of one try of a task, and empties them.

        Args:
            task: The task.
            attempt: Which try, from 1.
        """
        folder = self._run.task(task.name)
        folder.done.unlink(missing_ok=True)
        folder.path.mkdir(parents=True, exist_ok=True)
        folder.move_log_aside(attempt - 1 or 1)
        for path in (folder.outputs, folder.work):
            empty(path)

    def _text(self, name: str, given: Given) -> str:
        return given.text if given.artifact is None else self._runner.path(given.artifact.path, f"{INPUTS}/{name}")

    def _start_of(self, step: StepConfig) -> Start:
        return step_start(step, step.start, self._place, self._parallel, timeout=step.timeout)

    def _what_runs(self, node: Node) -> Start:
        """The start of a step, or of the trials of a tune step."""
        step = node.step
        if not isinstance(step, TuneStep):
            return self._start_of(step)
        trial = step.study.step
        return step_start(trial, trial.start, self._study_folder(step), self._parallel)

    def _step(self, task: Task, texts: dict[str, str], inputs: list[Folder], gpus: Sequence[str] | None) -> Start:
        node, folder, seen = task.node, self._run.task(task.name), self._runner.path
        start = self._start_of(node.step)
        outputs = {name: seen(folder.outputs / name, f"{OUTPUTS}/{name}") for name in _outputs_of(node)}
        file = folder.work / SHOWN_FILE
        given = node.given({**texts, **outputs})
        command, variables = passed(node.step, given, node.kinds, folder.work, seen(folder.work, FILES))
        if HPARAMS_FILE in variables:
            inputs = [*inputs, Folder(file, variables[HPARAMS_FILE], read_only=True)]
        return replace(
            start,
            command=command,
            env={**start.env, **variables, "KFTUNE_OUTPUT_DIR": seen(folder.work, "/tmp/output")},  # noqa: S108  # the container's
            folders=[*inputs, Folder(folder.outputs, OUTPUTS)],
            written=[folder.outputs],
            network="default" if node.step.network else "none",
            gpus=gpus,
        )

    def _tune(self, task: Task, texts: dict[str, str], inputs: list[Folder], gpus: Sequence[str] | None) -> Start:
        step, folder = task.node.step, self._run.task(task.name)
        assert isinstance(step, TuneStep)  # noqa: S101  # the caller checked that
        study = task.node.trial_study(texts)
        place = self._study_folder(step)
        containers = None
        if isinstance(self._runner, ContainerRunner):
            containers = {
                "image": self._runner.image(study.step.image or ""),
                "labels": self._labels_of(task),
                "inputs": [[str(given.source), given.target] for given in inputs],
                "network": step.network,
            }
        request = {
            "study": study.to_dict(),
            "place": str(place),
            "folders": [str(place), str(self._place), str(Path.cwd())],
            "results": str(folder.study),
            "outputs": {name: str(folder.outputs / name) for name in _outputs_of(task.node)},
            "gpus": None if gpus is None else list(gpus),
            "containers": containers,
        }
        write_text(folder.request, json.dumps(request, indent=2))
        return Start(
            command=[sys.executable, "-P", "-m", "kftune.local.tune", str(folder.request)],
            env={},
            cwd=Path.cwd(),
            timeout=step.timeout,
            # It has to wait for the end of its trials.
            grace=step.grace_period + study.step.grace_period,
            own=True,
        )

    def _labels_of(self, task: Task) -> dict[str, str]:
        return self._labels | {LABEL_OF_STEP: task.name}

    def _study_folder(self, step: TuneStep) -> Path:
        if step.study_file is None:
            return self._place
        return find_file(step.study_file, (self._place, Path.cwd()), "study").resolve().parent


def _cluster_volumes(node: Node) -> Iterator[str]:
    """The volumes of a step that only a cluster has; nothing here needs one to share files."""
    for volume in node.step.volumes:
        if not volume.empty_dir and volume.ephemeral is None and volume.name != node.step.share:
            yield volume.name


def _outputs_of(node: Node) -> Iterator[str]:
    """The names of everything that a step writes."""
    yield from node.outputs
    if node.step.has_executor_output:
        yield EXECUTOR_OUTPUT
