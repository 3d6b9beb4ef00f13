"""Prints the best trial of a study: its values, its metrics, and its command line. Exit code 1: no trial succeeded."""

from __future__ import annotations

import argparse

from kftune.argv import to_arguments
from kftune.cli.output import write_data
from kftune.cli.places import add_results_arguments, counted, open_given
from kftune.cli.table import table
from kftune.results import Results, Trial
from kftune.results.export import to_text, trial_to_json
from kftune.results.layout import trial_name
from kftune.results.origins import cells, short


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    add_results_arguments(parser)
    parser.add_argument("--format", choices=["text", "json", "args"], default="text", help="args: a command line")


def run(arguments: argparse.Namespace) -> int:
    """Prints the best trial; the exit code is 1 if no trial has succeeded."""
    with open_given(arguments) as results:
        best = results.best()
        if arguments.format == "json":
            found = None if best is None else trial_to_json(best, results)
            write_data(to_text({"best": found, "targets": [each._asdict() for each in results.targets()]}))
        elif best is None:
            print(f"no trial of {results.meta.name} has succeeded yet; trials: {counted(results)}")
        elif arguments.format == "args":
            print("\n".join(to_arguments(best.assignment)))
        else:
            print(_text(best, results))
    return 0 if best else 1


def _text(best: Trial, results: Results) -> str:
    values = [
        [metric.name, best.metrics[metric.name].text(metric.reduce)]
        for metric in results.meta.metrics
        if metric.name in best.metrics
    ]
    return "\n".join(
        [
            f"best of {sum(results.counts().values())} trials of {results.meta.name}: {best.name}\n",
            f"{table(['metric', 'value'], values)}\n",
            f"{table(['hyperparameter', 'value'], [*best.assignment.items()])}\n",
            *_targets(results),
            f"origin  {_origin(best)}",
            f"log     {results.folder.log(best.name)}",
            f"output  {results.folder.output(best.name)}",
        ]
    )


def _targets(results: Results) -> list[str]:
    """Returns a table of the study's targets, if it has some."""
    rows = [
        [each.name, each.bounds, each.result, "" if each.trial is None else trial_name(results.meta.slug, each.trial)]
        for each in results.targets()
    ]
    return [f"{table(['target', 'must be', 'result', 'trial'], rows)}\n"] if rows else []


def _origin(trial: Trial) -> str:
    algorithm, seed, code, revision = (short(name, text) for name, text in cells(trial).items())
    parts = [f"{algorithm} with seed {seed}", code and f"code {code}", revision and f"git {revision}"]
    return ", ".join(filter(None, parts))
