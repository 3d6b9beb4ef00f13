"""Prints the log of a trial."""

from __future__ import annotations

import argparse

from kftune.cli.output import write_log
from kftune.cli.places import add_results_arguments, open_given
from kftune.errors import StoreError


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    add_results_arguments(parser)
    parser.add_argument("trial", help="its number or name, or best")
    parser.add_argument("--raw", action="store_true", help="print its bytes; a terminal obeys what is in them")
    parser.add_argument("--path", action="store_true", help="print the path of the log file instead")


def run(arguments: argparse.Namespace) -> int:
    """Copies the log to the screen."""
    with open_given(arguments) as results:
        folder = results.folder
        if folder is None:
            raise StoreError(
                "trials from a file have no logs here; give the study, or the folder of its results", results.place
            )
        trial = results.best() if arguments.trial == "best" else results.trial(arguments.trial)
        if trial is None:
            raise StoreError("no trial has succeeded yet, so there is no best one; give a number", results.place)
        log = folder.log(trial.name)
    if arguments.path:
        print(log)
        return 0
    if not log.exists():
        raise StoreError("this log is not here: the trial has not started, or kftune prune has removed it", str(log))
    with log.open("rb") as file:
        write_log(file, raw=arguments.raw)
    return 0
