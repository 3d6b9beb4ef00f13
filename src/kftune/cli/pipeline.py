"""Runs a pipeline on this machine, or shows its latest run.

kftune pipeline run FILE          the same as kftune run FILE
kftune pipeline status FILE       print the state of the latest run, and of its steps
kftune pipeline logs FILE STEP    print the log of a step of the latest run; of a loop, LOOP/0001/STEP

status and logs also take the folder of the results, or of one run.
"""

from __future__ import annotations

import argparse

from kftune.cli import run as runner
from kftune.errors import UsageError


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument("action", choices=["run", "status", "logs"])
    runner.add_common_arguments(parser)
    runner.add_pipeline_arguments(parser)
    parser.add_argument("--raw", action="store_true", help="logs: print the bytes; a terminal obeys what is in them")
    options = [action for action in parser._actions if action.option_strings]  # there is no other way
    parser.set_defaults(of_run={each.dest: each for each in options if each.dest not in ("help", "dir", "raw")})


def run(arguments: argparse.Namespace) -> int:
    """Runs the pipeline, or prints what there is of it."""
    if arguments.raw and arguments.action != "logs":
        raise UsageError(f"--raw is for kftune pipeline logs, not for {arguments.action}")
    if arguments.action == "run":
        return runner.run_file(arguments, ("pipeline",))
    for name, option in arguments.of_run.items():
        if getattr(arguments, name) != option.default:
            raise UsageError(f"{option.option_strings[0]} is for kftune pipeline run, not for {arguments.action}")
    from kftune.cli.pipeline_runs import print_log, print_status

    return print_status(arguments) if arguments.action == "status" else print_log(arguments)
