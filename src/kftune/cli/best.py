"""Prints the best trial of a study: its values, its metrics, and its command line. Exit code 1: no trial succeeded.

Of a study with several objectives it prints the Pareto set: the trials for which no other trial is as good in every
objective and better in one. --metric chooses the best of them in one objective. --top N prints the N best trials.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from kftune.cli.arguments import a_count
from kftune.cli.as_given import given_lines
from kftune.cli.output import write_data
from kftune.cli.places import add_results_arguments, counted, given_entities, open_given
from kftune.cli.table import fitted, table
from kftune.errors import UnknownNameError, UsageError
from kftune.results import Trial, Trials
from kftune.results.export import to_text, trial_to_json
from kftune.results.origins import cells, chosen_by, short


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    add_results_arguments(parser)
    parser.add_argument(
        "--metric",
        help="with several objectives: the one in which the trial is to be the best; with --top also another metric "
        "whose minimum or maximum is recorded",
    )
    parser.add_argument("--top", type=a_count, metavar="N", help="print the N best trials")
    parser.add_argument(
        "--format", choices=["text", "json", "yaml", "args"], default="text", help="args: what the script takes"
    )


def run(arguments: argparse.Namespace) -> int:
    """Prints the best trial, or the Pareto set; the exit code is 1 if no trial has succeeded."""
    entities = given_entities(arguments)
    if entities is not None:
        from kftune.cli.entities import print_best

        return print_best(entities, arguments)
    with open_given(arguments) as results:
        if arguments.top is not None:
            return _print_top(results, arguments)
        objectives = [objective.name for objective in results.meta.objectives]
        chosen = _chosen(arguments.metric, objectives)
        pareto = results.pareto() if len(objectives) > 1 and arguments.metric is None else None
        best = results.best(chosen) if pareto is None else next(iter(pareto), None)
        if arguments.format in ("json", "yaml"):
            _write(arguments.format, _data(best, pareto, results))
        elif best is None:
            print(f"no trial of {results.meta.name} has succeeded yet; trials: {counted(results)}")
        elif arguments.format == "args":
            if pareto is not None and len(pareto) > 1:
                raise UsageError(
                    f"a command line is that of one trial, but the Pareto set has {len(pareto)}; choose one: "
                    f"{' or '.join(f'--metric {name}' for name in objectives)}"
                )
            print("\n".join(given_lines(best, results.meta)))
        elif pareto is not None:
            print(_pareto_text(pareto, results))
        else:
            print(_text(best, results))
    return 0 if best else 1


def _print_top(results: Trials, arguments: argparse.Namespace) -> int:
    from kftune.results.selection import ranked

    found = ranked(results, arguments.metric)[: arguments.top]
    if arguments.format == "args":
        raise UsageError("a command line is that of one trial, so --format args is without --top")
    if arguments.format in ("json", "yaml"):
        data = {
            "best": trial_to_json(found[0], results) if found else None,
            "top": [trial_to_json(trial, results) for trial in found],
            "targets": [target._asdict() for target in results.targets()],
        }
        _write(arguments.format, data)
    elif not found:
        print(f"no trial of {results.meta.name} has succeeded yet; trials: {counted(results)}")
    else:
        name = arguments.metric or results.meta.objective.name
        print(f"the best {len(found)} of {sum(results.counts().values())} trials of {results.meta.name} by {name}:\n")
        print(_trials_table(found, results, [metric.name for metric in results.meta.metrics]))
    return 0 if found else 1


def _chosen(metric: str | None, objectives: Sequence[str]) -> int:
    """Returns the place of an objective.

    Raises:
        UnknownNameError: No objective has that name.
    """
    if metric is None:
        return 0
    if metric not in objectives:
        raise UnknownNameError("objective", metric, objectives)
    return objectives.index(metric)


def _data(best: Trial | None, pareto: list[Trial] | None, results: Trials) -> dict[str, Any]:
    found: dict[str, Any] = {"best": None if best is None else trial_to_json(best, results)}
    if pareto is not None:
        found["pareto"] = [trial_to_json(trial, results) for trial in pareto]
    found["targets"] = [target._asdict() for target in results.targets()]
    return found


def _write(form: str, data: dict[str, Any]) -> None:
    if form == "json":
        write_data(to_text(data))
        return
    from kftune import yaml_text  # takes longer than reading the results

    write_data(yaml_text.dump(data))


def _pareto_text(pareto: Sequence[Trial], results: Trials) -> str:
    meta = results.meta
    objectives = meta.objectives
    sought = ", ".join(f"{objective.direction} {objective.name}" for objective in objectives)
    return "\n".join(
        [
            f"Pareto set of {sum(results.counts().values())} trials of {meta.name} ({sought}): {len(pareto)}\n",
            f"{_trials_table(pareto, results, [objective.name for objective in objectives])}\n",
            *_targets(results),
            f"one of them in full: {' or '.join(f'--metric {objective.name}' for objective in objectives)}",
        ]
    )


def _trials_table(trials: Sequence[Trial], results: Trials, metrics: Sequence[str]) -> str:
    """Returns a table with the metrics and the searched values of trials."""
    meta = results.meta
    reduces = {metric.name: metric.reduce for metric in meta.metrics}
    header = ["trial", *metrics]
    header += [f"hparams.{name}" if name in header else name for name in meta.space]
    rows = [
        [
            trial.name,
            *(trial.metrics[name].text(reduces[name]) if name in trial.metrics else "" for name in metrics),
            *(trial.shown(name) for name in meta.space),
        ]
        for trial in trials
    ]
    return fitted(header, rows)


def _text(best: Trial, results: Trials) -> str:
    values = [
        [metric.name, best.metrics[metric.name].text(metric.reduce)]
        for metric in results.meta.metrics
        if metric.name in best.metrics
    ]
    return "\n".join(
        [
            f"best of {sum(results.counts().values())} trials of {results.meta.name}: {best.name}\n",
            f"{table(['metric', 'value'], values)}\n",
            f"{table(['hyperparameter', 'value'], [[name, best.shown(name)] for name in best.assignment])}\n",
            *_targets(results),
            *_smaller(best),
            *(f"origin  {known}" for known in [_origin(best)] if known),
            *_files(best, results),
        ]
    )


def _files(best: Trial, results: Trials) -> list[str]:
    folder = results.folder
    if folder is None:
        return [f"from    {results.place}"]
    return [f"log     {folder.log(best.name)}", f"output  {folder.output(best.name)}"]


def _targets(results: Trials) -> list[str]:
    """Returns a table of the study's targets, if it has some."""
    rows = [
        [each.name, each.bounds, each.result, "" if each.trial is None else results.name_of(each.trial)]
        for each in results.targets()
    ]
    return [f"{table(['target', 'must be', 'result', 'trial'], rows)}\n"] if rows else []


def _smaller(trial: Trial) -> list[str]:
    """Returns a line for each value that replaced a larger one for want of memory."""
    return [
        f"{name}={trial.text(name)} ran in place of {value}, for which memory ran out"
        for name, value in trial.retried.proposed.items()
    ]


def _origin(trial: Trial) -> str:
    algorithm, seed, code, revision = (short(name, text) for name, text in cells(trial).items())
    parts = [chosen_by(algorithm, seed), code and f"code {code}", revision and f"git {revision}"]
    return ", ".join(filter(None, parts))
