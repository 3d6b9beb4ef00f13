"""Starts the trials of an Experiment: as processes of this machine."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from kftune.errors import RunError
from kftune.local.devices import SharedDevices
from kftune.local.experiment.pod import Known, Mount, Pod, environment, moved, names_of, pod_of, tokens
from kftune.local.launch import OutputFolders, process_environment, trial_variables
from kftune.local.process import TrialProcess
from kftune.results import RunFolder

_PYTHON = ("python", "python3")
# What a shell leaves as it is; the wrapper quotes nothing.
_SAFE_PATH = re.compile(r"[A-Za-z0-9_./+-]+")


class Options(NamedTuple):
    """How the trials of an Experiment run on this machine."""

    env: Mapping[str, str] = {}
    """Variables for every trial; they count before those of the template."""
    mounts: Mapping[str, Path] = {}
    """Volume, or absolute path in the container -> what stands for it here."""
    working_dir: Path | None = None
    """Working folder; None takes the container's where it is there, else that of the Experiment's file."""
    strict_wrapper: bool = False
    """Whether the command goes through the same shell line as on a cluster."""
    gpus: Sequence[str] | None = None
    """The devices to share out; None finds them, and an empty sequence runs trials that ask for some without."""


class Template(NamedTuple):
    """What the launcher has to know of an Experiment."""

    run_object: Callable[[str, Mapping[str, str]], Mapping[str, Any]]
    """The object of a trial, by its name and assignment; a ValueError where Katib can make none."""
    primary: str
    """The template's primaryContainerName."""
    wrapped: Callable[[Sequence[str], Sequence[str]], tuple[Sequence[str], Sequence[str]]]
    """Command and args as Katib's webhook leaves them."""
    metrics_path: str
    """Where the collector reads, in the container; empty where it reads no file."""
    is_folder: bool
    """Whether that is a folder."""
    namespace: str
    config_maps: Mapping[str, Mapping[str, str]]
    """Those of the namespace that are known: name -> data."""
    folder: Path
    """That of the Experiment's file."""
    variables: Mapping[str, str]
    """What every trial gets besides."""


