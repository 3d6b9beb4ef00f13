"""Starts the trials of a study, and shares folders and GPUs among them."""

from __future__ import annotations

import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from kftune.argv import NO_KINDS
from kftune.containers import Folder
from kftune.errors import RunError
from kftune.local.processes.devices import SharedDevices
from kftune.local.processes.passing import passed
from kftune.local.processes.process import TrialProcess
from kftune.local.processes.programs import Remedies, step_remedies
from kftune.local.processes.runners import ProcessRunner
from kftune.local.processes.start import LABEL_OF_RUN, Runtime, Start, step_start
from kftune.local.study.shared_trials import (
    OUTPUT_VARIABLE,
    RESUMED_VARIABLE,
    SharedTrials,
    end_leftovers,
    trial_variables,
)
from kftune.results import RunFolder, Trial
from kftune.revision import revision_of
from kftune.study import Study

OUTPUT = "/kftune/output"
"""Where a trial in a container finds its output folder."""

_DATA = "/kftune/data"


class Trials(ABC):
    """Starts the trials of a study or an Experiment.

    Args:
        folder: Where results go.
        runner: What starts them.
        devices: The GPUs that they share.
        parallel: How many run at the same time; the caller has compared it with GPUs and limits.
        notes: What the user should know about that.

    Attributes:
        parallel: How many run at the same time.
        notes: What the user should know about how trials run here.
        devices: The GPUs that they share.
        code: Hash of the code that they run, or id of their image; empty if unknown.
        revision: The git commit of that code; empty if unknown.
    """

    def __init__(
        self, folder: RunFolder, runner: ProcessRunner, devices: SharedDevices, parallel: int, notes: Iterable[str]
    ) -> None:
        self.folder = folder
        self.runner = runner
        self.devices = devices
        self.notes = [*notes]
        self.parallel = parallel
        self.labels: Mapping[str, str] = {LABEL_OF_RUN: hashlib.sha256(os.fsencode(folder.path)).hexdigest()[:32]}
        self._name = f"kftune-{self.labels[LABEL_OF_RUN][:12]}-"
        self._prepared: Path | None = None
        self.code = self.revision = ""

    @abstractmethod
    def _record(self, trial: str, assignment: Mapping[str, str], output: Path, gpus: Sequence[str] | None) -> Start:
        """Returns the start record of a trial, and makes the files that it needs; see `start`."""

    def start(
        self,
        trial: str,
        assignment: Mapping[str, str],
        feed: Callable[[bytes], object],
        gpus: Sequence[str],
        *,
        goes_on: int | None = None,
    ) -> TrialProcess:
        """Starts one trial. `prepare` has made the folder of a new one.

        Args:
            trial: Its name.
            assignment: Its hyperparameters as texts.
            feed: Called with each piece of its output.
            gpus: The devices that it gets.
            goes_on: The last step that is known of it, if it goes on with what is in its output folder.

        Raises:
            OSError: The program cannot be started.
            ValueError: These values cannot be passed to it.
        """
        output = self.folder.output(trial)

        def record() -> Start:
            if output != self._prepared:
                output.mkdir(exist_ok=True)
            return self._record(trial, assignment, output, gpus if self.devices.used else None)

        start = self.runner.patience.hold(f"the files of {trial} cannot be written", record)
        self._prepared = None if output == self._prepared else self._prepared
        if goes_on is not None:
            start = start.with_changes(env={**start.env, RESUMED_VARIABLE: str(goes_on)})
        return self.runner.start(start, feed)

    def prepare(self, trial: str) -> None:
        """Makes the output folder of a new trial, unless it is made; before the start, while there is time.

        Raises:
            OSError: It cannot be made.
        """
        if self.folder.output(trial) != self._prepared:
            self.discard()
            self._prepared = self.runner.patience.hold(
                f"the folder of {trial} cannot be made", lambda: self.folder.new_output(trial)
            )

    def discard(self) -> None:
        """Removes a folder that was prepared and not used."""
        if self._prepared is not None:
            with suppress(OSError):  # something is in it
                self._prepared.rmdir()
            self._prepared = None

    def close(self) -> None:
        """Ends what starts trials, and removes what was prepared for them."""
        self.discard()
        self.runner.close()

    def _check(self, start: Start, remedies: Remedies, folder: Path) -> None:
        """Checks that trials can start, and notes the code that they run.

        Args:
            start: The start record of a trial, perhaps with other values.
            remedies: What an error advises.
            folder: The folder of their code.

        Raises:
            RunError: The program or image is missing.
            ContainerError: The container engine does not answer.
        """
        self.runner.check(start, remedies)
        self.notes += self.runner.notes(start)
        self.code = self.runner.code(start)
        self.revision = str(revision_of(folder))

    def remove_leftovers(self, trials: Iterable[Trial]) -> None:
        """Ends what a killed run left behind.

        Args:
            trials: The stored trials.

        Raises:
            RunError: A process does not end.
            ContainerError: The container engine does not answer.
        """
        end_leftovers(self.runner, self.folder.outputs, self.labels, trials)


def trial_mark(output: Path) -> tuple[str, str]:
    """The variable that marks all processes of a trial."""
    return OUTPUT_VARIABLE, str(output)


