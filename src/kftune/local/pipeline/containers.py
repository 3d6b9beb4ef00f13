"""Steps in containers, each in its image: no network, nothing of this machine but its inputs and its outputs."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kftune.containers import Container, Folder, Scratch, find_engine, how_it_ended, open_to_containers
from kftune.errors import ContainerError, RunError
from kftune.images import resolve
from kftune.local.pipeline.folder import RunFolder, TaskFolder
from kftune.local.pipeline.graph import Given, Task
from kftune.local.pipeline.starter import Feed, Starter, outputs_of
from kftune.local.processes.process import TrialProcess
from kftune.pipeline import Node, Pipeline
from kftune.pipeline.steps import TuneStep
from kftune.spec.container import ContainerSettings as Setup
from kftune.spec.container import Resources
from kftune.spec.quantities import parse_quantity

INPUTS = "/kftune/inputs"
"""Where a container finds its input artifacts, by name, read-only."""

OUTPUTS = "/kftune/outputs"
"""Where a container writes its outputs, by name."""

LABEL_OF_RUN = "io.kftune.run"
LABEL_OF_STEP = "io.kftune.step"


class Containers(Starter):
    """Starts each step in a container. A tune step is a process, and each of its trials a container.

    Args:
        pipeline: The pipeline.
        run: Where the run's files are.
        place: The folder of the pipeline's file.
        parallel: Steps at once.
        images: Image in the file -> the one to run here; under the empty name, the one for all others.

    Raises:
        ContainerError: No container engine answers.
    """

    def __init__(
        self, pipeline: Pipeline, run: RunFolder, place: Path, parallel: int, images: Mapping[str, str]
    ) -> None:
        super().__init__(pipeline, run, place, parallel)
        self._images = images
        self._engine = find_engine()
        self._ids: dict[str, str] = {}
        self._label = hashlib.sha256(str(run.path).encode()).hexdigest()[:32]

    def remove_leftovers(self) -> None:
        """Ends what a killed run has left."""
        super().remove_leftovers()
        self._engine.remove(*self._engine.leftovers({LABEL_OF_RUN: self._label}))

    def clean_up(self, task: Task) -> None:
        """Ends what a task that was stopped or killed has left."""
        super().clean_up(task)
        self._engine.remove(*self._engine.leftovers(self._labels(task)))

    def _clean_up_step(self, task: Task, container: Container) -> None:
        self.clean_up(task)
        # By its name too: a container that is still being made has no labels to be found by.
        self._engine.remove(container.name)

    def _labels(self, task: Task) -> dict[str, str]:
        return {LABEL_OF_RUN: self._label, LABEL_OF_STEP: task.name}

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
        paths = {name: f"{OUTPUTS}/{name}" for name in outputs_of(task.node)}
        user = open_to_containers(folder.outputs)
        container = Container(
            image=self._image(step),
            name=f"kftune-{self._label[:8]}-{task.name.replace('/', '.')}-{attempt}",
            command=task.node.command_line({**_texts(values), **paths}),
            folders=[*_inputs(values), Folder(folder.outputs, OUTPUTS)],
            user=user,
            network="default" if step.network else "none",
            gpus=gpus or (),
            labels=self._labels(task),
            **set_up(step),
        )
        argv = self._engine.run_argv(container)
        process = TrialProcess(
            argv,
            executable=argv[0],
            env={**os.environ, **self.own_variables(folder)},
            cwd=self._place,
            log=folder.log,
            feed=feed,
            timeout=step.timeout,
            grace=step.grace_period,
            clean_up=lambda: self._clean_up_step(task, container),
        )
        process.exit_text = lambda code: how_it_ended(code, container).text
        return process

    def _inputs_of_trials(self, task: Task, values: Mapping[str, Given]) -> tuple[dict[str, str], dict[str, Any]]:
        step = task.node.step
        assert isinstance(step, TuneStep)  # noqa: S101  # whoever calls has looked
        containers = {
            "image": self._image(step.study.step),
            "labels": self._labels(task),
            "inputs": [[str(folder.source), folder.target] for folder in _inputs(values)],
            "network": step.network,
        }
        return _texts(values), {"containers": containers}

    def _check(self, node: Node) -> None:
        step = node.step
        self._id(step.study.step if isinstance(step, TuneStep) else step)

    def _code(self, node: Node) -> str:
        step = node.step
        return self._id(step.study.step if isinstance(step, TuneStep) else step)

    def _image(self, setup: Setup) -> str:
        image = self._images.get(setup.image or "", self._images.get("", setup.image))
        if image is None:
            raise RunError("in a container it needs an image; give it one, for example image: images/train")
        try:
            return resolve(image, self._place, "here")
        except ContainerError as error:
            raise RunError(str(error)) from error

    def _id(self, setup: Setup) -> str:
        """The id of the image, which must be here."""
        image = self._image(setup)
        if image not in self._ids:
            found = self._engine.image_id(image)
            if found is None:
                raise RunError(
                    f"its image {image} must be on this machine, but is not; build it (kftune images build) or fetch "
                    f"it ({self._engine.kind} pull), or run another one in its place: --image images/train"
                )
            self._ids[image] = found
        return self._ids[image]


def set_up(setup: Setup) -> dict[str, Any]:
    """What a step says of its container, as `Container` takes it."""
    return {
        "env": {**setup.env, "KFTUNE_OUTPUT_DIR": "/tmp/output"},  # noqa: S108  # the container's own
        "secrets": sorted({*setup.secrets, *setup.config_maps}),
        "working_dir": setup.working_dir,
        "scratch": [
            Scratch(volume.mount, None if volume.size_limit is None else int(parse_quantity(volume.size_limit)))
            for volume in setup.volumes
            if volume.empty_dir
        ],
        **limits(setup.resources),
    }


def limits(resources: Resources) -> dict[str, Any]:
    """What a container may use at most; never more cores than there are, which an engine refuses."""
    cpu, memory = resources.cpu_limit or resources.cpu, resources.memory_limit or resources.memory
    return {
        "cpus": None if cpu is None else min(float(parse_quantity(cpu)), float(os.cpu_count() or 1)),
        "memory": None if memory is None else int(parse_quantity(memory)),
    }


def _inputs(values: Mapping[str, Given]) -> list[Folder]:
    return [
        Folder(given.artifact.path, f"{INPUTS}/{name}", read_only=True)
        for name, given in values.items()
        if given.artifact is not None
    ]


def _texts(values: Mapping[str, Given]) -> dict[str, str]:
    return {name: f"{INPUTS}/{name}" if given.artifact else given.text for name, given in values.items()}
