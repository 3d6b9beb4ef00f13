"""Runs a list of named experiments on this machine, one after the other, and writes one JSON file of results.

kftune experiments --config pipelines/ocr/experiments.yaml
kftune experiments --config experiments.yaml --experiments small large --output-dir output --parallel 2
kftune experiments --config experiments.yaml --render --out build step.image=registry.example/ocr:1

Every experiment is checked before the first one starts. One that fails does not end the others. Run it again to resume:
finished experiments do not run again, unless the list has other values for them.
Exit codes: 0 done, 1 an experiment has failed, 2 wrong use, 130 interrupted.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from kftune.cli.arguments import a_path
from kftune.cli.output import terminal, write_data
from kftune.errors import UsageError
from kftune.runs import YAML_SUFFIXES

if TYPE_CHECKING:
    from kftune.experiments.file import Experiments
    from kftune.experiments.results import Found


DEFAULT = Path("config/phase3_simple_configs.yaml")
"""The experiment list if none is given."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument(
        "--config",
        type=a_path,
        default=DEFAULT,
        metavar="FILE",
        help="experiment list (default: %(default)s)",
    )
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="changes to the file, such as ~targets")
    parser.add_argument("--experiments", nargs="+", metavar="NAME", help="the experiments to run (default: all)")
    parser.add_argument(
        "--output-dir",
        type=a_path,
        metavar="DIR",
        help="folder of the results, with a folder for each experiment (default: training_output)",
    )
    parser.add_argument(
        "--results-file",
        type=a_path,
        metavar="FILE",
        help="JSON file of results (default: hyperparameter_tuning_results_TIME.json in the current folder)",
    )
    parser.add_argument("--parallel", type=int, metavar="N", help="experiments at the same time (default: 1)")
    parser.add_argument("--gpus", help="GPUs to distribute among experiments, such as 0,1; none: run without")
    parser.add_argument("--fresh", action="store_true", help="start again: move earlier results aside")
    parser.add_argument("--retry-failed", action="store_true", help="run experiments again that failed")
    parser.add_argument("--json", action="store_true", help="print events, one JSON object a line (docs/results.md)")
    parser.add_argument("--plain", action="store_true", help="print plain lines, also in a terminal")
    render = parser.add_argument_group("for a cluster")
    render.add_argument("--render", action="store_true", help="run nothing: write the list as a Katib Experiment")
    render.add_argument("--out", type=a_path, metavar="PATH", help="a .yaml file, or a folder (default: print)")


def run(arguments: argparse.Namespace) -> int:
    """Runs or renders the list."""
    from kftune.experiments.file import load_list

    keys, overrides = _split(arguments)
    _check_options(arguments)
    listed = load_list(arguments.config, overrides)
    listed.chosen(keys)  # a wrong name is found before anything else
    if arguments.render:
        return _render(arguments, listed, keys)
    return _run(arguments, listed, keys)


def _split(arguments: argparse.Namespace) -> tuple[list[str] | None, list[str]]:
    """Returns the names of experiments and the changes; a change after --experiments is not a name."""
    file = next((each for each in arguments.overrides if "=" not in each and not each.startswith("~")), None)
    if file is not None:
        raise UsageError(
            f"the experiment list is given as --config {file}, and {file!r} is no change (key=value, ~key)"
        )
    names = arguments.experiments
    changes = [each for each in names or () if "=" in each or each.startswith("~")]
    return names and [each for each in names if each not in changes], [*arguments.overrides, *changes]


def _check_options(arguments: argparse.Namespace) -> None:
    if not arguments.config.exists() and arguments.config == DEFAULT:
        raise UsageError(f"experiments needs a list: kftune experiments --config FILE (there is no {DEFAULT})")
    if arguments.out is not None and not arguments.render:
        raise UsageError("--out is the place of what --render writes; the results of a run go to --output-dir")
    if arguments.parallel is not None and arguments.parallel < 1:
        raise UsageError(f"--parallel is 1 or more, but is {arguments.parallel}")
    if arguments.fresh and arguments.retry_failed:
        raise UsageError("--fresh starts over, and --retry-failed goes on with earlier results; use one of them")
    local = ("output_dir", "results_file", "gpus", "fresh", "retry_failed", "json", "plain")
    given = next((name for name in local if getattr(arguments, name)), None)
    if arguments.render and given is not None:
        raise UsageError(f"--{given.replace('_', '-')} is for a run on this machine, and --render runs nothing")


def _run(arguments: argparse.Namespace, listed: Experiments, keys: list[str] | None) -> int:
    from kftune.cli.run import devices
    from kftune.experiments.results import results_of, stamp, write_results
    from kftune.experiments.run import run_list
    from kftune.experiments.tuner import OUTPUT, results_path
    from kftune.local.views import JsonView, study_view

    timestamp = stamp()
    folder = arguments.output_dir or Path(OUTPUT)
    file = results_path(arguments.results_file, timestamp)

    def save(found: list[Found]) -> None:
        write_results(file, results_of(listed, found, timestamp))

    view = JsonView(write_data) if arguments.json else study_view(terminal(), plain=arguments.plain)
    with view as shown:
        ended = run_list(
            listed,
            folder,
            keys=keys,
            parallel=arguments.parallel or 1,
            gpus=devices(arguments.gpus),
            on_event=shown,
            on_found=save,
            results_file=file,
            fresh=arguments.fresh,
            retry_failed=arguments.retry_failed,
        )
    if not arguments.json:
        _print_summary(listed, ended.found)
        print(f"results in {file}")
    if ended.outcome.state == "Interrupted":
        return ended.outcome.exit_code
    return int(any(each.status != "completed" for each in ended.found))


def _print_summary(listed: Experiments, found: list[Found]) -> None:
    from kftune.cli.table import table
    from kftune.experiments.results import best_of

    best = best_of(listed, found)
    rows = [_row(listed, each, is_best=best is not None and each is best) for each in found]
    print(f"\n{table(['experiment', 'status', listed.objective.metric, 'targets'], rows)}")


def _row(listed: Experiments, found: Found, *, is_best: bool) -> list[str]:
    value = found.trial.objective if found.trial is not None and found.status == "completed" else None
    shown = "" if value is None else f"{value:g}{' (best)' if is_best else ''}"
    targets = ", ".join(f"{each.name} {each.result}" for each in found.targets) if found.status == "completed" else ""
    return [found.experiment.name, found.status or "not run", shown, targets]


def _render(arguments: argparse.Namespace, listed: Experiments, keys: list[str] | None) -> int:
    from kftune import yaml_text
    from kftune.experiments.render import render_list
    from kftune.files import write_text

    rendering = render_list(listed, keys, parallel=arguments.parallel or 1)
    text = yaml_text.dump_all(rendering.documents)
    if arguments.out is None:
        write_data(text)
    else:
        is_file = arguments.out.suffix in YAML_SUFFIXES
        path = arguments.out if is_file else arguments.out / f"{arguments.config.stem}.katib.yaml"
        write_text(path, text)
        print(f"wrote {path}")
    for note in rendering.notes:
        print(f"note: {arguments.config}: {note}", file=sys.stderr)
    return 0