class TrialContainers(NamedTuple):
    """How the trials of a study run in containers, beyond what the study says."""

    images: Mapping[str, str] = {}
    """Image in the study -> the one to run here; under the empty name, the one for all."""
    labels: Mapping[str, str] | None = None
    """Labels of the containers; None for those of the results' folder."""
    inputs: Sequence[Folder] = ()
    """Further files and folders that each container sees."""
    network: bool = False
    """Whether they get a network."""


class StudyTrials(Trials):
    """Starts the trials of a study, each with the command line of its container.

    Args:
        study: The study.
        folder: Where results go.
        place: The folder of the study's file: processes run there, and Python finds modules there.
        runtime: What trials run in.
        gpus: The devices to share; None finds them, and an empty sequence lets trials run without.
        containers: How they run in containers.
        shared: What they share with the trials of other studies, in place of their own devices and runner.

    Raises:
        RunError: No trial can run: the program, image, data, a secret or a device is missing.
        ContainerError: Trials run in containers, and no engine answers.
    """

    def __init__(
        self,
        study: Study,
        folder: RunFolder,
        place: Path,
        runtime: Runtime = "process",
        gpus: Sequence[str] | None = None,
        containers: TrialContainers = TrialContainers(),  # noqa: B008  # it is immutable
        *,
        shared: SharedTrials | None = None,
    ) -> None:
        step = study.step
        self._shared = shared
        alone = shared or SharedTrials(
            study,
            folder.outputs,
            place,
            total=study.budget.max_trials,
            parallel=study.budget.at_once,
            runtime=runtime,
            gpus=gpus,
            images=containers.images,
        )
        # What several studies share is limited once for all of them, and its notes are told once.
        notes = alone.notes if shared is None else ()
        super().__init__(folder, alone.runner, alone.devices, min(study.budget.at_once, alone.parallel), notes)
        if containers.labels is not None:
            self.labels = containers.labels
        self._study = study
        start = step_start(
            step,
            step.start,
            place,
            alone.parallel,
            timeout=study.budget.trial_timeout,
            folders=containers.inputs,
            network="default" if containers.network else "none",
            labels=self.labels,
        )
        self._start = self._with_data(start, place)
        command = (*step.command, step.module or "")
        if shared is not None and command in shared.found:
            self.code, self.revision = shared.found[command]
            return
        self._check(self._start, step_remedies("study"), place)
        if shared is not None:
            shared.found[command] = self.code, self.revision
        self._note_what_differs()

    def close(self) -> None:
        """Removes what was prepared for trials, and ends what starts them, unless other studies share it."""
        if self._shared is None:
            super().close()
        else:
            self.discard()

    def _record(self, trial: str, assignment: Mapping[str, str], output: Path, gpus: Sequence[str] | None) -> Start:
        start, study, seen = self._start, self._study, self.runner.path(output, OUTPUT)
        kinds = NO_KINDS if study.step.arguments is None else study.kinds
        command, variables = passed(study.step, assignment, kinds, output, seen)
        return start.with_changes(
            name=f"{self._name}{trial}",
            command=command,
            env={**start.env, **variables, **trial_variables(trial, seen)},
            mark=trial_mark(output),
            log=self.folder.log(trial),
            gpus=gpus,
            folders=[*start.folders, Folder(output, OUTPUT)],
            written=[output],
        )

    def _with_data(self, start: Start, place: Path) -> Start:
        here = data_of(self._study, place)
        if here is None:
            return start
        there = self._study.step.data.mount or _DATA
        env = {**start.env, "KFTUNE_DATA": self.runner.path(here, there)}
        return replace(start, env=env, folders=[*start.folders, Folder(here, there, read_only=True)])

    def _note_what_differs(self) -> None:
        budget = self._study.budget
        if budget.parallel > budget.max_trials:
            self.notes.append(
                f"{budget.at_once} trial(s) at once, not budget.parallel={budget.parallel}: budget.max_trials is "
                f"{budget.max_trials}"
            )
        if budget.failures_allowed < (budget.max_failed or 0):
            self.notes.append(
                f"budget.max_failed={budget.max_failed} counts as {budget.failures_allowed}: budget.max_trials is "
                f"{budget.max_trials}"
            )
        step = self._study.step
        if step.warm and self.runner.runtime == "container":
            self.notes.append("step.warm has no effect on trials in containers: each imports for itself")
        resources = step.resources
        if resources.nodes * resources.procs_per_node > 1:
            self.notes.append(
                f"each trial is one {self.runner.runtime} here; on a cluster it is {resources.nodes} node(s) with "
                f"{resources.procs_per_node} process(es) each"
            )
        if resources.gpu and not self.devices.all:
            self.notes.append("trials run without a GPU, though the study asks for one")


def data_of(study: Study, place: Path) -> Path | None:
    """Returns the path of the data that trials read; None if the study names none.

    Args:
        study: The study.
        place: The folder of its file.

    Raises:
        RunError: The data is not there.
    """
    path = study.step.data.path
    if path is None:
        return None
    here = (place / path).resolve()
    if not here.exists():
        raise RunError(f"the step's data must be there, but {here} is not; see step.data.path in the study")
    return here