class ProcessLauncher:
    """Starts each trial's container as a process of this machine.

    ``python`` is the interpreter that runs kftune. Paths of the container that stand for a volume, or for the metrics
    file, are replaced in command and variables by folders of the trial.

    Args:
        template: What is run.
        sample: An assignment, to find out before the first trial whether it can run.
        parallel: Trials at once, as the Experiment says.
        folder: Where results go.
        options: How they run.

    Attributes:
        parallel: How many trials run at once.
        notes: What the user should know of how trials run here.
        devices: The GPUs that trials share.
        grace: Seconds between the request to stop and the kill.

    Raises:
        RunError: No trial could run.
    """

    def __init__(
        self, template: Template, sample: Mapping[str, str], parallel: int, folder: RunFolder, options: Options
    ) -> None:
        self._template = template
        self._folder = folder
        self._options = options
        self.notes: list[str] = []
        self._outputs = OutputFolders(folder)
        try:
            pod = self._pod("sample", sample)
        except ValueError as error:
            raise RunError(
                f"no trial can be made of the template, and on Katib the Experiment hangs: {error}"
            ) from error
        self.grace = pod.grace
        self.devices = SharedDevices(pod.gpus, options.gpus, "resources.limits")
        self.parallel = self.devices.limit(parallel, self.notes)
        self._check(pod)
        self._note_what_differs(pod)

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
        for place in (*places.values(), str(output)):
            if place.startswith(str(output)):
                Path(place).mkdir(parents=True, exist_ok=True)
        move = moved(places)
        cwd = self._cwd(pod, move)
        own = {name: move(value) for name, value in self._variables(pod, trial).items()}
        env = {**process_environment(own, cwd, self.parallel), **trial_variables(trial, output)}
        env.update(self._template.variables)
        self._add_path(env)
        if self.devices.used:
            env["CUDA_VISIBLE_DEVICES"] = ",".join(gpus)
        argv = tokens(pod, own, move)
        program = argv[0]
        executable = sys.executable if program in _PYTHON else self._found(program, cwd, env)
        return TrialProcess(
            [executable if program in _PYTHON else program, *argv[1:]],
            executable=executable,
            env=env,
            cwd=cwd,
            log=self._folder.log(trial),
            feed=feed,
            timeout=pod.deadline,
            grace=pod.grace,
        )

    def prepare(self, trial: str) -> None:
        """Makes the folder of the trial that will probably start next."""
        self._outputs.prepare(trial)

    def discard(self) -> None:
        """Takes back what was prepared and not used."""
        self._outputs.discard()

    # -- inside ------------------------------------------------------------------------------------------------

    def _pod(self, trial: str, assignment: Mapping[str, str]) -> Pod:
        pod = pod_of(self._template.run_object(trial, assignment), self._template.primary)
        if not self._options.strict_wrapper:
            return pod
        command, args = self._template.wrapped(pod.command, pod.args)
        return pod._replace(command=tuple(command), args=tuple(args))

    def _variables(self, pod: Pod, trial: str) -> dict[str, str]:
        fields = {
            "metadata.name": trial,
            "metadata.namespace": self._template.namespace,
            "metadata.labels['katib.kubeflow.org/trial']": trial,
        }
        return environment(pod, Known(self._options.env, os.environ, self._template.config_maps, fields))

    def _places(self, pod: Pod, output: Path) -> dict[str, str]:
        """Path in the container -> what stands for it here."""
        places = {mount.path: str(output / mount.volume) for mount in pod.mounts if mount.kind == "emptyDir"}
        for mount in pod.mounts:
            given = self._options.mounts.get(mount.volume)
            if given is not None:
                places[mount.path] = str(given / mount.sub_path if mount.sub_path else given)
        places |= {path: str(given) for path, given in self._options.mounts.items() if path.startswith("/")}
        metrics = metrics_folder(self._template.metrics_path, self._template.is_folder)
        if metrics:
            places[metrics] = str(output / "metrics")
        places.pop("", None)
        return places

    def _cwd(self, pod: Pod, move: Callable[[str], str]) -> Path:
        if self._options.working_dir is not None:
            return self._options.working_dir
        given = Path(move(pod.working_dir)) if pod.working_dir else None
        return given if given is not None and given.is_dir() else self._template.folder

    def _add_path(self, env: dict[str, str]) -> None:
        """The template's own PYTHONPATH additions stand first."""
        extra = self._template.variables.get("PYTHONPATH")
        if extra:
            env["PYTHONPATH"] = os.pathsep.join(filter(None, (extra, os.environ.get("PYTHONPATH", ""))))

    @staticmethod
    def _found(program: str, cwd: Path, env: Mapping[str, str]) -> str:
        if "/" in program:
            return str(cwd / program)
        return shutil.which(program, path=env["PATH"]) or program

    def _check(self, pod: Pod) -> None:
        """Finds out what would make every trial fail."""
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
        move = moved(self._places(pod, output))
        cwd = self._cwd(pod, move)
        if not cwd.is_dir():
            raise RunError(f"the working folder must be there, but {cwd} is not; give another one (--working-dir)")
        own = self._variables(pod, "sample")
        argv = tokens(pod, own, move)
        env = process_environment(own, cwd, 1)
        if argv[0] in _PYTHON:
            self._check_script(argv, cwd)
            return
        found = self._found(argv[0], cwd, env)
        if not os.access(found, os.X_OK) or not Path(found).is_file():
            raise RunError(
                f"the container's program must be one that runs here, but {argv[0]!r} is not found; install it, give "
                f"its folder (--mount /PATH=HERE), or run it in its image (--runtime container)"
            )

    @staticmethod
    def _check_script(argv: Sequence[str], cwd: Path) -> None:
        if len(argv) > 1 and argv[1].endswith(".py") and not (cwd / argv[1]).is_file():
            raise RunError(
                f"the container's script must be there, but {cwd / argv[1]} is not; give the folder that it is looked "
                f"for from (--working-dir), the one that stands for its own (--mount /PATH=HERE), or run it in its "
                f"image (--runtime container)"
            )

    def _note_what_differs(self, pod: Pod) -> None:
        missing = [
            mount
            for mount in pod.mounts
            if mount.kind != "emptyDir" and mount.volume not in self._options.mounts and not Path(mount.path).exists()
        ]
        unknown = sorted(name for name in self._options.mounts if not name.startswith("/"))
        for name in set(unknown) - set(names_of(pod.mounts)):
            raise RunError(
                f"--mount names a volume of the container or an absolute path in it, but {name!r} is neither; its "
                f"volumes are: {', '.join(names_of(pod.mounts)) or 'none'}"
            )
        self.notes += map(_about_mount, missing)
        if pod.working_dir and self._options.working_dir is None and not Path(pod.working_dir).is_dir():
            self.notes.append(
                f"the container's workingDir {pod.working_dir} is not here; trials run in {self._template.folder} "
                f"(--working-dir)"
            )
        if pod.others:
            self.notes.append(f"only {pod.container} runs here, not the other containers: {', '.join(pod.others)}")
        if pod.retries:
            self.notes.append(f"a failed trial runs once here; on a cluster up to {pod.retries} more times")
        if pod.gpus and not self.devices.all:
            self.notes.append("trials run without a GPU, though the template asks for one")


def metrics_folder(path: str, is_folder: bool) -> str:
    """The folder in the container that the collector shares with the trial; empty when there is none."""
    if not path:
        return ""
    return path.rstrip("/") if is_folder else path.rpartition("/")[0]


def _about_mount(mount: Mount) -> str:
    return f"the volume {mount.volume} ({mount.kind}) is not here; a trial finds nothing at {mount.path} (--mount)"
