"""What a trial printed. TRIAL is its number, its name, or ``best``."""

from __future__ import annotations

import argparse
import shutil
import sys

from kftune.cli.places import add_results_arguments, results_folder
from kftune.errors import StoreError
from kftune.results import open_results


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    add_results_arguments(parser)
    parser.add_argument("trial", help="number, name, or best")
    parser.add_argument("--path", action="store_true", help="print the log file's path instead")


def run(arguments: argparse.Namespace) -> int:
    """Copies the log to the screen."""
    folder = results_folder(arguments.study, arguments.dir)
    with open_results(folder) as results:
        trial = results.best() if arguments.trial == "best" else results.trial(arguments.trial)
        if trial is None:
            raise StoreError("no trial has succeeded yet, so none is the best; name one by its number", str(folder))
        log = results.folder.log(trial.name)
    if arguments.path:
        print(log)
        return 0
    with log.open("rb") as file:
        shutil.copyfileobj(file, sys.stdout.buffer)
    return 0
