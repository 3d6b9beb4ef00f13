"""Prints the values of the best trial as YAML, to be pasted into a file.

kftune snippet study.yaml
kftune snippet study.yaml --at PLANT001/CIRCUIT01

The values that the study gave to all trials are there too; --searched leaves them out.
"""

from __future__ import annotations

import argparse

from kftune.applying import choose, snippet
from kftune.cli.applying import add_class_argument, hparams_of
from kftune.cli.output import write_data
from kftune.cli.places import add_results_arguments, open_given


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    add_results_arguments(parser)
    parser.add_argument("--at", metavar="PATH", default="", help="keys around the values, such as PLANT001/CIRCUIT01")
    parser.add_argument("--trial", metavar="NAME", help="this trial, by name or number (default: the best)")
    parser.add_argument("--metric", help="with several objectives: the one in which the trial is to be the best")
    parser.add_argument("--searched", action="store_true", help="only the values that were searched")
    add_class_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    """Prints the block."""
    with open_given(arguments) as results:
        hparams = hparams_of(arguments, results)
        chosen = choose(results, hparams, trial=arguments.trial, metric=arguments.metric)
    values = chosen.values if arguments.searched else chosen.all_values
    write_data(snippet(values, arguments.at))
    return 0
