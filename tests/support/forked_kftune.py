"""Runs many commands of kftune, each in a process of its own that need not import kftune first.

One process imports it and waits; each command runs in a fork of that process. An import costs a fifth of a second, and
a module of a test asks for hundreds of commands. Nothing else differs from ``python -m kftune``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

_HERE = str(Path(__file__).parent)
# What nearly every command imports.
_IMPORTED = ("kftune.cli.show", "kftune.cli.registry", "kftune.cli.run", "kftune.study", "kftune.study.load")


class Finished(NamedTuple):
    """A command that has run."""

    status: int
    output: str
    """What it printed, errors last."""


class Forks:
    """A process that forks for each command.

    Args:
        process: It, with pipes to it.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, arguments: Sequence[str]) -> Finished:
        """Runs one command to its end."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(list(arguments)) + "\n")
        self._process.stdin.flush()
        return Finished(*json.loads(self._process.stdout.readline()))


@contextmanager
def forks(folder: Path, environment: dict[str, str]) -> Iterator[Forks]:
    """Starts the process in a folder, where all commands run."""
    code = f"import sys; sys.path.insert(0, {_HERE!r}); import forked_kftune; forked_kftune.serve()"
    with subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=folder,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Forks(process)


def serve() -> None:
    """Runs the commands that come in, one after the other."""
    # A command imports neither from this folder nor, as with `python -m kftune`, from the current one.
    sys.path[:] = [path for path in sys.path if path not in ("", _HERE)]
    for name in _IMPORTED:
        __import__(name)
    for line in sys.stdin:
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            child = os.fork()
            if child == 0:
                _run(json.loads(line), output, errors)
            _, status = os.waitpid(child, 0)
            printed = b""
            for file in (output, errors):
                file.seek(0)
                printed += file.read()
        sys.stdout.write(json.dumps([os.waitstatus_to_exitcode(status), printed.decode()]) + "\n")
        sys.stdout.flush()


def _run(arguments: list[str], output: IO[bytes], errors: IO[bytes]) -> None:
    """Ends this process with the command."""
    from kftune.cli import main

    status = 1
    try:
        with Path(os.devnull).open() as nothing:
            os.dup2(nothing.fileno(), 0)
        os.dup2(output.fileno(), 1)
        os.dup2(errors.fileno(), 2)
        sys.argv = ["kftune", *arguments]
        status = main(arguments)
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
