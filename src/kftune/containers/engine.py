"""The container engine of this machine: docker or podman."""

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
# The longest wait for an engine: its daemon may hang.
_PATIENCE = 60.0
# With docker 20.10, a container appeared up to 0.1 s after the client that had asked for it was killed.
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

    def run_argv(self, container: ContainerRun, env_file: str = "") -> list[str]:
        """Returns the command that runs a container in the foreground and removes it at its end.

        It reads the values of `ContainerRun.inherited`, and the engine's settings, from its environment.

        Args:
            container: The container.
            env_file: A file with the variables in `env`; see `kftune.containers.variables`.

        Raises:
            ContainerError: A part of the record is invalid, or it has variables and no file for them.
        """
        container.check()
        if container.env and not env_file:
            raise ContainerError("the variables of a container are given in a file, never on the command line")
        options = self._options(container, env_file if container.env else "")
        return [self.program, "run", "--rm", *options, container.image, *_after_image(container)]

    def _options(self, container: ContainerRun, env_file: str) -> Iterator[str]:
        yield f"--name={container.name}"
        yield f"--pull={'missing' if container.pull else 'never'}"
        yield from (f"--label={key}={value}" for key, value in container.labels.items())
        yield from ("--cap-drop=ALL", "--security-opt=no-new-privileges")
        yield from (f"--cap-add={name}" for name in container.capabilities)
        yield from self._user(container)
        if container.network != "default":
            yield f"--network={container.network}"
        if container.network == "none" and self.kind == "podman":
            yield "--http-proxy=false"  # podman gives this machine's proxies, and their passwords, to every container
        yield from _limits(container)
        yield from _files(container)
        if env_file:
            yield f"--env-file={env_file}"
        yield from (f"--env={name}" for name in container.inherited)
        yield from self._gpus(container.gpus or ())
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
            # Without this, a rootless podman maps the number to another user, who may not write to the folders.
            yield "--userns=keep-id"

    def _gpus(self, gpus: Sequence[str]) -> Iterator[str]:
        if self.kind == "podman":
            yield from (f"--device=nvidia.com/gpu={gpu}" for gpu in gpus)
        elif gpus:
            # docker reads the value as a line of CSV, so the comma between devices needs the quotes.
            yield "--gpus=all" if "all" in gpus else f'--gpus="device={",".join(gpus)}"'

    # -- containers --------------------------------------------------------------------------------------------

    def stop(self, name: str, grace: float) -> None:
        """Asks a container to end, and kills it after a while.

        Args:
            name: Its name.
            grace: Seconds until the kill.

        Raises:
            ContainerError: The container does not exist, or the engine fails.
        """
        self.call("stop", "-t", str(max(0, round(grace))), name, patience=_PATIENCE + grace)

    def kill(self, name: str) -> None:
        """Kills a container.

        Raises:
            ContainerError: The container does not run, or the engine fails.
        """
        self.call("kill", name)

    def remove_argv(self, *names: str) -> list[str]:
        """Returns the command that kills and removes containers."""
        at_once = ["--time=0"] if self.kind == "podman" else []
        return [self.program, "rm", "--force", "--volumes", *at_once, *names]

    def remove(self, *names: str) -> None:
        """Kills and removes containers; ignores names that do not exist.

        Docker's daemon makes a container that it was asked for even after the client was killed. So docker is asked
        again, a moment later, for a name that it does not know.

        Raises:
            ContainerError: A container is still there.
        """
        if not names:
            return
        argv = self.remove_argv(*names)[1:]
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
        """Returns the names of the containers with all these labels, running or not.

        Raises:
            ContainerError: The engine does not answer.
        """
        return self._names(*(f"--filter=label={key}={value}" for key, value in labels.items()))

    def _names(self, *filters: str) -> list[str]:
        return self.call("ps", "--all", *filters, "--format={{.Names}}").split()

    # -- images ------------------------------------------------------------------------------------------------

    def image_id(self, reference: str) -> str | None:
        """Returns the id of an image (``sha256:…``); None when it is not on this machine.

        Raises:
            ContainerError: The engine does not answer.
        """
        done = self._run(["image", "inspect", "--format={{.Id}}", "--", reference], _PATIENCE)
        if done.returncode:
            if "no such image" in done.stderr.lower() or "image not known" in done.stderr.lower():
                return None
            raise ContainerError(f"{self.kind} does not say whether {reference} is here: {_reason(done.stderr)}")
        found = done.stdout.strip()
        return found if found.startswith("sha256:") else f"sha256:{found}"

    # -- calls -------------------------------------------------------------------------------------------------

    def call(self, *arguments: str, patience: float | None = _PATIENCE) -> str:
        """Returns what a command of the engine prints.

        Args:
            arguments: The command and its arguments.
            patience: The longest that it may take, in seconds; None for any time.

        Raises:
            ContainerError: It fails or takes too long.
        """
        done = self._run(list(arguments), patience)
        if done.returncode:
            raise ContainerError(f"{self.kind} {arguments[0]} failed: {_reason(done.stderr)}")
        return done.stdout

    def stream(self, *arguments: str) -> None:
        """Runs a command with output for people, on standard error, without a time limit.

        Raises:
            ContainerError: It fails.
        """
        # Descriptor 2: the output is not a result of kftune.
        code = subprocess.run([self.program, *arguments], stdin=subprocess.DEVNULL, stdout=2, check=False).returncode
        if code:
            raise ContainerError(f"{self.kind} {arguments[0]} failed with exit code {code}; the lines above say why")

    def _run(self, arguments: list[str], patience: float | None) -> subprocess.CompletedProcess[str]:
        return _called([self.program, *arguments], patience)


