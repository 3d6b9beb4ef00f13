"""What a trial's process gets: program, environment, folders, devices. Checked before the first trial starts."""

from __future__ import annotations

import importlib.machinery
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from kftune.errors import RunError
from kftune.local.processes.devices import SharedDevices
from kftune.local.processes.process import TrialProcess
from kftune.results import RunFolder
from kftune.spec.container import ContainerSettings
from kftune.study import Study

_PYTHON = ("python", "python3")


class OutputFolders:
    """Makes the folders into which trials write.

    Args:
        folder: Where results go.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._prepared: Path | None = None

    def take(self, trial: str) -> Path:
        """The folder of the trial that starts now."""
        output = self._folder.output(trial)
        if output == self._prepared:
            self._prepared = None
        else:
            output.mkdir(exist_ok=True)
        return output

    def prepare(self, trial: str) -> None:
        """Makes the folder of the trial that will probably start next."""
        output = self._folder.output(trial)
        if output != self._prepared:
            self.discard()
            output.mkdir(exist_ok=True)
            self._prepared = output

    def discard(self) -> None:
        """Takes back what was prepared and not used."""
        if self._prepared is not None:
            with suppress(OSError):  # something is in it
                self._prepared.rmdir()
            self._prepared = None


class Launcher:
    """Starts the trials of one study.

    The command line is the container's. ``python`` is the interpreter that runs kftune, and the study's folders are on
    its path. The working folder is the study file's.

    Args:
        study: The study.
        folder: Where results go.
        study_path: The study's file; None takes the current folder for its folder.
        gpus: The devices to share out; None finds them, and an empty sequence runs trials that ask for some without.

    Attributes:
        parallel: How many trials run at once.
        notes: What the user should know of how trials run here.

    Raises:
        RunError: No trial could run: the program, the data, a secret or a device is missing.
    """

    def __init__(
        self, study: Study, folder: RunFolder, study_path: Path | None = None, gpus: Sequence[str] | None = None
    ) -> None:
        self._study = study
        self._folder = folder
        self._cwd = Path.cwd() if study_path is None else study_path.resolve().parent
        self.notes: list[str] = []
        self._outputs = OutputFolders(folder)
        self.devices = SharedDevices(study.step.resources.gpu, gpus)
        self.parallel = self.devices.limit(study.budget.parallel, self.notes)
        self._base = self._environment()
        self._argv_start, self._executable = find_program(study.step.command_line({}), self._cwd, self._base)
        self._note_what_differs()

    def start(
        self, trial: str, assignment: Mapping[str, str], feed: Callable[[bytes], object], gpus: Sequence[str] = ()
    ) -> TrialProcess:
        """Starts one trial.

        Args:
            trial: Its name.
            assignment: Its hyperparameters as texts.
            feed: Called with each piece of its output.
            gpus: The devices that it gets.

        Raises:
            OSError: The program cannot be started.
            ValueError: A text cannot be passed to a process.
        """
        output = self._outputs.take(trial)
        env = {**self._base, **trial_variables(trial, output)}
        if self.devices.used:
            env["CUDA_VISIBLE_DEVICES"] = ",".join(gpus)
        argv = self._study.step.command_line(assignment)
        return TrialProcess(
            [self._argv_start, *argv[1:]],
            executable=self._executable,
            env=env,
            cwd=self._cwd,
            log=self._folder.log(trial),
            feed=feed,
            timeout=self._study.budget.trial_timeout,
            grace=self._study.step.grace_period,
        )

    def prepare(self, trial: str) -> None:
        """Makes the folder of the trial that will probably start next, while others run and this process has time."""
        self._outputs.prepare(trial)

    def discard(self) -> None:
        """Takes back what was prepared and not used."""
        self._outputs.discard()

    # -- inside ------------------------------------------------------------------------------------------------

    def _environment(self) -> dict[str, str]:
        step = self._study.step
        check_variables(step)
        env = process_environment(step.env, self._cwd, self.parallel)
        if step.data.path is not None:
            env["KFTUNE_DATA"] = str(self._data(step.data.path))
        return env

    def _data(self, path: str) -> Path:
        data = (self._cwd / path).resolve()
        if not data.exists():
            raise RunError(f"the step's data must be there, but {data} is not; see step.data.path in the study")
        return data

    def _note_what_differs(self) -> None:
        resources = self._study.step.resources
        if resources.nodes * resources.procs_per_node > 1:
            self.notes.append(
                f"each trial is one process here; on a cluster it is {resources.nodes} node(s) with "
                f"{resources.procs_per_node} process(es) each"
            )
        if resources.gpu and not self.devices.all:
            self.notes.append("trials run without a GPU, though the study asks for one")


def check_variables(container: ContainerSettings) -> None:
    """Makes sure that the values of secrets and config maps are in this environment.

    Raises:
        RunError: Some are not.
    """
    missing = sorted(name for name in (*container.secrets, *container.config_maps) if name not in os.environ)
    if missing:
        raise RunError(
            f"secrets and config maps come from the environment here, but it has no {', '.join(missing)}; "
            f"for example: export {missing[0]}=..."
        )


def find_program(argv: Sequence[str], cwd: Path, env: Mapping[str, str], file: str = "study") -> tuple[str, str]:
    """The first word of a command line, and the file to run; ``python`` is the interpreter that runs kftune.

    Args:
        argv: The command line.
        cwd: Where it runs.
        env: Its environment, as `process_environment` makes it.
        file: What kind of file the command line stands in.

    Raises:
        RunError: There is no such program, script or module here.
    """
    program = argv[0]
    if program in _PYTHON:
        _check_script(argv, cwd, env, file)
        return sys.executable, sys.executable
    if "/" in program:
        path = cwd / program
        found = str(path) if os.access(path, os.X_OK) and path.is_file() else None
        where = f"{path} is {'not a program' if path.exists() else 'not there'}"
    else:
        found = shutil.which(program, path=env["PATH"])
        where = f"no folder on PATH has {program!r}"
    if found is None:
        raise RunError(
            f"the step's program must be one that runs here, but {where}; install it, or change step.command"
        )
    return program, found


def _check_script(argv: Sequence[str], cwd: Path, env: Mapping[str, str], file: str) -> None:
    if len(argv) > 1 and argv[1].endswith(".py") and not (cwd / argv[1]).is_file():
        raise RunError(
            f"the step's script must be there, but {cwd / argv[1]} is not; it is looked for from the {file} "
            f"file's folder"
        )
    if len(argv) > 2 and argv[1] == "-m":
        _check_module(argv[2], cwd, env)


def _check_module(module: str, cwd: Path, env: Mapping[str, str]) -> None:
    """Looks for a module's package without running any of its code."""
    top = module.partition(".")[0]
    folders = [*env["PYTHONPATH"].split(os.pathsep), *sys.path]
    known = top in sys.builtin_module_names or top in sys.stdlib_module_names
    if not known and importlib.machinery.PathFinder.find_spec(top, folders) is None:
        raise RunError(
            f"the step's module must be one that this Python finds, but {top!r} is not installed and not in {cwd}; "
            f"install it, or change step.module"
        )


def process_environment(own: Mapping[str, str], cwd: Path, parallel: int) -> dict[str, str]:
    """What every trial's process finds: this environment, its own variables, and the Python that runs kftune.

    Args:
        own: The variables of the step or container.
        cwd: The trial's working folder; Python finds the modules in it.
        parallel: How many trials share the cores.
    """
    env = {**os.environ, **own}
    env["PATH"] = os.pathsep.join(filter(None, (str(Path(sys.executable).parent), env.get("PATH", os.defpath))))
    folders = dict.fromkeys((str(cwd), str(Path.cwd()), *filter(None, [env.get("PYTHONPATH")])))
    env["PYTHONPATH"] = os.pathsep.join(folders)
    env["PYTHONUNBUFFERED"] = "1"
    if "OMP_NUM_THREADS" not in env:
        env["OMP_NUM_THREADS"] = str(max(1, _cores() // parallel))
    return env


def trial_variables(trial: str, output: Path) -> dict[str, str]:
    """What tells a trial who it is, and where its files go."""
    return {"KFTUNE_TRIAL_NAME": trial, "KATIB_TRIAL_NAME": trial, "KFTUNE_OUTPUT_DIR": str(output)}


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        return os.cpu_count() or 1
