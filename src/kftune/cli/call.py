"""Calls one command: parses its arguments and turns errors into messages and exit codes."""

from __future__ import annotations

import argparse
import builtins
import os
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from keyword import iskeyword
from pathlib import Path
from typing import NoReturn

from kftune.errors import KftuneError, OutputError, UsageError, near_paths

_REQUIRED = re.compile("the following arguments are required: (.*)")  # argparse's own words


class _Parser(argparse.ArgumentParser):
    """A parser that raises `UsageError`, with what could have been meant."""

    def error(self, message: str) -> NoReturn:
        required = _REQUIRED.fullmatch(message)
        if required:
            message = self._missing(required[1].split(", "))
        raise UsageError(f"{message}\n{self.format_usage().rstrip()}\nhelp: {self.prog} --help")

    def parse(self, arguments: Sequence[str]) -> argparse.Namespace:
        """Returns the arguments, in any order.

        Raises:
            UsageError: One is wrong or missing.
        """
        parsed, unknown = self.parse_known_intermixed_args(arguments)
        if unknown:
            from kftune.cli.hints import unknown_arguments

            takes_changes = self.takes("settings") or self.takes("overrides")
            # Not `parsed.file`: it may be the value of the unknown option.
            files = [Path(each) for each in arguments if takes_changes and Path(each).is_file()]
            self.error(unknown_arguments(unknown, arguments, self._written(), files))
        return parsed

    def _written(self) -> list[str]:
        """Returns the options as they are written: those with choices also with each of them."""
        return [
            option if choice is None else f"{option} {choice}"
            for option, action in self._option_string_actions.items()
            for choice in (None, *(action.choices or ()))
        ]

    def takes(self, name: str) -> bool:
        """Returns whether there is an argument of that name."""
        return any(action.dest == name for action in self._actions)

    def _missing(self, names: Sequence[str]) -> str:
        from kftune.cli.hints import missing_file

        needed = [action for action in self._actions if not action.option_strings and action.nargs not in ("*", "?")]
        missing = [action for action in needed if (action.metavar or action.dest) in names]
        command = self.prog.removeprefix("kftune ")
        lines = []
        for action in missing:
            what = action.help or f"one of {', '.join(map(str, action.choices or ()))}"
            lines.append(f"{command} needs {action.metavar or action.dest}: {what}")
        return "\n".join(lines) + "".join(missing_file(action.dest) for action in missing)

    def _check_value(self, action: argparse.Action, value: object) -> None:
        if action.choices is not None and value not in action.choices:
            from kftune.cli.hints import choice_problem

            raise argparse.ArgumentError(action, choice_problem(value, action.choices))


def call(name: str, summary: str, arguments: Sequence[str]) -> int:
    """Runs the command `name`.

    Args:
        name: One of `kftune.cli.COMMANDS`.
        summary: What it does, for its help.
        arguments: The arguments after the name.

    Returns:
        The exit code.
    """
    # A module named `list` would hide Python's own in kftune.cli.
    taken = iskeyword(name) or hasattr(builtins, name)
    command = import_module(f"kftune.cli.{name}{'_' if taken else ''}")
    parser = _Parser(
        prog=f"kftune {name}",
        description=command.__doc__.strip() if command.__doc__ else summary,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    try:
        if hasattr(command, "main"):
            return int(command.main(arguments))
        command.configure(parser)
        return int(command.run(parser.parse(arguments)))
    except OutputError as error:
        _report(str(error))
        return 130
    except KftuneError as error:
        return _report(str(error))
    except BrokenPipeError:
        raise
    except OSError as error:
        return _report(_of_system(error, of_results=parser.takes("study")))
    except RecursionError:
        return _report("the input is nested deeper than Python can follow; make it flatter")
    except KeyboardInterrupt:
        return 130


def _of_system(error: OSError, *, of_results: bool) -> str:
    file = str(error.filename or "")
    if not file:
        return error.strerror or str(error)
    if not isinstance(error, FileNotFoundError):
        return f"{file}: {error.strerror}"
    near = [each for each in near_paths(file) if not each.endswith(".py") or file.endswith(".py")]
    if not near and of_results:  # the name of a study may have been given
        from kftune.runs import RUNS

        near = near_paths(f"{RUNS}{os.sep}{file}")
    hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
    return f"{file}: {error.strerror}{hint}"


def _report(message: str) -> int:
    from kftune.cli.output import flush_or_drop

    flush_or_drop(sys.stdout)
    with suppress(OSError):
        print(f"kftune: {message}", file=sys.stderr)
    flush_or_drop(sys.stderr)
    return 2
