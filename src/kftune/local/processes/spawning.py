"""Starts one process, and asks the system about it."""

from __future__ import annotations

import fcntl
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

PIPE = 1 << 20
"""Bytes that the pipe of an output holds."""


class Spawned(Protocol):
    """A process that was started; `subprocess.Popen` is one.

    Attributes:
        pid: Its number, which is also that of its process group.
    """

    pid: int

    def wait(self) -> int:
        """Waits for its end; returns its exit code, or the negative number of the signal that ended it."""
        ...


Spawn = Callable[[Sequence[str], str, Mapping[str, str], Path, int], Spawned]
"""Starts a process; see `spawn`."""


def spawn(
    argv: Sequence[str], executable: str, env: Mapping[str, str], cwd: Path, output: int, *, keeps: Sequence[int] = ()
) -> Spawned:
    """Starts a program in its own session.

    Args:
        argv: The command.
        executable: The program's path.
        env: The whole environment.
        cwd: Working folder.
        output: The descriptor that it writes to.
        keeps: Further descriptors that it has.

    Raises:
        OSError: The program cannot be started.
        ValueError: An argument cannot be passed to a process.
    """
    return subprocess.Popen(
        argv,
        executable=executable,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        cwd=cwd,
        env=env,
        start_new_session=True,
        pass_fds=keeps,
    )


def with_pipe(launch: Callable[[int], Spawned]) -> tuple[Spawned, int]:
    """Starts a process that writes into a pipe; returns the pipe's other end too."""
    reader, writer = os.pipe()
    try:
        _widen(reader)
        os.set_blocking(reader, False)
        process = launch(writer)
    except UnicodeEncodeError as error:
        os.close(reader)
        lacks = error.object[error.start : error.end]
        raise ValueError(
            f"arguments and variables are passed in {error.encoding}, the encoding of this process, which lacks "
            f"{lacks!r}; set LANG=C.UTF-8 or PYTHONUTF8=1"
        ) from error
    except BaseException:
        os.close(reader)
        raise
    finally:
        os.close(writer)
    return process, reader


def _widen(descriptor: int) -> None:
    """Makes a pipe hold more, so that a trial that prints much does not wait for kftune."""
    with suppress(AttributeError, OSError):  # not Linux, or above this user's limit
        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, PIPE)


def pidfd(pid: int) -> int | None:
    """Returns a descriptor that becomes readable when a process ends; None where there is none."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):  # not Linux, or a sandbox that forbids it
        return None


def has_ended(pid: int) -> bool:
    """Whether a child has ended; `wait` still reaps it."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
