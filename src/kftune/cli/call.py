"""Calls one command: parses its arguments and turns errors into messages and exit codes."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from kftune.errors import KftuneError, UsageError, near_files


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are ours."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}\n{self.format_usage().rstrip()}\nhelp: {self.prog} --help")


def call(name: str, summary: str, arguments: Sequence[str]) -> int:
    """Runs the command `name`.

    Args:
        name: One of `kftune.cli.COMMANDS`.
        summary: What it does, for its help.
        arguments: What follows the name.

    Returns:
        The exit code.
    """
    command = import_module(f"kftune.cli.{name}")
    parser = _Parser(
        prog=f"kftune {name}",
        description=command.__doc__.strip() if command.__doc__ else summary,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    try:
        command.configure(parser)
        return int(command.run(parser.parse_intermixed_args(arguments)))
    except KftuneError as error:
        return _refuse(str(error))
    except BrokenPipeError:
        # Whoever read us has gone (`| head`); Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        file = str(error.filename or "")
        return _refuse(f"{file}: {error.strerror}{near_files(file)}" if file else str(error))
    except KeyboardInterrupt:
        return 130


def _refuse(message: str) -> int:
    sys.stdout.flush()
    print(f"kftune: {message}", file=sys.stderr)
    return 2
