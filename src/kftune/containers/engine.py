"""The container engine of this machine: docker or podman, whichever answers."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from kftune.containers.container import ContainerRun, Folder, Scratch
from kftune.errors import ContainerError

ENGINE_VARIABLE = "KFTUNE_CONTAINER_ENGINE"
"""Environment variable that names the engine: ``docker``, ``podman`` or the path of either."""

Kind = Literal["docker", "podman"]

_CANDIDATES = ("docker", "podman")
# An engine whose daemon hangs must not hang us; stopping and removing wait for the container.
_PATIENCE = 60.0
# Seen with docker 20.10: a container appeared up to 0.1 s after the client that asked for it had been ended.
_BIRTH = 0.3


@dataclass(frozen=True)
class ContainerEngine:
    """A container engine that answers.

    Attributes:
        program: Path of its command line client.
        kind: What it is; a ``docker`` that is podman under another name is podman.
        rootless: Whether it runs without root's rights.
    """

    program: str
    kind: Kind
    rootless: bool = False

    def run_argv(self, container: ContainerRun) -> list[str]:
        """The command that runs a container in the foreground and removes it at its end.

        It takes the values of `ContainerRun.secrets`, and the engine's own settings, from its environment.
        """
        return [self.program, "run", "--rm", *self._options(container), container.image, *_after_image(container)]

    def _options(self, container: ContainerRun) -> Iterator[str]:
        yield f"--name={container.name}"
        yield f"--pull={'missing' if container.pull else 'never'}"
        yield from (f"--label={key}={value}" for key, value in container.labels.items())
        yield from ("--cap-drop=ALL", "--security-opt=no-new-privileges")
        yield from self._user(container)
        if container.network != "default":
            yield f"--network={container.network}"
        yield from _limits(container)
        yield from _files(container)
        yield from (f"--env={name}={value}" for name, value in container.env.items())
        yield from (f"--env={name}" for name in container.secrets)
        yield from self._gpus(container.gpus)
        if container.working_dir is not None:
            yield f"--workdir={container.working_dir}"
        if container.command:
            yield f"--entrypoint={container.command[0]}"

    def _user(self, container: ContainerRun) -> Iterator[str]:
        if container.user is None:
            return
        user, group = container.user
        yield f"--user={user}:{group}"
        if self.kind == "podman" and self.rootless and user == os.getuid():
            # Else a rootless podman maps this number to another user here, who may not write to our folders.
            yield "--userns=keep-id"

    def _gpus(self, gpus: Sequence[str]) -> Iterator[str]:
        if self.kind == "podman":
            yield from (f"--device=nvidia.com/gpu={gpu}" for gpu in gpus)
        elif gpus:
            # docker reads the value as a line of CSV, so the comma between devices needs the quotes.
            yield "--gpus=all" if "all" in gpus else f'--gpus="device={",".join(gpus)}"'

    # -- containers --------------------------------------------------------------------------------------------

    def stop(self, name: str, grace: float) -> None:
        """Asks a container to end, and kills it after `grace` seconds.

        Raises:
            ContainerError: There is no such container, or the engine does not do it.
        """
        self.call("stop", "-t", str(max(0, round(grace))), name, patience=_PATIENCE + grace)

    def kill(self, name: str) -> None:
        """Kills a container at once.

        Raises:
            ContainerError: There is no such container that runs, or the engine does not do it.
        """
        self.call("kill", name)

    def remove(self, *names: str) -> None:
        """Kills containers that still run, and removes them; those that are gone already are fine.

        A daemon that was asked for a container makes it even when the client was ended meanwhile. So docker is asked
        a second time, a moment later, for one that it does not know.

        Raises:
            ContainerError: The engine does not do it.
        """
        if not names:
            return
        at_once = ["--time=0"] if self.kind == "podman" else []
        argv = ["rm", "--force", "--volumes", *at_once, *names]
        done = self._run(argv, _PATIENCE)
        if self.kind == "docker" and "no such container" in done.stderr.lower():
            time.sleep(_BIRTH)
            done = self._run(argv, _PATIENCE)
        left = set(names) & set(self._names()) if done.returncode else set()
        if left:
            raise ContainerError(
                f"{self.kind} must remove {', '.join(sorted(left))}, but does not: {_reason(done.stderr)}"
            )

    def leftovers(self, labels: Mapping[str, str]) -> list[str]:
        """Names of the containers that carry all these labels, running or not.

        Raises:
            ContainerError: The engine does not answer.
        """
        return self._names(*(f"--filter=label={key}={value}" for key, value in labels.items()))

    def _names(self, *filters: str) -> list[str]:
        return self.call("ps", "--all", *filters, "--format={{.Names}}").split()

    # -- images ------------------------------------------------------------------------------------------------

    def image_id(self, reference: str) -> str | None:
        """The id (``sha256:…``) of an image that is here; None when it is not.

        Raises:
            ContainerError: The engine does not answer.
        """
        done = self._run(["image", "inspect", "--format={{.Id}}", reference], _PATIENCE)
        if done.returncode:
            if "no such image" in done.stderr.lower() or "image not known" in done.stderr.lower():
                return None
            raise ContainerError(f"{self.kind} must tell whether {reference} is here, but: {_reason(done.stderr)}")
        found = done.stdout.strip()
        return found if found.startswith("sha256:") else f"sha256:{found}"

    # -- calls -------------------------------------------------------------------------------------------------

    def call(self, *arguments: str, patience: float | None = _PATIENCE) -> str:
        """What a command of the engine prints.

        Args:
            arguments: The command and its arguments.
            patience: The longest that it may take, in seconds.

        Raises:
            ContainerError: It fails or takes too long.
        """
        done = self._run(list(arguments), patience)
        if done.returncode:
            raise ContainerError(f"{self.kind} {arguments[0]} failed: {_reason(done.stderr)}")
        return done.stdout

    def stream(self, *arguments: str) -> None:
        """Runs a command whose output is for people; it goes to our standard error, and takes as long as it takes.

        Raises:
            ContainerError: It fails.
        """
        # Descriptor 2: what a command prints is not a result of ours.
        code = subprocess.run([self.program, *arguments], stdin=subprocess.DEVNULL, stdout=2, check=False).returncode
        if code:
            raise ContainerError(f"{self.kind} {arguments[0]} failed with exit code {code}; the lines above say why")

    def _run(self, arguments: list[str], patience: float | None) -> subprocess.CompletedProcess[str]:
        return _called([self.program, *arguments], patience)


def find_engine(environ: Mapping[str, str] | None = None) -> ContainerEngine:
    """The engine that KFTUNE_CONTAINER_ENGINE names, else docker if it answers, else podman.

    Args:
        environ: The environment; None takes the process's own.

    Raises:
        ContainerError: None answers.
    """
    asked = (os.environ if environ is None else environ).get(ENGINE_VARIABLE)
    refused = []
    for name in (asked,) if asked else _CANDIDATES:
        program = shutil.which(name)
        found = "it is not installed" if program is None else _ask(program)
        if isinstance(found, ContainerEngine):
            return found
        refused.append(f"{name}: {found}")
    remedy = f"{ENGINE_VARIABLE} names it" if asked else f"install or start one, or name one in {ENGINE_VARIABLE}"
    raise ContainerError(
        f"a container runs through docker or podman, but none answers; {remedy}\n  " + "\n  ".join(refused)
    )


def _ask(program: str) -> ContainerEngine | str:
    """The engine behind a client, or why it does not answer."""
    try:
        done = _called([program, "info", "--format={{json .}}"], _PATIENCE)
        told: Any = json.loads(done.stdout)
        if "host" in told:
            return ContainerEngine(program, "podman", bool(told["host"]["security"]["rootless"]))
        # A docker client exits with 0 when it has nobody to talk to and a format is asked for.
        if done.returncode == 0 and told.get("ServerVersion"):
            if _is_podman_s(program):
                return (
                    "it talks to podman's imitation of docker, which loses exit codes, so that whatever fails seems to "
                    "succeed; use podman itself"
                )
            return ContainerEngine(program, "docker", "name=rootless" in (told.get("SecurityOptions") or ()))
    except ContainerError as error:
        return str(error)
    except (ValueError, KeyError, TypeError):  # neither docker nor podman, or one that failed
        pass
    return _reason(done.stderr) or f"`{Path(program).name} info` does not say what it is"


def _is_podman_s(docker: str) -> bool:
    """Whether docker's client talks to podman's API.

    Source: seen with docker 28.2.2 and podman 4.3.1: ``docker run --rm`` exits with 0 whatever the container does.
    """
    done = _called([docker, "version", "--format={{json .Server.Components}}"], _PATIENCE)
    return "Podman Engine" in done.stdout


def _called(argv: list[str], patience: float | None) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=patience,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ContainerError(f"`{Path(argv[0]).name} {argv[1]}` has not answered in {patience:g} s") from error
    except OSError as error:
        raise ContainerError(f"{argv[0]} cannot be started: {error.strerror}") from error


def _reason(stderr: str) -> str:
    """The engine's own words, without its warnings."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line for line in lines if "warn" not in line.lower()] or lines
    return errors[-1].removeprefix("Error: ").removeprefix("ERROR: ") if errors else ""


