"""Starts the trials of an Experiment from its template, as processes or in their image."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import NamedTuple

from kftune.containers import Folder, Scratch
from kftune.errors import RunError
from kftune.katib.go.quantity import parse
from kftune.katib.trial.kubelet import expanded
from kftune.local.experiment.metrics import local_folder
from kftune.local.experiment.pod import (
    Known,
    PodMount,
    TrialPod,
    environment,
    moved,
    pod_of,
    secret_names,
    unknown_sources,
)
from kftune.local.experiment.template import Options, Template
from kftune.local.processes.devices import SharedDevices
from kftune.local.processes.programs import Remedies
from kftune.local.processes.runners import ContainerRunner, ProcessRunner
from kftune.local.processes.start import Start
from kftune.local.study.shared_trials import trial_variables
from kftune.local.study.trials import OUTPUT, Trials, trial_mark
from kftune.results import RunFolder

_CHECKPOINTS = "checkpoints"
_HOOK = Path(__file__).with_name("for_trials")
_HOOK_THERE = "/kftune/for_trials"
# What a shell leaves as it is; Katib's shell line quotes nothing.
_SAFE_PATH = re.compile(r"[A-Za-z0-9_./+-]+")
_REMEDIES = Remedies(
    "install it, give its folder (--mount /PATH=HERE), or run it in its image (--runtime container)",
    "give the folder that it is looked for from (--working-dir; for a rendered study, that of the study), the one to "
    "use for its own (--mount /PATH=HERE), or run it in its image (--runtime container)",
    "install it, give the folder that it is looked for from (--working-dir; for a rendered study, that of the study), "
    "or run it in its image (--runtime container)",
)


class Place(NamedTuple):
    """A file or folder here that is used for a path of the container."""

    path: str
    """In the container."""
    here: Path
    of_trial: bool
    """Whether it is made for the trial."""
    read_only: bool = False


class ExperimentTrials(Trials):
    """Starts the trials of an Experiment, each with the command, variables and limits of its pod.

    In a process, paths of the container are replaced in command and variables by paths of this machine; in a container
    they are mounted.

    Args:
        template: What trials are made from.
        sample: An assignment, to check before the first trial whether any can run.
        parallel: How many should run at the same time.
        folder: Where results go.
        options: How they run.

    Attributes:
        grace: Seconds between the request to stop and the kill.
        lost_retries: How often a trial that is ended from outside starts again.
        parent_of: Names the trial whose checkpoints another one resumes; None to start from scratch.

    Raises:
        RunError: No trial can run.
        ContainerError: Trials run in containers, and no engine answers.
    """

    def __init__(
        self, template: Template, sample: Mapping[str, str], parallel: int, folder: RunFolder, options: Options
    ) -> None:
        self._template = template
        self._options = options
        self.parent_of: Callable[[str], str | None] = lambda trial: None
        try:
            pod = self._pod("sample", sample)
        except ValueError as error:
            raise RunError(f"the template makes no trial; on Katib the Experiment hangs: {error}") from error
        self.grace, self.lost_retries = pod.grace, pod.lost_retries
        runner = ContainerRunner(template.folder) if options.runtime == "container" else ProcessRunner()
        super().__init__(folder, runner, SharedDevices(pod.gpus, options.gpus, "resources.limits"), parallel)
        self._check_mounts(pod)
        (self._check_container if options.runtime == "container" else self._check_process)(pod)
        self._check_start(pod)
        self._note_what_differs(pod)

    def _record(self, trial: str, assignment: Mapping[str, str], output: Path, gpus: Sequence[str] | None) -> Start:
        pod = self._pod(trial, assignment)
        places = self._places(pod, output)
        self._make(pod, trial, places)
        return self._start(pod, trial, output, places, gpus)

    # -- the start record --------------------------------------------------------------------------------------

    def _pod(self, trial: str, assignment: Mapping[str, str]) -> TrialPod:
        template = self._template
        pod = pod_of(template.run_object(trial, assignment), template.primary, template.labels)
        command, args = template.started(pod.command, pod.args)
        return replace(pod, command=tuple(command), args=tuple(args))

    def _start(
        self, pod: TrialPod, trial: str, output: Path, places: Sequence[Place], gpus: Sequence[str] | None = None
    ) -> Start:
        start = Start(
            name=f"{self._name}{trial}",
            command=pod.command,
            args=pod.args,
            env=environment(pod, self._known(trial)),
            mark=trial_mark(output),
            cwd=self._template.folder,
            log=self.folder.log(trial),
            timeout=pod.deadline,
            grace=pod.grace,
            gpus=gpus,
        )
        make = self._in_container if self._options.runtime == "container" else self._in_process
        return make(start, pod, places, output, trial_variables(trial, self.runner.path(output, OUTPUT)))

    def _known(self, trial: str) -> Known:
        fields = {
            "metadata.name": trial,
            "metadata.namespace": self._template.namespace,
            "metadata.labels['katib.kubeflow.org/trial']": trial,
        }
        return Known(self._options.env, os.environ, self._template.config_maps, fields)

    def _in_process(
        self, start: Start, pod: TrialPod, places: Sequence[Place], output: Path, own: dict[str, str]
    ) -> Start:
        move = self._move(places, output)
        env = {name: move(value) for name, value in start.env.items()}
        cwd = self._working_folder(pod, places, output)
        hook = [_HOOK] if self._template.push_address else []
        return replace(
            start,
            command=[move(expanded(token, env)) for token in pod.command],
            args=[move(expanded(token, env)) for token in pod.args],
            env={**env, **own, **self._push_variables()},
            cwd=cwd,
            search=[*hook, cwd, Path.cwd()],
            shared_by=self.parallel,
        )

    def _in_container(
        self, start: Start, pod: TrialPod, places: Sequence[Place], output: Path, own: dict[str, str]
    ) -> Start:
        secret = secret_names(pod, self._options.env) & start.env.keys()
        env = {name: value for name, value in start.env.items() if name not in secret} | own | self._push_variables()
        all_places = [*places, Place(OUTPUT, output, of_trial=True)]
        memory = sorted(
            mount.path for mount in pod.mounts if mount.in_memory and mount.volume not in self._options.mounts
        )
        folders = [Folder(place.here, place.path, place.read_only) for place in all_places if place.path not in memory]
        if self._template.push_address:
            folders.append(Folder(_HOOK, _HOOK_THERE, read_only=True))
            env["PYTHONPATH"] = os.pathsep.join(filter(None, (_HOOK_THERE, env.get("PYTHONPATH"))))
        limits = {name: parse(str(amount)) for name, amount in pod.limits.items()}
        cpus, most = limits.get("cpu"), limits.get("memory")
        given = self._options.working_dir
        return replace(
            start,
            command=[expanded(token, start.env) for token in pod.command],
            args=[expanded(token, start.env) for token in pod.args],
            env=env,
            secrets={name: start.env[name] for name in secret},
            image=pod.image,
            pull=True,
            working_dir=pod.working_dir or None if given is None else str(given),
            folders=folders,
            scratch=[Scratch(path) for path in memory],
            written=[place.here for place in all_places if place.of_trial],
            as_owner=False,
            user=pod.user,
            read_only=pod.read_only,
            cpus=None if cpus is None else float(cpus),
            memory=None if most is None else int(most),
            network="host" if self._template.push_address else "default",
            labels=self.labels,
        )

    def _push_variables(self) -> dict[str, str]:
        if not self._template.push_address:
            return {}
        return {"KATIB_DB_MANAGER_ADDRESS": self._template.push_address, "KATIB_NAMESPACE": self._template.namespace}

    # -- paths -------------------------------------------------------------------------------------------------

    def _places(self, pod: TrialPod, output: Path) -> list[Place]:
        """What is used here for paths of the container; each path is there once."""
        places = {place.path: place for place in self._volumes(pod, output)}
        for path, given in self._options.mounts.items():
            if path.startswith("/"):
                places[path] = Place(path, given, of_trial=False)
        metrics, checkpoints = self._template.metrics_folder, self._template.checkpoints
        if metrics:
            places[metrics] = Place(metrics, local_folder(output, metrics), of_trial=True)
        if checkpoints:
            places[checkpoints] = Place(checkpoints, output / _CHECKPOINTS, of_trial=True)
        return [place for path, place in places.items() if path]

    def _volumes(self, pod: TrialPod, output: Path) -> Iterator[Place]:
        for mount in pod.mounts:
            given = self._options.mounts.get(mount.volume)
            if given is not None:
                here = given / mount.sub_path if mount.sub_path else given
                yield Place(mount.path, here, False, mount.read_only)
            elif self._is_made_here(mount):
                yield Place(mount.path, output / mount.volume / mount.sub_path, True, mount.read_only)

    def _is_made_here(self, mount: PodMount) -> bool:
        """Whether the volume is an empty folder, or a ConfigMap of the input."""
        return mount.kind == "emptyDir" or (
            mount.kind == "configMap" and mount.source.get("name") in self._template.config_maps
        )

    def _make(self, pod: TrialPod, trial: str, places: Sequence[Place]) -> None:
        """Makes a trial's folders, with the checkpoints that it resumes and the files of its ConfigMaps."""
        parent = self.parent_of(trial)
        if parent is not None:
            given, own = (self.folder.output(name) / _CHECKPOINTS for name in (parent, trial))
            if given.is_dir() and not own.exists():
                shutil.copytree(given, own, symlinks=True)
        made = {place.path: place.here for place in places if place.of_trial}
        for mount in pod.mounts:
            if mount.kind == "configMap" and mount.path in made:
                data = self._template.config_maps.get(str(mount.source.get("name")), {})
                if mount.sub_path in data:  # one file, at the path itself
                    _write(made.pop(mount.path), data[mount.sub_path])
                    continue
                for name, text in data.items():
                    _write(made[mount.path] / name, text)
        for here in made.values():
            here.mkdir(parents=True, exist_ok=True)
        working_folder = _own_folder(pod, places)
        if working_folder is not None:
            working_folder.mkdir(parents=True, exist_ok=True)

    def _move(self, places: Sequence[Place], output: Path) -> Callable[[str], str]:
        """Makes the function that replaces paths of the container in a text.

        A program may get the parent of the folder in which the collector reads, and make that folder itself.
        """
        folder = PurePosixPath(self._template.metrics_folder or "/")
        above = {str(parent): str(local_folder(output, str(parent))) for parent in list(folder.parents)[:-1]}
        return moved({place.path: str(place.here) for place in places}, above)

    def _working_folder(self, pod: TrialPod, places: Sequence[Place], output: Path) -> Path:
        """Returns the folder in which a trial runs; one of its own may not be made yet."""
        if self._options.working_dir is not None:
            return self._options.working_dir
        given = Path(self._move(places, output)(pod.working_dir)) if pod.working_dir else None
        if given is not None and (given.is_dir() or _own_folder(pod, places) is not None):
            return given
        return self._template.folder

    # -- checks and notes --------------------------------------------------------------------------------------

    def _check_mounts(self, pod: TrialPod) -> None:
        known = dict.fromkeys(mount.volume for mount in pod.mounts)
        unknown = sorted(name for name in self._options.mounts if not name.startswith("/") and name not in known)
        if unknown:
            raise RunError(
                f"--mount names a volume of the container or an absolute path in it, but {unknown[0]!r} is neither; "
                f"its volumes are: {', '.join(known) or 'none'}"
            )

    def _check_process(self, pod: TrialPod) -> None:
        if not pod.command:
            raise RunError(
                f"container {pod.container!r} has no command, and the image's own is not known here; give the command "
                f"in the template, or run it in its image (--runtime container)"
            )
        output = self.folder.output("sample")
        if self._options.strict_wrapper and not _SAFE_PATH.fullmatch(str(output)):
            raise RunError(
                f"Katib's shell line quotes no path, so with --strict-wrapper the results' folder must be of letters, "
                f"digits and ./_-, but is {str(self.folder.path)!r}; give another one (--dir)"
            )
        given = self._options.working_dir
        if given is not None and not given.is_dir():
            raise RunError(f"the working folder must be there, but {given} is not; give another one (--working-dir)")

    def _check_start(self, pod: TrialPod) -> None:
        """Checks that a trial with its own files can start. Messages name them as the container does."""
        with TemporaryDirectory() as name:
            places = self._places(pod, Path(name))
            self._make(pod, "sample", places)
            start = self._start(pod, "sample", Path(name), places)
            try:
                self._check(start, _REMEDIES, self._options.working_dir or self._template.folder)
            except RunError as error:
                message = str(error)
                for place in places:
                    message = message.replace(str(place.here), place.path) if place.of_trial else message
                own = _own_folder(pod, places)
                if own is not None and not any(own.iterdir()):
                    message = f"{message}; {pod.working_dir} is empty when a trial starts, here and on a cluster"
                raise RunError(message) from error

    def _check_container(self, pod: TrialPod) -> None:
        missing = self._missing(pod)
        if missing:
            mount = missing[0]
            raise RunError(
                f"the volume {mount.volume} ({mount.kind}) is on the cluster only; give a file or folder for it: "
                f"--mount {mount.volume}=PATH"
            )
        if not pod.image:
            raise RunError(f"container {pod.container!r} has no image; give it one, or run it as a process")

    def _missing(self, pod: TrialPod) -> list[PodMount]:
        """The volumes that only a cluster has."""
        given = self._options.mounts
        return [mount for mount in pod.mounts if not self._is_made_here(mount) and mount.volume not in given]

    def _note_what_differs(self, pod: TrialPod) -> None:
        if pod.others:
            self.notes.append(f"only {pod.container} runs here, not the other containers: {', '.join(pod.others)}")
        if pod.replicas:
            here = f"each trial is one {self.runner.runtime} here"
            self.notes.append(f"{here}; on a cluster it is several: {pod.replicas}")
        for source in unknown_sources(pod, self._known("sample")):
            self.notes.append(f"the variables of the {source} (envFrom) are not known here; give them by --env")
        if pod.retries:
            self.notes.append(f"a failed trial runs once here; on a cluster up to {pod.retries} more times")
        if pod.gpus and not self.devices.all:
            self.notes.append("trials run without a GPU, though the template asks for one")
        if self._options.runtime == "process":
            self._note_what_is_missing(pod)
        elif self._template.push_address:
            self.notes.append("trials share this machine's network, so that they can push their metrics")

    def _note_what_is_missing(self, pod: TrialPod) -> None:
        for mount in self._missing(pod):
            if not Path(mount.path).exists():
                self.notes.append(
                    f"the volume {mount.volume} ({mount.kind}) is not here; a trial finds nothing at {mount.path} "
                    f"(--mount)"
                )
        output = self.folder.output("sample")
        folder = self._working_folder(pod, self._places(pod, output), output)
        if pod.working_dir and self._options.working_dir is None and folder == self._template.folder:
            self.notes.append(
                f"the container's workingDir {pod.working_dir} is not here; trials run in {self._template.folder} "
                f"(--working-dir)"
            )


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _own_folder(pod: TrialPod, places: Sequence[Place]) -> Path | None:
    """Returns the working folder of a container that lies in a folder made for the trial; None for any other."""
    given = PurePosixPath(pod.working_dir)
    for place in sorted(places, key=lambda place: place.path, reverse=True):
        if given.is_relative_to(place.path) and ".." not in given.parts:
            return place.here / given.relative_to(place.path) if place.of_trial else None
    return None
