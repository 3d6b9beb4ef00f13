"""Trials of an Experiment in their image, by docker or podman."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from kftune.containers import Container, Folder, Scratch, find_engine, how_it_ended
from kftune.errors import RunError
from kftune.katib.go.quantity import parse
from kftune.katib.trial.kubelet import expanded
from kftune.local.experiment.launcher import Options, Place, Template, TemplateLauncher
from kftune.local.experiment.pod import Pod, fetched_names
from kftune.local.experiment.processes import FOR_TRIALS
from kftune.local.processes.launch import trial_variables
from kftune.local.processes.process import TrialProcess
from kftune.results import RunFolder

_OUTPUT = "/kftune/output"
_FOR_TRIALS = "/kftune/for_trials"
_LABEL = "io.kftune.run"


class ContainerLauncher(TemplateLauncher):
    """Starts each trial in its image, with its command, variables, limits and volumes.

    No capability, no new privileges, and nothing of this machine but the trial's own folders and what `--mount` gives.
    """

    def __init__(
        self, template: Template, sample: Mapping[str, str], parallel: int, folder: RunFolder, options: Options
    ) -> None:
        self._engine = find_engine()
        self._labels = {_LABEL: hashlib.sha256(str(folder.path).encode()).hexdigest()[:32]}
        super().__init__(template, sample, parallel, folder, options)

    def start(
        self, trial: str, assignment: Mapping[str, str], feed: Callable[[bytes], object], gpus: Sequence[str] = ()
    ) -> TrialProcess:
        """Starts one trial.

        Raises:
            OSError: The engine cannot be started.
            ValueError: No object can be made of these values.
        """
        pod = self._pod(trial, assignment)
        output = self._outputs.take(trial)
        places = [*self._places(pod, output), Place(_OUTPUT, output, of_trial=True)]
        self._make(pod, trial, places)
        for place in places:
            if place.of_trial:
                place.here.chmod(0o1777)  # as an emptyDir is: the image's user is anybody
        variables = self._variables(pod, trial)
        container = self._container(pod, trial, places, variables, gpus)
        argv = self._engine.run_argv(container)
        secrets = {name: variables[name] for name in container.secrets}
        process = TrialProcess(
            argv,
            executable=argv[0],
            env={**os.environ, **secrets, **trial_variables(trial, output)},
            cwd=self._template.folder,
            log=self._folder.log(trial),
            feed=feed,
            timeout=pod.deadline,
            grace=pod.grace,
            clean_up=lambda: self._engine.remove(container.name),
        )
        process.exit_text = lambda code: how_it_ended(code, container).text
        return process

    def remove_leftovers(self) -> None:
        """Removes the containers of a killed run; their clients have gone."""
        self._engine.remove(*self._engine.leftovers(self._labels))

    def _container(
        self,
        pod: Pod,
        trial: str,
        places: Sequence[Place],
        variables: Mapping[str, str],
        gpus: Sequence[str],
    ) -> Container:
        given_here = self._options.mounts
        memory = {mount.path for mount in pod.mounts if mount.in_memory and mount.volume not in given_here}
        secret = fetched_names(pod, self._known(trial)) & set(variables)
        given = {**variables, **trial_variables(trial, Path(_OUTPUT)), **self._for_push(variables)}
        folders = [Folder(place.here, place.path, place.read_only) for place in places if place.path not in memory]
        if self._template.push_address:
            folders.append(Folder(FOR_TRIALS, _FOR_TRIALS, read_only=True))
        limits = {name: parse(str(amount)) for name, amount in pod.limits.items()}
        cpus, most = limits.get("cpu"), limits.get("memory")
        return Container(
            image=pod.image,
            name=f"kftune-{self._labels[_LABEL][:8]}-{trial}",
            command=[expanded(token, variables) for token in pod.command],
            args=[expanded(token, variables) for token in pod.args],
            env={name: value for name, value in given.items() if name not in secret},
            secrets=sorted(secret),
            working_dir=self._working_dir(pod),
            folders=folders,
            scratch=[Scratch(path) for path in sorted(memory)],
            cpus=None if cpus is None else float(cpus),
            memory=None if most is None else int(most),
            user=pod.user,
            read_only=pod.read_only,
            network="host" if self._template.push_address else "default",
            pull=True,
            gpus=gpus,
            labels=self._labels,
        )

    def _for_push(self, variables: Mapping[str, str]) -> dict[str, str]:
        if not self._template.push_address:
            return {}
        path = os.pathsep.join(filter(None, (_FOR_TRIALS, variables.get("PYTHONPATH"))))
        address, namespace = self._template.push_address, self._template.namespace
        return {"KATIB_DB_MANAGER_ADDRESS": address, "KATIB_NAMESPACE": namespace, "PYTHONPATH": path}

    def _working_dir(self, pod: Pod) -> str | None:
        given = self._options.working_dir
        return pod.working_dir or None if given is None else str(given)

    def _check(self, pod: Pod) -> None:
        missing = self._missing(pod)
        if missing:
            mount = missing[0]
            raise RunError(
                f"the volume {mount.volume} ({mount.kind}) is on the cluster only; say what stands for it here: "
                f"--mount {mount.volume}=PATH"
            )
        if not pod.image:
            raise RunError(f"container {pod.container!r} has no image; give it one, or run it as a process")
        self._variables(pod, "sample")

    def _note_what_differs(self, pod: Pod) -> None:
        super()._note_what_differs(pod)
        if self._template.push_address:
            self.notes.append("trials share this machine's network, so that they can push their metrics")
