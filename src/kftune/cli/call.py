"""Calls one command: parses its arguments and turns errors into messages and exit codes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from kftune.errors import KftuneError, UsageError, near_files


class _Parser(argparse.ArgumentParser):
    """A parser that raises `UsageError`."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}\n{self.format_usage().rstrip()}\nhelp: {self.prog} --help")


def call(name: str, summary: str, arguments: Sequence[str]) -> int:
    """Runs the command `name`.

    Args:
        name: One of `kftune.cli.COMMANDS`.
        summary: What it does, for its help.
        arguments: The arguments after the name.

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
        return _report(str(error))
    except BrokenPipeError:
        raise
    except OSError as error:
        file = str(error.filename or "")
        return _report(f"{file}: {error.strerror}{near_files(file)}" if file else str(error))
    except KeyboardInterrupt:
        return 130


def _report(message: str) -> int:
    sys.stdout.flush()
    print(f"kftune: {message}", file=sys.stderr)
    return 2