def find_engine(environ: Mapping[str, str] | None = None) -> ContainerEngine:
    """Returns the engine that KFTUNE_CONTAINER_ENGINE names; without it, docker if it answers, or podman.

    Args:
        environ: The environment; None takes that of this process.

    Raises:
        ContainerError: No engine answers.
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
    """Returns the engine of a client, or why it does not answer."""
    try:
        done = _called([program, "info", "--format={{json .}}"], _PATIENCE)
        info: Any = json.loads(done.stdout)
        if "host" in info:
            return ContainerEngine(program, "podman", bool(info["host"]["security"]["rootless"]))
        # With a format, a docker client exits with 0 even if no daemon answers.
        if done.returncode == 0 and info.get("ServerVersion"):
            if _is_podman_s(program):
                return (
                    "it talks to podman's imitation of docker, which loses exit codes, so that failures look like "
                    "successes; use podman itself"
                )
            return ContainerEngine(program, "docker", "name=rootless" in (info.get("SecurityOptions") or ()))
    except ContainerError as error:
        return str(error)
    except (ValueError, KeyError, TypeError):  # neither docker nor podman, or one that failed
        pass
    return _reason(done.stderr) or f"`{Path(program).name} info` does not say what it is"


def _is_podman_s(docker: str) -> bool:
    """Whether docker's client talks to podman's API.

    Source: seen with docker 28.2.2 and podman 4.3.1: ``docker run --rm`` exits with 0 even if the container fails.
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
    # The first word of the command is in the option --entrypoint, which takes only one.
    return [*container.command[1:], *container.args]


def _limits(container: ContainerRun) -> Iterator[str]:
    if container.cpus is not None:
        yield f"--cpus={container.cpus:g}"
    if container.memory is not None:
        # The same number twice: no swap.
        yield from (f"--memory={container.memory}b", f"--memory-swap={container.memory}b")
    if container.shared_memory is not None:
        yield f"--shm-size={container.shared_memory}b"
    yield f"--pids-limit={container.pids}"


def _files(container: ContainerRun) -> Iterator[str]:
    if container.read_only:
        yield "--read-only"
    if "/tmp" not in container.targets:  # noqa: S108 - the container's own
        yield _tmpfs(Scratch("/tmp"))  # noqa: S108
    yield from map(_tmpfs, container.scratch)
    yield from map(_mount, container.folders)


def _tmpfs(scratch: Scratch) -> str:
    # By default docker allows no programs there; an emptyDir does, and compilers of kernels need it.
    size = "" if scratch.size is None else f",size={scratch.size}"
    return f"--tmpfs={scratch.target}:rw,exec,nosuid,nodev,mode=1777{size}"


def _mount(folder: Folder) -> str:
    """Both engines read the value as a line of CSV, so a path may hold a comma. --volume splits at colons."""
    fields = ["type=bind", f"source={folder.source.resolve()}", f"target={folder.target}"]
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow([*fields, "readonly"] if folder.read_only else fields)
    return f"--mount={line.getvalue()}"
