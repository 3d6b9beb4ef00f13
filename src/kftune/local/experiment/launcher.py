"""What it takes to start the trials of an Experiment, whatever they run in."""

from __future__ import annotations

import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from kftune.errors import RunError
from kftune.local.experiment.metrics import local_folder
from kftune.local.experiment.pod import Known, Mount, Pod, environment, names_of, pod_of, unknown_sources
from kftune.local.processes.devices import SharedDevices
from kftune.local.processes.launch import OutputFolders
from kftune.local.processes.process import TrialProcess
from kftune.results import RunFolder

Runtime = Literal["process", "container"]

_CHECKPOINTS = "checkpoints"


class Options(NamedTuple):
    """How the trials of an Experiment run on this machine."""

    runtime: Runtime = "process"
    """As processes of this machine, or each in its image."""
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
    """What a launcher has to know of an Experiment."""

    run_object: Callable[[str, Mapping[str, str]], Mapping[str, Any]]
    """The object of a trial, by its name and assignment; a ValueError where Katib can make none."""
    primary: str
    """The template's primaryContainerName."""
    wrapped: Callable[[Sequence[str], Sequence[str]], tuple[Sequence[str], Sequence[str]]]
    """Command and args as Katib's webhook leaves them."""
    metrics_folder: str
    """The folder in the container that the collector shares with the trial; empty where there is none."""
    namespace: str
    config_maps: Mapping[str, Mapping[str, str]]
    """Those of the namespace that are known: name -> data."""
    folder: Path
    """That of the Experiment's file."""
    push_address: str
    """Where metrics are pushed to; empty where they are not."""
    checkpoints: str = ""
    """The folder in the container that a trial hands on to others; empty where there is none."""


class Place(NamedTuple):
    """A folder or file here that stands for a path of the container."""

    path: str
    """In the container."""
    here: Path
    of_trial: bool
    """Whether it belongs to the trial, and is made for it."""
    read_only: bool = False


