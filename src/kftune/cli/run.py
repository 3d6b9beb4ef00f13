"""Runs a study on this machine: each trial is a process, started with the command line that it has on a cluster.

Results go to runs/NAME. Calling it again goes on where an earlier run ended, however that ended; no finished trial is
lost or repeated. Exit codes: 0 done, 1 the study failed, 2 wrong use, 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from kftune.cli.places import RUNS


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument("study", type=Path, help="study file")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="changes, such as budget.max_trials=4")
    parser.add_argument("--dir", type=Path, help=f"folder of the results (default: {RUNS}/NAME)")
    parser.add_argument("--fresh", action="store_true", help="move earlier results aside and begin anew")
    parser.add_argument("--gpus", help="devices to share out among trials, such as 0,1; none: run without")
    parser.add_argument("--strict", action="store_true", help="refuse a study of which something has no effect here")
    parser.add_argument("--json", action="store_true", help="one JSON object an event (docs/results.md)")
    parser.add_argument("--plain", action="store_true", help="plain lines, also in a terminal")


def run(arguments: argparse.Namespace) -> int:
    """Runs the study."""
    from kftune.local import run_study
    from kftune.local.events import Event, OnEvent
    from kftune.local.plain import PlainView
    from kftune.local.views import view_for
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
            strict=arguments.strict,
            fresh=arguments.fresh,
        )
        return outcome.exit_code

    def print_json(event: Event) -> None:
        sys.stdout.write(f"{json.dumps(event.to_dict(), ensure_ascii=False)}\n")
        sys.stdout.flush()

    if arguments.json:
        return go(print_json)
    hints = [f"kftune best {folder}", f"kftune logs {folder} best"]
    with PlainView(sys.stdout, hints) if arguments.plain else view_for(sys.stdout, hints) as view:
        return go(view)


def _devices(text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    return () if text == "none" else tuple(part for part in text.split(",") if part)
