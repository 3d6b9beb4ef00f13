"""Trials of an Experiment as processes of this machine."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from kftune.errors import RunError
from kftune.local.experiment.launcher import Place, TemplateLauncher
from kftune.local.experiment.metrics import local_folder
from kftune.local.experiment.pod import Mount, Pod, moved, tokens
from kftune.local.processes.launch import process_environment, trial_variables
from kftune.local.processes.process import TrialProcess

FOR_TRIALS = Path(__file__).with_name("for_trials")
"""A folder for PYTHONPATH: it lets Katib's own `report_metrics` find this machine."""

_PYTHON = ("python", "python3")
# What a shell leaves as it is; the wrapper quotes nothing.
_SAFE_PATH = re.compile(r"[A-Za-z0-9_./+-]+")


class ProcessLauncher(TemplateLauncher):
    """Starts each trial's container as a process of this machine.

    ``python`` is the interpreter that runs kftune. Paths of the container that stand for a volume, or for the metrics
    file, are replaced in command and variables by folders of the trial.
    """

    def start(
        self, trial: str, assignment: Mapping[str, str], feed: Callable[[bytes], object], gpus: Sequence[str] = ()
    ) -> TrialProcess:
        """Starts one trial.

        Raises:
            OSError: The program cannot be started.
            ValueError: No object can be made of these values, or a text cannot be passed to a process.
        """
        pod = self._pod(trial, assignment)
        output = self._outputs.take(trial)
        places = self._places(pod, output)
        self._make(pod, trial, places)
        move = self._move(places, output)
        cwd = self._cwd(pod, move)
        own = {name: move(value) for name, value in self._variables(pod, trial).items()}
        env = self._environment(own, cwd) | trial_variables(trial, output)
        if self.devices.used:
            env["CUDA_VISIBLE_DEVICES"] = ",".join(gpus)
        argv = tokens(pod, own, move)
        is_python = argv[0] in _PYTHON
        executable = sys.executable if is_python else _found(argv[0], cwd, env)
        return TrialProcess(
            [executable if is_python else argv[0], *argv[1:]],
            executable=executable,
            env=env,
            cwd=cwd,
            log=self._folder.log(trial),
            feed=feed,
            timeout=pod.deadline,
            grace=pod.grace,
        )

    def remove_leftovers(self) -> None:
        """Nothing: processes are found by their environment."""

    def _environment(self, own: Mapping[str, str], cwd: Path) -> dict[str, str]:
        env = process_environment(own, cwd, self.parallel)
        if self._template.push_address:
            env["KATIB_DB_MANAGER_ADDRESS"] = self._template.push_address
            env["KATIB_NAMESPACE"] = self._template.namespace
            env["PYTHONPATH"] = os.pathsep.join((str(FOR_TRIALS), env["PYTHONPATH"]))
        return env

    def _move(self, places: Sequence[Place], output: Path) -> Callable[[str], str]:
        """What replaces paths in texts.

        A program may be told the folder above the one in which the collector reads, and make that by itself.
        """
        folder = PurePosixPath(self._template.metrics_folder or "/")
        above = {str(parent): str(local_folder(output, str(parent))) for parent in list(folder.parents)[:-1]}
        return moved({place.path: str(place.here) for place in places}, above)

    def _cwd(self, pod: Pod, move: Callable[[str], str]) -> Path:
        if self._options.working_dir is not None:
            return self._options.working_dir
        given = Path(move(pod.working_dir)) if pod.working_dir else None
        return given if given is not None and given.is_dir() else self._template.folder

    def _check(self, pod: Pod) -> None:
        if not pod.command:
            raise RunError(
                f"container {pod.container!r} has no command, so that the image's own would run, which is not known "
                f"here; give the command in the template, or run it in its image (--runtime container)"
            )
        output = self._folder.output("sample")
        if self._options.strict_wrapper and not _SAFE_PATH.fullmatch(str(output)):
            raise RunError(
                f"Katib's shell line quotes no path, so with --strict-wrapper the results' folder must be of letters, "
                f"digits and ./_-, and is {str(self._folder.path)!r}; give another one (--dir)"
            )
        move = self._move(self._places(pod, output), output)
        cwd = self._cwd(pod, move)
        if not cwd.is_dir():
            raise RunError(f"the working folder must be there, but {cwd} is not; give another one (--working-dir)")
        own = self._variables(pod, "sample")
        argv = tokens(pod, own, move)
        if argv[0] in _PYTHON:
            _check_script(argv, cwd)
            return
        found = Path(_found(argv[0], cwd, self._environment(own, cwd)))
        if not os.access(found, os.X_OK) or not found.is_file():
            raise RunError(
                f"the container's program must be one that runs here, but {argv[0]!r} is not found; install it, give "
                f"its folder (--mount /PATH=HERE), or run it in its image (--runtime container)"
            )

    def _note_what_differs(self, pod: Pod) -> None:
        super()._note_what_differs(pod)
        self.notes += [_about_mount(mount) for mount in self._missing(pod) if not Path(mount.path).exists()]
        if pod.working_dir and self._options.working_dir is None and not Path(pod.working_dir).is_dir():
            self.notes.append(
                f"the container's workingDir {pod.working_dir} is not here; trials run in {self._template.folder} "
                f"(--working-dir)"
            )


def _found(program: str, cwd: Path, env: Mapping[str, str]) -> str:
    if "/" in program:
        return str(cwd / program)
    return shutil.which(program, path=env["PATH"]) or program


def _check_script(argv: Sequence[str], cwd: Path) -> None:
    if len(argv) > 1 and argv[1].endswith(".py") and not (cwd / argv[1]).is_file():
        raise RunError(
            f"the container's script must be there, but {cwd / argv[1]} is not; give the folder that it is looked "
            f"for from (--working-dir), the one that stands for its own (--mount /PATH=HERE), or run it in its "
            f"image (--runtime container)"
        )


def _about_mount(mount: Mount) -> str:
    return f"the volume {mount.volume} ({mount.kind}) is not here; a trial finds nothing at {mount.path} (--mount)"
