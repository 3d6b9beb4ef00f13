"""Runs a whole pipeline on this machine, studies included.

kftune pipeline run pipelines/circuits/pipeline.yaml
kftune pipeline run pipelines/circuits/pipeline.yaml circuit=PLANT001/CIRCUIT02 steps.data.cache=false
kftune pipeline run pipelines/circuits/pipeline.yaml --runtime container

name=value sets a parameter of the run; a key with dots changes the file. Everything goes to runs/NAME/RUN. Calling it
again goes on with a run that has not succeeded, at the steps that are not done; a new run takes results of earlier ones
where nothing has changed. Exit codes: 0 done, 1 a step failed, 2 wrong use, 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from kftune.cli.places import RUNS

if TYPE_CHECKING:
    from kftune.local.study.events import Event


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument("action", choices=["run"])
    parser.add_argument("pipeline", type=Path, help="pipeline file")
    parser.add_argument(
        "settings", nargs="*", metavar="name=value", help="parameters of the run; key.key=value: changes"
    )
    parser.add_argument(
        "--runtime", choices=["process", "container"], default="process", help="what a step is (default: process)"
    )
    parser.add_argument(
        "--image",
        action="append",
        default=[],
        metavar="[IMAGE=]IMAGE",
        help="in containers, what runs in place of every image, or of one: images/train, registry/x:1=images/train "
        "(default: what the file's targets.local.images says)",
    )
    parser.add_argument("--dir", type=Path, help=f"folder of the runs (default: {RUNS}/NAME)")
    parser.add_argument("--fresh", action="store_true", help="begin a new run, and take nothing from earlier ones")
    parser.add_argument("--parallel", type=int, metavar="N", help="steps at once (default: the file's, else the cores)")
    parser.add_argument("--json", action="store_true", help="one JSON object an event (docs/results.md)")
    parser.add_argument("--plain", action="store_true", help="plain lines, also in a terminal")


def run(arguments: argparse.Namespace) -> int:
    """Runs the pipeline."""
    from kftune.cli.given import given_kind
    from kftune.errors import UsageError
    from kftune.local.pipeline import run_pipeline
    from kftune.local.pipeline.settings import read_parameters
    from kftune.local.views import pipeline_view
    from kftune.pipeline import load_pipeline

    if arguments.parallel is not None and arguments.parallel < 1:
        raise UsageError(f"--parallel is how many steps run at once, at least 1, but got {arguments.parallel}")
    changes = [text for text in arguments.settings if "." in text.partition("=")[0] or text.startswith("~")]
    given_kind(arguments.pipeline, ("pipeline",))
    pipeline = load_pipeline(arguments.pipeline, changes)
    parameters = read_parameters(pipeline, [text for text in arguments.settings if text not in changes])

    def print_json(event: Event) -> None:
        sys.stdout.write(f"{json.dumps(event.to_dict(), ensure_ascii=False)}\n")
        sys.stdout.flush()

    def go(on_event: object) -> int:
        outcome = run_pipeline(
            pipeline,
            arguments.dir or RUNS / pipeline.name,
            parameters,
            pipeline_path=arguments.pipeline,
            runtime=arguments.runtime,
            images=_images(arguments.image, pipeline.targets.local.images if arguments.runtime == "container" else {}),
            parallel=arguments.parallel,
            on_event=on_event,  # type: ignore[arg-type]
            fresh=arguments.fresh,
        )
        return outcome.exit_code

    if arguments.json:
        return go(print_json)
    with pipeline_view(sys.stdout, plain=arguments.plain) as view:
        return go(view)


def _images(given: list[str], of_file: Mapping[str, str]) -> dict[str, str]:
    """What runs in the place of an image, or of every one (""), which leaves nothing to the file."""
    found = {name: image for name, _, image in (text.rpartition("=") for text in given)}
    return found if "" in found else {**of_file, **found}