def _after_image(container: ContainerRun) -> list[str]:
    # The first word of the command is the option --entrypoint; an engine takes one word there.
    return [*container.command[1:], *container.args]


def _limits(container: ContainerRun) -> Iterator[str]:
    if container.cpus is not None:
        yield f"--cpus={container.cpus:g}"
    if container.memory is not None:
        # The same number for both: none of it may be swap.
        yield from (f"--memory={container.memory}b", f"--memory-swap={container.memory}b")
    yield f"--pids-limit={container.pids}"


def _files(container: ContainerRun) -> Iterator[str]:
    if container.read_only:
        yield "--read-only"
    if "/tmp" not in container.targets:  # noqa: S108 - the container's own
        yield _tmpfs(Scratch("/tmp"))  # noqa: S108
    yield from map(_tmpfs, container.scratch)
    yield from map(_mount, container.folders)


def _tmpfs(scratch: Scratch) -> str:
    # docker forbids programs there by itself; an emptyDir allows them, and compilers of kernels need it.
    size = "" if scratch.size is None else f",size={scratch.size}"
    return f"--tmpfs={scratch.target}:rw,exec,nosuid,nodev,mode=1777{size}"


def _mount(folder: Folder) -> str:
    """Both engines read the value as a line of CSV, so that a path may hold a comma. --volume would split at colons."""
    fields = ["type=bind", f"source={folder.source.resolve()}", f"target={folder.target}"]
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow([*fields, "readonly"] if folder.read_only else fields)
    return f"--mount={line.getvalue()}"
