"""Starts the trials of an Experiment from its template, as processes or in their image."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from kftune.containers import Folder, Scratch
from kftune.errors import RunError
from kftune.katib.go.quantity import parse
from kftune.katib.trial.kubelet import expanded
from kftune.local.experiment.metrics import local_folder
from kftune.local.experiment.places import Place, copy_checkpoints, is_made_here, make_places, own_folder, places_of
from kftune.local.experiment.pod import (
    Known,
    PodMount,
    TrialPod,
    environment,
    moved,
    pod_of,
    unknown_sources,
)
from kftune.local.experiment.template import Options, Template
from kftune.local.processes.devices import SharedDevices
from kftune.local.processes.limits import within_limits
from kftune.local.processes.programs import Remedies
from kftune.local.processes.runners import ContainerRunner, ProcessRunner
from kftune.local.processes.start import Start
from kftune.local.study.shared_trials import trial_variables
from kftune.local.study.trials import OUTPUT, Trials, trial_mark
from kftune.results import RunFolder

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
        devices, notes = SharedDevices(pod.gpus, options.gpus, "resources.limits"), list[str]()
        super().__init__(folder, runner, devices, within_limits(devices.limit(parallel, notes), notes), notes)
        self._check_mounts(pod)
        (self._check_container if options.runtime == "container" else self._check_process)(pod)
        self._check_start(pod)
        self._note_what_differs(pod)

    def _record(self, trial: str, assignment: Mapping[str, str], output: Path, gpus: Sequence[str] | None) -> Start:
        parent = self.parent_of(trial)
        try:
            pod = self._pod(trial, assignment)
            places = self._places(pod, output)
            if parent is not None:
                copy_checkpoints(self.folder.output(parent), output)
            self._make(pod, output, places)
            if self._options.runtime == "container":
                # What is below is open to all, and an image that runs as root may leave programs with root's rights.
                self.folder.outputs.chmod(stat.S_IRWXU)
            return self._start(pod, trial, output, places, gpus)
        except RunError as error:  # the sample could start, so it is due to these values
            raise ValueError(str(error)) from error

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
        return Known({**self._options.secrets, **self._options.env}, self._template.config_maps, fields)

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
        env = {**start.env, **own, **self._push_variables()}
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
            network=self._options.network,
            labels=self.labels,
        )

    def _push_variables(self) -> dict[str, str]:
        if not self._template.push_address:
            return {}
        return {"KATIB_DB_MANAGER_ADDRESS": self._template.push_address, "KATIB_NAMESPACE": self._template.namespace}

    # -- paths -------------------------------------------------------------------------------------------------

    def _places(self, pod: TrialPod, output: Path) -> list[Place]:
        return places_of(pod, output, self._template, self._options)

    def _make(self, pod: TrialPod, output: Path, places: Sequence[Place]) -> None:
        make_places(pod, output, places, self._template.config_maps)

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
        if given is not None and (given.is_dir() or own_folder(pod, places) is not None):
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
            self._make(pod, Path(name), places)
            start = self._start(pod, "sample", Path(name), places)
            try:
                self._check(start, _REMEDIES, self._options.working_dir or self._template.folder)
            except RunError as error:
                message = str(error)
                for place in places:
                    message = message.replace(str(place.here), place.path) if place.of_trial else message
                own = own_folder(pod, places)
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
        if self._template.push_address and self._options.network != "host":
            raise RunError(
                "metrics that are pushed reach kftune through this machine's network, which a container does not see; "
                "give it, if you trust the image (--network host), or let the trial print its metrics"
            )
        if not pod.image:
            raise RunError(f"container {pod.container!r} has no image; give it one, or run it as a process")

    def _missing(self, pod: TrialPod) -> list[PodMount]:
        """The volumes that only a cluster has."""
        given = self._options.mounts
        return [mount for mount in pod.mounts if not is_made_here(mount, self._template) and mount.volume not in given]

    def _note_what_differs(self, pod: TrialPod) -> None:
        if pod.others:
            self.notes.append(f"only {pod.container} runs here, not the other containers: {', '.join(pod.others)}")
        if pod.replicas:
            here = f"each trial is one {self.runner.runtime} here"
            self.notes.append(f"{here}; on a cluster it is several: {pod.replicas}")
        for source in unknown_sources(pod, self._known("sample")):
            self.notes.append(f"the variables of the {source} (envFrom) are not known here; give them by --secret")
        if pod.retries:
            self.notes.append(f"a failed trial runs once here; on a cluster up to {pod.retries} more times")
        if pod.gpus and not self.devices.all:
            self.notes.append("trials run without a GPU, though the template asks for one")
        if self._options.runtime == "process":
            self._note_what_is_missing(pod)
        elif self._options.network == "none":
            self.notes.append("trials have no network (--network engine gives them that of the container engine)")
        elif self._options.network == "host":
            self.notes.append("trials share this machine's network, and reach everything that listens on it")

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
