"""Prints what a study or a run of a pipeline costs, before it starts: hours, money, pods and objects.

kftune cost study.yaml                          times from earlier runs, prices from prices.yaml beside it or above
kftune cost study.yaml --trial-time 20m         the time of a trial, as you know it
kftune cost pipeline.yaml --step-time data=5m --trial-time tune=20m
kftune cost study.yaml --max 50                 exit code 1 unless it costs at most 50

Nothing is guessed: what is unknown is named. "expected" is each trial or step with its mean time, "at most" each of
them with its timeout and all its retries. Exit code 1: it may cost more than --max, or than budget.max_cost.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from kftune.cli.arguments import a_path, a_source
from kftune.cli.given import given_kind
from kftune.cli.output import write_data
from kftune.errors import UsageError, suggestion
from kftune.spec.prices import PRICES_FILE, PriceTable, load_prices, prices_above

_OPEN = "loops whose items only a run knows"

if TYPE_CHECKING:
    from kftune.cost import Estimate
    from kftune.cost.times import Times
    from kftune.pipeline import Pipeline
    from kftune.study import Study


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument("file", type=a_path, help="study or pipeline file")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="changes, such as budget.max_trials=4")
    parser.add_argument(
        "--trial-time",
        action="append",
        default=[],
        metavar="[STEP=]TIME",
        help="how long a trial takes, such as 20m; in a pipeline, of which tune step (default: as in earlier runs)",
    )
    parser.add_argument(
        "--step-time", action="append", default=[], metavar="STEP=TIME", help="how long a step of a pipeline takes"
    )
    parser.add_argument(
        "--items", action="append", default=[], metavar="LOOP=NUMBER", help="items of a loop that only a run knows"
    )
    parser.add_argument(
        "--from",
        dest="source",
        type=a_source,
        metavar="RESULTS",
        help="earlier results to measure times in: a folder, or a file of trials such as a dump of Katib's objects",
    )
    parser.add_argument("--prices", type=a_path, metavar="FILE", help=f"price table (default: {PRICES_FILE}, or above)")
    parser.add_argument("--max", type=_money, metavar="COST", help="most that it may cost (default: budget.max_cost)")
    parser.add_argument("--format", choices=["text", "json"], default="text")


def run(arguments: argparse.Namespace) -> int:
    """Prints the estimate; the exit code is 1 if a limit may be exceeded."""
    kind, _ = given_kind(arguments.file, ("study", "pipeline"))
    table = prices_above(arguments.file.parent) if arguments.prices is None else load_prices(arguments.prices)
    estimate = _study(arguments, table) if kind.name == "study" else _pipeline(arguments, table)
    limit = estimate.limit if arguments.max is None else arguments.max
    problem = "" if limit is None else estimate.over(limit)
    if arguments.format == "json":
        data = {**estimate.to_dict(), "limit": limit, "over": problem}
        write_data(f"{json.dumps(data, indent=2, ensure_ascii=False)}\n")
    else:
        from kftune.cli.cost_text import text

        print(text(estimate))
        if limit is not None:
            print(f"\nlimit: {problem or f'it costs no more than the limit of {limit:g}'}")
    return 1 if problem else 0


def _study(arguments: argparse.Namespace, table: PriceTable | None) -> Estimate:
    from kftune.cost import study_estimate
    from kftune.study import load_study

    for option in ("step_time", "items"):
        if getattr(arguments, option):
            raise UsageError(f"--{option.replace('_', '-')} is for pipelines, but {arguments.file} is a study")
    study = load_study(arguments.file, arguments.overrides)
    return study_estimate(study, _trial_times(arguments, study), table)


def _trial_times(arguments: argparse.Namespace, study: Study) -> Times:
    from kftune.cost.times import given, measured, times_of_run
    from kftune.results import slug
    from kftune.results.trials import durations
    from kftune.runs import RUNS

    if arguments.trial_time:
        *others, last = arguments.trial_time
        if others:
            raise UsageError(f"the trials of a study have one --trial-time, but got {len(others) + 1}")
        return given(_seconds("--trial-time", last), f"--trial-time {last}")
    if arguments.source is None:
        return times_of_run(arguments.file.parent / RUNS / slug(study.name))
    from kftune.cli.places import open_given, results_at

    with open_given(results_at(arguments.source)) as trials:
        return measured(durations(trials.trials()), str(arguments.source))


def _pipeline(arguments: argparse.Namespace, table: PriceTable | None) -> Estimate:
    from kftune.cost import pipeline_estimate
    from kftune.cost.of_pipeline import PipelineTimes
    from kftune.cost.times import given, times_of_steps
    from kftune.pipeline import TuneStep, load_pipeline
    from kftune.runs import RUNS

    pipeline = load_pipeline(arguments.file, arguments.overrides)
    tuning = [name for name, step in pipeline.steps.items() if isinstance(step, TuneStep)]
    times = times_of_steps(arguments.source or arguments.file.parent / RUNS / pipeline.name)
    others = [node for node in _steps(pipeline) if node not in tuning]
    wanted = [
        *_named("--trial-time", arguments.trial_time, tuning, "tune steps"),
        *_named("--step-time", arguments.step_time, others, "steps that are no tune steps"),
    ]
    times |= {name: given(_seconds(option, text), f"{option} {name}={text}") for option, name, text in wanted}
    unknown = [name for name, loop in pipeline.loops.items() if loop.entries is None]
    items = {name: _number(text) for _, name, text in _named("--items", arguments.items, unknown, _OPEN)}
    return pipeline_estimate(pipeline, PipelineTimes(times, items), table)


def _steps(pipeline: Pipeline) -> list[str]:
    return [*pipeline.steps, *([pipeline.exit.name] if pipeline.exit else [])]


def _named(option: str, given: Sequence[str], known: Sequence[str], what: str) -> list[tuple[str, str, str]]:
    """Returns the option, name and text of each NAME=TEXT; of a text alone if there is one name only."""
    found: Mapping[str, str] = {}
    for each in given:
        name, equals, text = each.rpartition("=")
        if not equals and len(known) == 1:
            name = known[0]
        if not name:
            raise UsageError(f"{option} is NAME=VALUE here, for one of {', '.join(known) or 'none'}, but got {each!r}")
        if name not in known:
            near = suggestion(name, known) if known else "there are none"
            raise UsageError(f"{option} is for {what}, but {name!r} is none of them; {near}")
        if name in found:
            raise UsageError(f"{option} is given twice for {name}")
        found = {**found, name: text}
    return [(option, name, text) for name, text in found.items()]


def _seconds(option: str, text: str) -> float:
    from kftune.spec.quantities import parse_duration

    try:
        return parse_duration(float(text) if text.replace(".", "", 1).isdigit() else text)
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from error


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise UsageError(f"--items: a number of items is a whole number, but got {text!r}")
    return int(text)


def _money(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a sum above 0, but is {text!r}")
    return value
