"""What a trial's process gets: program, environment, folders, devices. Checked before the first trial starts."""

from __future__ import annotations

import importlib.machinery
import os
import re
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from kftune.errors import RunError
from kftune.local.process import TrialProcess
from kftune.results import RunFolder
from kftune.study import Study

_PYTHON = ("python", "python3")


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
        self._prepared: Path | None = None
        self.devices = _Devices(study, gpus)
        self.parallel = self._limit_parallel()
        self._base = self._environment()
        self._argv_start, self._executable = self._program()
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
        output = self._folder.output(trial)
        if output == self._prepared:
            self._prepared = None
        else:
            output.mkdir(exist_ok=True)
        env = {
            **self._base,
            "KFTUNE_TRIAL_NAME": trial,
            "KATIB_TRIAL_NAME": trial,
            "KFTUNE_OUTPUT_DIR": str(output),
        }
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

    # -- inside ------------------------------------------------------------------------------------------------

    def _limit_parallel(self) -> int:
        wanted = self._study.budget.parallel
        possible = self.devices.trials_at_once
        if possible is None or possible >= wanted:
            return wanted
        self.notes.append(
            f"{possible} of {wanted} trials at once: each has {self._study.step.resources.gpu} of the "
            f"{len(self.devices.all)} GPUs here"
        )
        return possible

    def _environment(self) -> dict[str, str]:
        step = self._study.step
        missing = sorted(name for name in (*step.secrets, *step.config_maps) if name not in os.environ)
        if missing:
            raise RunError(
                f"secrets and config maps come from the environment here, but it has no {', '.join(missing)}; "
                f"for example: export {missing[0]}=..."
            )
        env = {**os.environ, **step.env}
        env["PATH"] = os.pathsep.join(filter(None, (str(Path(sys.executable).parent), env.get("PATH", os.defpath))))
        folders = dict.fromkeys((str(self._cwd), str(Path.cwd()), *filter(None, [env.get("PYTHONPATH")])))
        env["PYTHONPATH"] = os.pathsep.join(folders)
        env["PYTHONUNBUFFERED"] = "1"
        if "OMP_NUM_THREADS" not in env:
            env["OMP_NUM_THREADS"] = str(max(1, _cores() // self.parallel))
        if step.data.path is not None:
            env["KFTUNE_DATA"] = str(self._data(step.data.path))
        return env

    def _data(self, path: str) -> Path:
        data = (self._cwd / path).resolve()
        if not data.exists():
            raise RunError(f"the step's data must be there, but {data} is not; see step.data.path in the study")
        return data

    def _program(self) -> tuple[str, str]:
        """The first word of the command line, and the file to run."""
        argv = self._study.step.command_line({})
        program = argv[0]
        if program in _PYTHON:
            self._check_script(argv)
            return sys.executable, sys.executable
        if "/" in program:
            path = self._cwd / program
            found = str(path) if os.access(path, os.X_OK) and path.is_file() else None
            where = f"{path} is {'not a program' if path.exists() else 'not there'}"
        else:
            found = shutil.which(program, path=self._base["PATH"])
            where = f"no folder on PATH has {program!r}"
        if found is None:
            raise RunError(
                f"the step's program must be one that runs here, but {where}; install it, or change step.command"
            )
        return program, found

    def _check_script(self, argv: Sequence[str]) -> None:
        if len(argv) > 1 and argv[1].endswith(".py") and not (self._cwd / argv[1]).is_file():
            raise RunError(
                f"the step's script must be there, but {self._cwd / argv[1]} is not; it is looked for from the study "
                f"file's folder"
            )
        if len(argv) > 2 and argv[1] == "-m":
            self._check_module(argv[2])

    def _check_module(self, module: str) -> None:
        """Looks for a module's package without running any of its code."""
        top = module.partition(".")[0]
        folders = [*self._base["PYTHONPATH"].split(os.pathsep), *sys.path]
        known = top in sys.builtin_module_names or top in sys.stdlib_module_names
        if not known and importlib.machinery.PathFinder.find_spec(top, folders) is None:
            raise RunError(
                f"the step's module must be one that this Python finds, but {top!r} is not installed and not in "
                f"{self._cwd}; install it, or change step.module"
            )

    def _note_what_differs(self) -> None:
        resources = self._study.step.resources
        if resources.nodes * resources.procs_per_node > 1:
            self.notes.append(
                f"each trial is one process here; on a cluster it is {resources.nodes} node(s) with "
                f"{resources.procs_per_node} process(es) each"
            )
        if resources.gpu and not self.devices.all:
            self.notes.append("trials run without a GPU, though the study asks for one")


class _Devices:
    """The GPUs here, shared out so that no two trials have the same one.

    Attributes:
        all: Every device.
        used: Whether trials are told which devices they may see.
        trials_at_once: How many trials the devices are enough for; None when they set no limit.
    """

    def __init__(self, study: Study, gpus: Sequence[str] | None) -> None:
        self._each = study.step.resources.gpu
        self.used = bool(self._each) or (gpus is not None and not gpus)
        self.all = tuple(find_gpus() if gpus is None else gpus) if self._each else ()
        self._free = list(self.all)
        if gpus is None and self._each > len(self.all):
            raise RunError(
                f"each trial needs {self._each} GPU(s) (step.resources.gpu), but here "
                f"{'is' if len(self.all) == 1 else 'are'} {len(self.all) or 'none'}; run it elsewhere, or without GPUs "
                f"(--gpus none)"
            )
        if gpus and self._each > len(self.all):
            raise RunError(f"each trial needs {self._each} GPUs (step.resources.gpu), but got {', '.join(gpus)}")
        self.trials_at_once = len(self.all) // self._each if self.all else None

    def take(self) -> tuple[str, ...]:
        """The devices of one more trial."""
        if not self.all:
            return ()
        taken, self._free = self._free[: self._each], self._free[self._each :]
        return tuple(taken)

    def give_back(self, devices: Sequence[str]) -> None:
        """Devices that a trial no longer uses; the lowest are taken first."""
        self._free = sorted((*self._free, *devices), key=self.all.index)


def find_gpus() -> tuple[str, ...]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        listed = [device.strip() for device in visible.split(",")]
        # CUDA itself stops reading at the first that is none.
        end = next((index for index, device in enumerate(listed) if device in ("", "-1")), len(listed))
        return tuple(listed[:end])
    # A container may hold any of the machine's device files; CUDA counts those that it finds from 0.
    count = sum(1 for path in Path("/dev").glob("nvidia*") if re.fullmatch(r"nvidia\d+", path.name))
    return tuple(map(str, range(count)))


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        return os.cpu_count() or 1
