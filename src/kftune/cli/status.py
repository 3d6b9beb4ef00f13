"""Prints the progress of a study or an Experiment, also while it runs.

For an Experiment, -o yaml and -o json print the object with its status, as Katib's clients read it.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

from kftune.cli.output import write_data
from kftune.cli.places import add_results_arguments, counted, given_entities, open_given
from kftune.results import Trials
from kftune.results.export import trial_to_json


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    add_results_arguments(parser)
    parser.add_argument("-o", "--format", choices=["text", "json", "yaml"], default="text")


def run(arguments: argparse.Namespace) -> int:
    """Prints the status."""
    entities = given_entities(arguments)
    if entities is not None:
        from kftune.cli.entities import print_status

        print_status(entities, arguments.format)
        return 0
    with open_given(arguments) as results:
        if arguments.format == "text":
            print(_text(results))
            return 0
        data = _data(results)
    if arguments.format == "json":
        write_data(f"{json.dumps(data, indent=2, ensure_ascii=False)}\n")
    else:
        from kftune import yaml_text

        write_data(yaml_text.dump(data))
    return 0


def _data(results: Trials) -> dict[str, Any]:
    from kftune.results.experiment import experiment_with_status

    experiment = experiment_with_status(results)
    if experiment is not None:
        return experiment
    best = results.best()
    found: dict[str, Any] = {
        "name": results.meta.name,
        "reason": results.reason(),
        "running": results.writer() is not None,
        "max_trials": results.meta.max_trials,
        "counts": results.counts(),
        "best": None if best is None else trial_to_json(best, results),
    }
    if results.meta.more_objectives:
        found["pareto"] = [trial.name for trial in results.pareto()]
    return found


def _text(results: Trials) -> str:
    meta, best = results.meta, results.best()
    what = "study" if meta.experiment is None else "Experiment"
    lines = [
        f"{what} {meta.name}: {_state(results)}",
        f"  trials  {counted(results)}" + (f" (at most {meta.max_trials})" if meta.max_trials else ""),
    ]
    if best is not None:
        objectives = meta.objectives
        values = [f"{each.name}={best.metrics[each.name].text(each.reduce)}" for each in objectives]
        lines.append(f"  best    {best.name}: {' '.join(values)}")
        if len(objectives) > 1:
            lines[-1] += f" (the best in {meta.objective.name})"
            pareto = [trial.name for trial in results.pareto()]
            lines.append(f"  pareto  {len(pareto)}: {', '.join(pareto)}")
    return "\n".join(lines)


def _state(results: Trials) -> str:
    writer = results.writer()
    if writer is not None:
        return f"running (process {writer})"
    if results.folder is None:
        return results.reason() or "had not ended when it was recorded"
    return results.reason() or "stopped before its end; the same kftune run resumes it"
