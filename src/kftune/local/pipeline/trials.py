"""The trials of a tune step in containers."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from kftune.containers import Container, Folder, find_engine, how_it_ended, open_to_containers
from kftune.local.pipeline.containers import set_up
from kftune.local.processes.devices import SharedDevices
from kftune.local.processes.launch import OutputFolders, trial_variables
from kftune.local.processes.process import TrialProcess
from kftune.results import RunFolder
from kftune.study import Study

_OUTPUT = "/kftune/output"
_DATA = "/kftune/data"


class TrialContainers:
    """Starts each trial of a study in its image.

    Args:
        study: The study.
        folder: Where results go.
        place: The folder of the study's file.
        how: image (its name here), labels, inputs (pairs of a path here and one in the container), network.
        gpus: The devices to share out; None where trials ask for none.

    Attributes:
        parallel: How many trials run at once.
        notes: What the user should know of how trials run here.
        devices: The GPUs that trials share.
    """

    def __init__(
        self, study: Study, folder: RunFolder, place: Path, how: Mapping[str, Any], gpus: Sequence[str] | None
    ) -> None:
        self._study = study
        self._folder = folder
        self._how = how
        self._engine = find_engine()
        self._inputs = [Folder(Path(source), target, read_only=True) for source, target in how["inputs"]]
        self._env = {}
        # Trials of several tune steps may have one name.
        self._name = hashlib.sha256(str(folder.path).encode()).hexdigest()[:12]
        if study.step.data.path is not None:
            target = study.step.data.mount or _DATA
            self._inputs.append(Folder((place / study.step.data.path).resolve(), target, read_only=True))
            self._env["KFTUNE_DATA"] = target
        self.notes: list[str] = []
        self.devices = SharedDevices(study.step.resources.gpu, gpus)
        self.parallel = self.devices.limit(study.budget.parallel, self.notes)
        self._outputs = OutputFolders(folder)

    def start(
        self, trial: str, assignment: Mapping[str, str], feed: Callable[[bytes], object], gpus: Sequence[str] = ()
    ) -> TrialProcess:
        """Starts one trial.

        Raises:
            OSError: The engine cannot be started.
        """
        step, output = self._study.step, self._outputs.take(trial)
        given = set_up(step)
        given["env"] = {**given["env"], **self._env, **trial_variables(trial, Path(_OUTPUT))}
        user = open_to_containers(output)
        container = Container(
            image=self._how["image"],
            name=f"kftune-{self._name}-{trial}",
            command=step.command_line(assignment),
            folders=[*self._inputs, Folder(output, _OUTPUT)],
            user=user,
            network="default" if self._how["network"] else "none",
            gpus=gpus,
            labels=self._how["labels"],
            **given,
        )
        argv = self._engine.run_argv(container)
        process = TrialProcess(
            argv,
            executable=argv[0],
            env={**os.environ, **trial_variables(trial, output)},
            cwd=Path.cwd(),
            log=self._folder.log(trial),
            feed=feed,
            timeout=self._study.budget.trial_timeout,
            grace=step.grace_period,
            clean_up=lambda: self._engine.remove(container.name),
        )
        process.exit_text = lambda code: how_it_ended(code, container).text
        return process

    def prepare(self, trial: str) -> None:
        """Makes the folder of the trial that will probably start next."""
        self._outputs.prepare(trial)

    def discard(self) -> None:
        """Takes back what was prepared and not used."""
        self._outputs.discard()
