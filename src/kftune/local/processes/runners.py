"""The two ways to start something here: as a process, or in a container by docker or podman."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import ClassVar

from kftune.confined import share
from kftune.containers import ContainerRun, find_engine, how_it_ended, open_to_containers
from kftune.containers.variables import split, unnamed_file
from kftune.errors import ContainerError, RunError
from kftune.images import resolve
from kftune.local.processes.commands import installs, is_shell
from kftune.local.processes.guard.channel import Guard
from kftune.local.processes.leftovers import stop_leftovers
from kftune.local.processes.patience import Patience
from kftune.local.processes.process import INTERRUPTED, PASSED_ON, SIGNALS, TrialProcess
from kftune.local.processes.programs import Remedies, check_program, code_digest, find_program
from kftune.local.processes.spawning import Spawned, spawn
from kftune.local.processes.start import Runtime, Start
from kftune.local.processes.sweep import Sweep

Feed = Callable[[bytes], object]


class ProcessRunner:
    """Starts processes of this machine. ``python`` is the interpreter that runs kftune.

    Attributes:
        runtime: What it starts.
        tell: Called with a note about how processes start, while they do.
        patience: Waits while the machine cannot start them.
        sweep: Ends what processes leave behind.
        guard: Ends them if kftune is killed.
    """

    runtime: ClassVar[Runtime] = "process"

    def __init__(self) -> None:
        self.tell: Callable[[str], object] = str
        self.sweep = Sweep(off=self.runtime == "container")
        self.guard = Guard(lambda note: self.tell(note))
        self.patience = Patience(lambda note: self.tell(note))
        self._outside = dict(os.environ)
        self._cores = _cores()
        self._programs: dict[tuple[str, Path, str], str] = {}

    def path(self, here: Path, there: str) -> str:
        """Returns the path by which a started program sees a file or folder.

        Args:
            here: Its path on this machine.
            there: Its path in a container.
        """
        return str(here) if self.runtime == "process" else there

    def check(self, start: Start, remedies: Remedies) -> None:
        """Checks, before the first start, that its program or image is here.

        Args:
            start: What will be started, perhaps with other values.
            remedies: What an error advises.

        Raises:
            RunError: Its program or image is missing.
            ContainerError: The container engine does not answer.
        """
        self._check(start, remedies)

    def _check(self, start: Start, remedies: Remedies) -> None:
        check_program(_argv(start), start.cwd, self._environment(start), remedies)

    def notes(self, start: Start) -> list[str]:
        """Returns what the user should know before the first start.

        Args:
            start: What will be started, perhaps with other values.
        """
        command = installs(_argv(start))
        if not command:
            return []
        return [
            f"the command has {command!r}, which changes the packages of this machine, also those that kftune runs "
            f"with ({sys.prefix}); install them before and leave it out, or run it in its image (--runtime container)"
        ]

    def code(self, start: Start) -> str:
        """Returns a digest of the code that it runs; empty while that is unknown."""
        return code_digest(_argv(start), start.cwd, self._environment(start))

    def start(self, start: Start, feed: Feed) -> TrialProcess:
        """Starts a trial or step.

        Args:
            start: What is started.
            feed: Called with each piece of its output.

        Raises:
            OSError: The program or the engine cannot be started, or a folder cannot be opened to a container.
            ValueError: A text cannot be passed to a process.
            ContainerError: A part of the record is invalid.
        """
        return self._start(start, feed)

    def _start(self, start: Start, feed: Feed) -> TrialProcess:
        env, argv = self._environment(start), _argv(start)
        key = (argv[0], start.cwd, env["PATH"])
        program = self._programs.get(key)
        if program is None:
            program = self._programs[key] = find_program(*key)
        return TrialProcess(
            [program if program == sys.executable else argv[0], *argv[1:]],
            executable=program,
            env=env,
            cwd=start.cwd,
            log=start.log,
            feed=feed,
            timeout=start.timeout,
            grace=start.grace,
            clean_up=(lambda: self._sweep(start)) if start.sweep else None,
            endings=_endings(start),
            start=self._spawn,
            patience=self.patience,
            sweep=self.sweep,
            guard=self.guard,
            mark=start.mark,
        )

    def _spawn(self, argv: Sequence[str], executable: str, env: Mapping[str, str], cwd: Path, output: int) -> Spawned:
        return spawn(argv, executable, env, cwd, output)

    def close(self) -> None:
        """Ends what starts and guards processes, when none runs any more."""
        self.guard.close()

    def remove_leftovers(
        self, mark: str, labels: Mapping[str, str], groups: Iterable[tuple[int, float | None]] = ()
    ) -> None:
        """Ends the processes and containers that a killed run left behind.

        Args:
            mark: The beginning of ``NAME=value``, as a variable of the processes.
            labels: Labels of the containers.
            groups: Process groups that the run stored; see `stop_leftovers`.

        Raises:
            RunError: A process does not end.
            ContainerError: The container engine does not answer.
        """
        stop_leftovers(mark, groups)
        self._remove_containers(labels)

    def _remove_containers(self, labels: Mapping[str, str]) -> None:
        """Does nothing where there are no containers."""

    def _sweep(self, start: Start) -> None:
        self.remove_leftovers("=".join(start.mark), start.labels)

    def _environment(self, start: Start) -> dict[str, str]:
        env = {**self._outside, **start.env, **start.secrets}
        env[start.mark[0]] = start.mark[1]
        env["PATH"] = os.pathsep.join(filter(None, (_BIN, env.get("PATH", os.defpath))))
        folders = dict.fromkeys([*map(str, start.search), *filter(None, [env.get("PYTHONPATH")])])
        env["PYTHONPATH"] = os.pathsep.join(folders)
        env["PYTHONUNBUFFERED"] = "1"
        if start.shared_by is not None and "OMP_NUM_THREADS" not in env:
            env["OMP_NUM_THREADS"] = str(max(1, self._cores // start.shared_by))
        if start.gpus is not None:
            env["CUDA_VISIBLE_DEVICES"] = ",".join(start.gpus)
        return env


class ContainerRunner(ProcessRunner):
    """Starts each trial or step in its image. kftune's own processes still run on this machine.

    A container gets no capability, no new privileges, and nothing of this machine but what the start record gives.

    Args:
        place: A file or folder of the project; its lock has the images ``images/NAME``.
        images: Image in a file -> the one to run here; under the empty name, the one for all others.

    Raises:
        ContainerError: No container engine answers.
    """

    runtime: ClassVar[Runtime] = "container"

    def __init__(self, place: Path, images: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self._place = place
        self._images = images or {}
        self._engine = find_engine()
        self._ids: dict[str, str] = {}

    def _check(self, start: Start, remedies: Remedies) -> None:
        if not start.pull:
            self.code(start)

    def notes(self, start: Start) -> list[str]:
        """Returns nothing: what a container changes is gone with it."""
        return []

    def code(self, start: Start) -> str:
        """Returns the id of the image, ``sha256:…``; empty if the engine has yet to fetch it.

        Raises:
            RunError: It is not on this machine, and the engine may not fetch it.
        """
        if start.pull:
            return self._engine.image_id(start.image) or ""
        image = self.image(start.image)
        if image not in self._ids:
            found = self._engine.image_id(image)
            if found is None:
                raise RunError(
                    f"the image {image} must be on this machine, but is not; build it (kftune images build), fetch it "
                    f"({self._engine.kind} pull), or run another one (step.image=images/train for a study, --image "
                    f"images/train for a pipeline)"
                )
            self._ids[image] = found
        return self._ids[image]

    def image(self, given: str) -> str:
        """Returns the image to run here for the one in a file.

        Args:
            given: The image in the file; empty where it has none.

        Raises:
            RunError: There is no image, or the project does not have it.
        """
        image = self._images.get(given, self._images.get("", given))
        if not image:
            raise RunError("a container needs an image; give the step one, for example image: images/train")
        try:
            return resolve(image, self._place, "here")
        except ContainerError as error:
            raise RunError(str(error)) from error

    def _start(self, start: Start, feed: Feed) -> TrialProcess:
        if start.own:
            return super()._start(start, feed)
        image = start.image if start.pull else self.image(start.image)
        env = {**start.env, **start.secrets}
        variables = split(env)
        container = replace(start, image=image, user=_user(start), env=env, inherited=[*variables.environment])
        return TrialProcess(
            [self._engine.program],
            executable=self._engine.program,
            env={**self._outside, **variables.environment, start.mark[0]: start.mark[1]},
            cwd=start.cwd,
            log=start.log,
            feed=feed,
            timeout=start.timeout,
            grace=start.grace,
            clean_up=lambda: self._clean_up(start),
            explain=lambda code: how_it_ended(code, container).text,
            endings=PASSED_ON,
            start=partial(self._spawn_client, container, variables.file),
            patience=self.patience,
            sweep=self.sweep,
            guard=self.guard,
            mark=start.mark,
            remove=self._engine.remove_argv(start.name),
        )

    def _spawn_client(
        self,
        container: ContainerRun,
        variables: bytes,
        program: Sequence[str],
        executable: str,
        env: Mapping[str, str],
        cwd: Path,
        output: int,
    ) -> Spawned:
        """Starts the engine's client, which reads the variables from a file that only it can open."""
        with unnamed_file(variables) as (descriptor, file):
            argv = self._engine.run_argv(container, file)
            return spawn(argv, executable, env, cwd, output, keeps=(descriptor,))

    def _remove_containers(self, labels: Mapping[str, str]) -> None:
        self._engine.remove(*self._engine.leftovers(labels))

    def _clean_up(self, start: Start) -> None:
        if start.sweep:
            self._sweep(start)
        # By its name too: a container that is still being made has no labels yet.
        self._engine.remove(start.name)


_BIN = str(Path(sys.executable).parent)


def _argv(start: Start) -> list[str]:
    return [*start.command, *start.args]


def _endings(start: Start) -> Mapping[int, str]:
    if start.own:
        return {**SIGNALS, INTERRUPTED: "SIGTERM"}
    return PASSED_ON if is_shell(_argv(start)[0]) else SIGNALS


def _user(start: Start) -> tuple[int, int] | None:
    """Opens the folders that a container writes to; returns the user that it runs as."""
    if start.as_owner:
        return [open_to_containers(folder) for folder in start.written][-1]
    for folder in start.written:
        share(folder)
    return start.user


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        return os.cpu_count() or 1
