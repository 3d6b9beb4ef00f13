"""Runs a study, or a Katib Experiment as it is, on this machine.

Each trial is a process, or with --runtime container a container of its image, with the command line that it has on a
cluster. Results go to runs/NAME. Run it again to resume, however the run ended; no finished trial is lost or repeated.
Exit codes: 0 done, 1 it failed, 2 wrong use, 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from kftune.cli.places import RUNS
from kftune.errors import UsageError

if TYPE_CHECKING:
    from kftune.local.study.events import OnEvent


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument("study", type=Path, help="study file, or a file with an Experiment")
    parser.add_argument(
        "overrides", nargs="*", metavar="key=value", help="changes, such as budget.max_trials=4 or maxTrialCount=4"
    )
    parser.add_argument("--dir", type=Path, help=f"folder of the results (default: {RUNS}/NAME)")
    parser.add_argument("--fresh", action="store_true", help="move earlier results aside and begin anew")
    parser.add_argument("--gpus", help="devices to share out among trials, such as 0,1; none: run without")
    parser.add_argument(
        "--runtime", choices=["process", "container"], default="process", help="what a trial is (default: process)"
    )
    parser.add_argument("--strict", action="store_true", help="refuse a study of which something has no effect here")
    parser.add_argument("--json", action="store_true", help="one JSON object an event (docs/results.md)")
    parser.add_argument("--plain", action="store_true", help="plain lines, also in a terminal")
    _add_own_of_experiments(parser)


def _add_own_of_experiments(parser: argparse.ArgumentParser) -> None:
    """Declares the options that only an Experiment has."""
    group = parser.add_argument_group("only for a Katib Experiment")
    group.add_argument("--name", help="which one, where the file has several")
    group.add_argument("--seed", type=int, help="seed in place of the setting random_state")
    group.add_argument("--env", action="append", default=[], metavar="NAME=VALUE", help="a variable for every trial")
    group.add_argument(
        "--mount", action="append", default=[], metavar="VOLUME=PATH", help="what stands for a volume or /PATH here"
    )
    group.add_argument("--working-dir", type=Path, metavar="DIR", help="where trials run")
    group.add_argument("--as-katib", action="store_true", help="with the known faults of Katib's engines")
    group.add_argument("--strict-wrapper", action="store_true", help="through the shell line that Katib makes")


def _refuse_own_of_experiments(arguments: argparse.Namespace) -> None:
    for name in ("name", "seed", "env", "mount", "working_dir", "as_katib", "strict_wrapper"):
        if getattr(arguments, name) not in (None, False, []):
            option = f"--{name.replace('_', '-')}"
            raise UsageError(f"{option} is for a Katib Experiment, and {arguments.study} is a study; change the study")


def run(arguments: argparse.Namespace) -> int:
    """Runs the study or the Experiment."""
    from kftune.cli.given import given_kind
    from kftune.local.study.events import Event
    from kftune.local.views import study_view

    kind, _ = given_kind(arguments.study, ("study", "Experiment"))
    if kind.name == "Experiment":
        folder, go = _experiment(arguments)
    else:
        _refuse_own_of_experiments(arguments)
        folder, go = _study(arguments)

    def print_json(event: Event) -> None:
        sys.stdout.write(f"{json.dumps(event.to_dict(), ensure_ascii=False)}\n")
        sys.stdout.flush()

    if arguments.json:
        return go(print_json)
    hints = [f"kftune best {folder}", f"kftune logs {folder} best"]
    with study_view(sys.stdout, hints, plain=arguments.plain) as view:
        return go(view)


def _study(arguments: argparse.Namespace) -> tuple[Path, Callable[[OnEvent], int]]:
    from kftune.local import run_study
    from kftune.results import slug
    from kftune.study import load_study

    study = load_study(arguments.study, arguments.overrides)
    folder = arguments.dir or RUNS / slug(study.name)

    def go(on_event: OnEvent) -> int:
        outcome = run_study(
            study,
            folder,
            study_path=arguments.study,
            on_event=on_event,
            gpus=_devices(arguments.gpus),
            runtime=arguments.runtime,
            strict=arguments.strict,
            fresh=arguments.fresh,
        )
        return outcome.exit_code

    return folder, go


def _experiment(arguments: argparse.Namespace) -> tuple[Path, Callable[[OnEvent], int]]:
    from kftune.cli.experiment import choose, mounts, variables
    from kftune.local.experiment import Options, run_experiment
    from kftune.results import slug

    chosen = choose(arguments.study, arguments.name, arguments.overrides)
    folder = arguments.dir or RUNS / slug(chosen.name)
    options = Options(
        runtime=arguments.runtime,
        env=variables(arguments.env),
        mounts=mounts(arguments.mount),
        working_dir=arguments.working_dir and arguments.working_dir.resolve(),
        strict_wrapper=arguments.strict_wrapper,
        gpus=_devices(arguments.gpus),
    )

    def go(on_event: OnEvent) -> int:
        outcome = run_experiment(
            chosen.value,
            folder,
            place=arguments.study,
            cluster=chosen.cluster,
            options=options,
            seed=arguments.seed,
            as_katib=arguments.as_katib,
            on_event=on_event,
            notes=chosen.notes,
            strict=arguments.strict,
            fresh=arguments.fresh,
        )
        return outcome.exit_code

    return folder, go


def _devices(text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    return () if text == "none" else tuple(part for part in text.split(",") if part)