class TemplateLauncher(ABC):
    """Starts trials from an Experiment's template.

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
        parent_of: Names the trial from whose checkpoints another one goes on; None where it begins anew.

    Raises:
        RunError: No trial could run.
        ContainerError: Trials run in containers, and no engine answers.
    """

    def __init__(
        self, template: Template, sample: Mapping[str, str], parallel: int, folder: RunFolder, options: Options
    ) -> None:
        self._template = template
        self._folder = folder
        self._options = options
        self.notes: list[str] = []
        self.parent_of: Callable[[str], str | None] = lambda trial: None
        self._outputs = OutputFolders(folder)
        try:
            pod = self._pod("sample", sample)
        except ValueError as error:
            raise RunError(f"no trial can be made of the template; on Katib the Experiment hangs: {error}") from error
        self.grace = pod.grace
        self.devices = SharedDevices(pod.gpus, options.gpus, "resources.limits")
        self.parallel = self.devices.limit(parallel, self.notes)
        self._check_mounts(pod)
        self._check(pod)
        self._note_what_differs(pod)

    @abstractmethod
    def start(
        self, trial: str, assignment: Mapping[str, str], feed: Callable[[bytes], object], gpus: Sequence[str] = ()
    ) -> TrialProcess:
        """Starts one trial.

        Raises:
            OSError: The program cannot be started.
            ValueError: No object can be made of these values, or a text cannot be passed to a process.
        """

    @abstractmethod
    def _check(self, pod: Pod) -> None:
        """Finds out what would make every trial fail."""

    def prepare(self, trial: str) -> None:
        """Makes the folder of the trial that will probably start next."""
        self._outputs.prepare(trial)

    def discard(self) -> None:
        """Takes back what was prepared and not used."""
        self._outputs.discard()

    @abstractmethod
    def remove_leftovers(self) -> None:
        """Ends what a killed run has left, beside processes."""

    # -- what a trial gets -------------------------------------------------------------------------------------

    def _pod(self, trial: str, assignment: Mapping[str, str]) -> Pod:
        pod = pod_of(self._template.run_object(trial, assignment), self._template.primary)
        if not self._options.strict_wrapper:
            return pod
        command, args = self._template.wrapped(pod.command, pod.args)
        return pod._replace(command=tuple(command), args=tuple(args))

    def _known(self, trial: str) -> Known:
        fields = {
            "metadata.name": trial,
            "metadata.namespace": self._template.namespace,
            "metadata.labels['katib.kubeflow.org/trial']": trial,
        }
        return Known(self._options.env, os.environ, self._template.config_maps, fields)

    def _variables(self, pod: Pod, trial: str) -> dict[str, str]:
        return environment(pod, self._known(trial))

    def _places(self, pod: Pod, output: Path) -> list[Place]:
        """What stands here for paths of the container; no path comes twice."""
        places = {place.path: place for place in self._volumes(pod, output)}
        for path, given in self._options.mounts.items():
            if path.startswith("/"):
                places[path] = Place(path, given, of_trial=False)
        metrics = self._template.metrics_folder
        if metrics:
            places[metrics] = Place(metrics, local_folder(output, metrics), of_trial=True)
        if self._template.checkpoints:
            path = self._template.checkpoints
            places[path] = Place(path, output / _CHECKPOINTS, of_trial=True)
        return [place for path, place in places.items() if path]

    def _volumes(self, pod: Pod, output: Path) -> Iterator[Place]:
        for mount in pod.mounts:
            given = self._options.mounts.get(mount.volume)
            if given is not None:
                here = given / mount.sub_path if mount.sub_path else given
                yield Place(mount.path, here, False, mount.read_only)
            elif self._is_made_here(mount):
                yield Place(mount.path, output / mount.volume / mount.sub_path, True, mount.read_only)

    def _is_made_here(self, mount: Mount) -> bool:
        """Whether the volume is an empty folder, or files that stand in the input."""
        return mount.kind == "emptyDir" or (
            mount.kind == "configMap" and mount.source.get("name") in self._template.config_maps
        )

    def _make(self, pod: Pod, trial: str, places: Sequence[Place]) -> None:
        """Makes the folders of a trial, with what it goes on from, and the files of its ConfigMaps."""
        parent = self.parent_of(trial)
        if parent is not None:
            given, own = (self._folder.output(name) / _CHECKPOINTS for name in (parent, trial))
            if given.is_dir() and not own.exists():
                shutil.copytree(given, own, symlinks=True)
        for place in places:
            if place.of_trial:
                place.here.mkdir(parents=True, exist_ok=True)
        for mount in pod.mounts:
            data = self._template.config_maps.get(str(mount.source.get("name")))
            if mount.kind != "configMap" or data is None:
                continue
            for place in places:
                if place.path == mount.path and place.of_trial:
                    for name, text in data.items():
                        (place.here / name).write_text(text, encoding="utf-8")

    # -- what is told ------------------------------------------------------------------------------------------

    def _check_mounts(self, pod: Pod) -> None:
        known = names_of(pod.mounts)
        unknown = sorted(name for name in self._options.mounts if not name.startswith("/") and name not in known)
        if unknown:
            raise RunError(
                f"--mount names a volume of the container or an absolute path in it, but {unknown[0]!r} is neither; "
                f"its volumes are: {', '.join(known) or 'none'}"
            )

    def _missing(self, pod: Pod) -> list[Mount]:
        """The volumes that only a cluster has."""
        return [
            mount for mount in pod.mounts if not self._is_made_here(mount) and mount.volume not in self._options.mounts
        ]

    def _note_what_differs(self, pod: Pod) -> None:
        if pod.others:
            self.notes.append(f"only {pod.container} runs here, not the other containers: {', '.join(pod.others)}")
        for source in unknown_sources(pod, self._known("sample")):
            self.notes.append(f"the variables of the {source} (envFrom) are not known here; give them by --env")
        if pod.retries:
            self.notes.append(f"a failed trial runs once here; on a cluster up to {pod.retries} more times")
        if pod.gpus and not self.devices.all:
            self.notes.append("trials run without a GPU, though the template asks for one")
