"""kftune's side of a warm worker: starts it, asks it for processes, and knows how these end."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from kftune.local.processes.spawning import Spawned
from kftune.local.processes.warm.adoption import Adoption
from kftune.local.processes.warm.imports import Imports

_FOLDER = str(Path(__file__).parent / "site")
# Of `site/sitecustomize.py`, which kftune does not import.
_VARIABLE = "KFTUNE_WARM_WORKER"
_LARGEST = 1 << 18
# A fork takes milliseconds, on a machine that swaps perhaps seconds.
_PATIENCE = 30.0
_NUMBER = 16


class WorkerError(Exception):
    """The worker does not answer as it should."""


class Forked:
    """A process that the worker has forked; what `subprocess.Popen` is for others.

    Args:
        worker: The worker.
        pid: Its number.
    """

    def __init__(self, worker: WarmWorker, pid: int) -> None:
        self._worker = worker
        self.pid = pid

    def wait(self) -> int:
        """Waits for its end; returns its exit code, or the negative number of the signal that ended it."""
        return self._worker.wait(self.pid)


class WarmWorker:
    """A process that has imported what a module imports, and forks itself at a request.

    Processes that it has forked are its own children, so it reports how they end. If it ends before them, they become
    children of kftune (`PR_SET_CHILD_SUBREAPER`), and go on.

    Args:
        argv: The command line up to the module: ``python -m MODULE``.
        executable: The path of Python.
        env: The environment of its processes, without what differs between them.
        mark: Variables that only the worker's own environment has; processes of a killed run are found by them.
        cwd: Its working folder.
        imports: What it imports.

    Attributes:
        pid: Its number.
        problem: Why it forks nothing; empty while it may.

    Raises:
        OSError: It cannot be started.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        executable: str,
        env: Mapping[str, str],
        mark: tuple[str, str],
        cwd: Path,
        imports: Imports,
    ) -> None:
        self.problem = ""
        self._env = env
        self._ready = False
        self._adoption = Adoption()
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.settimeout(_PATIENCE)
        # So that Python sets up the output as for a trial; nothing should be in it.
        self._output, writer = os.pipe()
        try:
            number, path = str(theirs.fileno()), os.pathsep.join([_FOLDER, env["PYTHONPATH"]])
            own = {mark[0]: mark[1], _VARIABLE: number, "PYTHONPATH": path}
            self._process = subprocess.Popen(
                argv,
                executable=executable,
                stdin=subprocess.DEVNULL,
                stdout=writer,
                stderr=writer,
                cwd=cwd,
                env={**env, **own},
                start_new_session=True,
                pass_fds=[theirs.fileno()],
            )
        except BaseException:
            os.close(self._output)
            self._socket.close()
            self._adoption.close()
            raise
        finally:
            os.close(writer)
            theirs.close()
        self.pid = self._process.pid
        changes = {name: env.get(name) for name in own}
        with suppress(OSError):  # it has ended; the next look tells so
            self._send({"env": changes, "folder": _FOLDER, "imports": imports})

    def is_ready(self) -> bool:
        """Whether it forks processes now; it does not while it imports, and never when there is a problem."""
        if not self.problem and not self._ready and select.select([self._socket], [], [], 0)[0]:
            try:
                self.problem = self._receive()["problem"] or self._why_not_quiet()
                self._ready = not self.problem
            except (WorkerError, OSError) as error:
                self._give_up(str(error))
            if self.problem:
                self.close()
        return self._ready and not self.problem

    def fork(self, argv: Sequence[str], env: Mapping[str, str], cwd: Path, output: int) -> Forked | None:
        """Forks a process that runs a command line with the same module; None if that fails.

        Args:
            argv: The command line.
            env: The whole environment.
            cwd: The working folder.
            output: What it writes its output to.

        Raises:
            ValueError: An argument cannot be passed to a process.
        """
        changes = {name: value for name, value in env.items() if self._env.get(name) != value}
        request = {"arguments": argv[3:], "env": changes, "cwd": str(cwd)}
        ours, theirs = socket.socketpair()
        ours.settimeout(_PATIENCE)
        with ours:
            try:
                with theirs:
                    self._send(request, [output, theirs.fileno()])
                pid = int(self._receive()["pid"])
                if pid < 0:
                    return None
                # It writes its number when it leads its own group, and runs the module when that has arrived here.
                if int(ours.recv(_NUMBER) or 0) != pid:
                    raise WorkerError("a process that it forked ended at once")
                forked = Forked(self, pid)
                ours.send(b"1")
                return forked
            except (WorkerError, OSError) as error:
                self._give_up(str(error))
                _reap_unanswered(ours)
                return None

    def wait(self, pid: int) -> int:
        """Waits for the end of a process that it has forked.

        Args:
            pid: Its number.

        Returns:
            The exit code, or the negative number of the signal that ended it.
        """
        try:
            self._send({"wait": pid})
            code = int(self._receive()["code"])
        except (WorkerError, OSError) as error:
            self._give_up(str(error))
            code = _adopted(pid)
        return code

    def watch(self, process: Spawned) -> Spawned:
        """Returns a process that leaves no dead children behind when it ends; see `Adoption`."""
        return self._adoption.watch(process)

    def close(self) -> None:
        """Ends it; processes that it has forked go on."""
        if self._socket.fileno() < 0:
            return
        self._socket.close()
        os.close(self._output)
        # Also what the imports have started.
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        self._adoption.reap(self.pid)
        self._adoption.close()

    def _why_not_quiet(self) -> str:
        """Returns whether Python has printed something before it imports; each trial has that in its log."""
        os.set_blocking(self._output, False)
        with suppress(BlockingIOError):
            if os.read(self._output, 1):
                return "Python prints before it imports the module"
        return ""

    def _give_up(self, why: str) -> None:
        if not self.problem:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(1)
            code = self._process.returncode
            self.problem = f"the worker does not answer: {why}" if code is None else f"the worker {_ended(code)}"
        self.close()

    def _send(self, message: Mapping[str, Any], descriptors: Sequence[int] = ()) -> None:
        socket.send_fds(self._socket, [json.dumps(message).encode()], descriptors)

    def _receive(self) -> dict[str, Any]:
        try:
            message = self._socket.recv(_LARGEST)
        except ConnectionResetError:
            message = b""
        if not message:
            raise WorkerError("its socket is closed")
        answer: dict[str, Any] = json.loads(message)
        return answer


def _reap_unanswered(channel: socket.socket) -> None:
    """Reaps a process that the worker has forked at its own end; without an answer it ends too."""
    with suppress(OSError):
        pid = int(channel.recv(_NUMBER) or 0)
        channel.close()
        if pid:
            _adopted(pid)


def _adopted(pid: int) -> int:
    """Waits for a process after the end of its parent; returns its exit code."""
    try:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    except ChildProcessError:  # it has ended with the worker, before it was a child of this process
        return -signal.SIGKILL


def _ended(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"
