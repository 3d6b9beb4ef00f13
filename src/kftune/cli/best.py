"""The best trial of a study: its values, what it reached, and how to run it again."""

from __future__ import annotations

import argparse

from kftune.cli.places import add_results_arguments, results_folder
from kftune.cli.table import table
from kftune.results import Results, Trial, open_results
from kftune.results.export import to_text, trial_to_json


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    add_results_arguments(parser)
    parser.add_argument("--format", choices=["text", "json", "args"], default="text", help="args: a command line")


def run(arguments: argparse.Namespace) -> int:
    """Prints the best trial; exit code 1 when no trial has succeeded."""
    with open_results(results_folder(arguments.study, arguments.dir)) as results:
        best = results.best()
        if arguments.format == "json":
            print(to_text({"best": None if best is None else trial_to_json(best, results)}), end="")
        elif best is None:
            counts = ", ".join(f"{count} {state}" for state, count in results.counts().items()) or "none"
            print(f"no trial of {results.meta.name} has succeeded yet; trials: {counts}")
        elif arguments.format == "args":
            print("\n".join(f"--{name}={text}" for name, text in best.assignment.items()))
        else:
            print(_text(best, results))
    return 0 if best else 1


def _text(best: Trial, results: Results) -> str:
    meta = results.meta
    values = [
        [metric.name, best.metrics[metric.name].text(metric.reduce)]
        for metric in meta.metrics
        if metric.name in best.metrics
    ]
    given = [[name, text] for name, text in best.assignment.items()]
    return "\n".join(
        [
            f"best of {sum(results.counts().values())} trials of {meta.name}: {best.name}",
            "",
            table(["metric", "value"], values),
            "",
            table(["hyperparameter", "value"], given),
            "",
            f"log     {results.folder.log(best.name)}",
            f"output  {results.folder.output(best.name)}",
        ]
    )
