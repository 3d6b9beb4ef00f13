"""What starts the trials of a study, or of several studies of the same step: a runner, and the GPUs that they share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from kftune.local.processes.devices import SharedDevices
from kftune.local.processes.limits import within_limits
from kftune.local.processes.runners import ContainerRunner, ProcessRunner
from kftune.local.processes.start import Runtime
from kftune.local.processes.warm import WarmRunner
from kftune.results import FINISHED, Trial
from kftune.spec.arguments import HPARAMS_FILE
from kftune.study import Study

OUTPUT_VARIABLE = "KFTUNE_OUTPUT_DIR"
"""The variable by which a trial knows its output folder."""

RESUMED_VARIABLE = "KFTUNE_RESUMED"
"""The variable by which a trial that goes on knows the last step that is known of it."""


def trial_variables(trial: str, output: str) -> dict[str, str]:
    """The variables by which a trial knows its name and its output folder.

    Args:
        trial: Its name.
        output: The folder, as the trial sees it.
    """
    return {"KFTUNE_TRIAL_NAME": trial, "KATIB_TRIAL_NAME": trial, OUTPUT_VARIABLE: output}


def end_leftovers(runner: ProcessRunner, outputs: Path, labels: Mapping[str, str], trials: Iterable[Trial]) -> None:
    """Ends what a killed run left behind.

    Args:
        runner: What started it.
        outputs: The folder above the output folders of the trials.
        labels: Labels of the containers.
        trials: The stored trials.

    Raises:
        RunError: A process does not end.
        ContainerError: The container engine does not answer.
    """
    groups = [(trial.pid, trial.pid_started) for trial in trials if trial.pid and trial.state not in FINISHED]
    runner.remove_leftovers(f"{OUTPUT_VARIABLE}={outputs}/", labels, groups)


class SharedTrials:
    """What the trials of several studies of the same step share: what starts them, and the GPUs.

    Args:
        study: One of the studies.
        outputs: The folder above the output folders of all of them.
        place: The folder of the study's file.
        total: How many trials all of them may have.
        parallel: How many of all of them should run at the same time.
        differing: The variables of the environment in which the studies differ.
        runtime: What trials run in.
        gpus: The devices to share; None finds them.
        images: Image in the study -> the one to run here.
        more_files: How many files may be open for each trial beyond those of its process: those of its study.

    Attributes:
        runner: What starts them.
        devices: The GPUs.
        parallel: How many run at the same time.
        notes: What the user should know about that.
        found: Command -> code and revision; empty before the first study is checked.
    """

    def __init__(
        self,
        study: Study,
        outputs: Path,
        place: Path,
        *,
        total: int,
        parallel: int,
        differing: Iterable[str] = (),
        runtime: Runtime = "process",
        gpus: Sequence[str] | None = None,
        images: Mapping[str, str] | None = None,
        more_files: int = 0,
    ) -> None:
        self.devices = SharedDevices(study.step.resources.gpu, gpus)
        self.runner = (
            ContainerRunner(place, images)
            if runtime == "container"
            else _processes(study, outputs, self.devices, all_at_once=parallel >= total, differing=differing)
        )
        self.notes: list[str] = []
        self.parallel = within_limits(self.devices.limit(parallel, self.notes), self.notes, more_files=more_files)
        self.found: dict[tuple[str, ...], tuple[str, str]] = {}

    def remove_leftovers(self, outputs: Path, labels: Mapping[str, str], trials: Iterable[Trial]) -> None:
        """Ends what a killed run of any of them left behind.

        Args:
            outputs: The folder above the output folders of all of them.
            labels: Labels of their containers.
            trials: Those that the killed run has stored as running.

        Raises:
            RunError: A process does not end.
            ContainerError: The container engine does not answer.
        """
        end_leftovers(self.runner, outputs, labels, trials)


def _variables(study: Study) -> list[str]:
    """Returns the variables by which trials get their hyperparameters."""
    given = study.step.arguments
    if given is None or given.way == "command-line":
        return []
    return [HPARAMS_FILE] if given.way == "json-file" else [given.variable(name) for name in study.argument_names]


def _processes(
    study: Study, outputs: Path, devices: SharedDevices, *, all_at_once: bool, differing: Iterable[str]
) -> ProcessRunner:
    """Returns what starts trials as processes; where all of them start at once, none can share imports."""
    module, warm = study.step.module, study.step.warm
    if module is None or warm is False or all_at_once:
        return ProcessRunner()
    variables = (*trial_variables("", ""), RESUMED_VARIABLE, *_variables(study), *differing)
    shared: dict[str, str | None] = dict.fromkeys(variables)
    if devices.used:
        shared["CUDA_VISIBLE_DEVICES"] = ",".join(devices.all)
    return WarmRunner(module, asked=warm, mark=(OUTPUT_VARIABLE, f"{outputs}/"), shared=shared)
