"""Runs a study, a pipeline or a Katib Experiment on this machine.

kftune run pipelines/circuits/study.yaml budget.max_trials=4
kftune run pipelines/circuits/pipeline.yaml circuit=PLANT001/CIRCUIT02 steps.data.cache=false
kftune run experiment.yaml maxTrialCount=4

Trials and steps are processes with the command line that they have on a cluster. Results go to runs/NAME beside the
file. Run it again to resume; no finished trial or step is lost or repeated. Exit codes: 0 done, 1 failed, 2 wrong use,
130 interrupted.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from kftune.cli.arguments import a_path, a_source
from kftune.cli.given import given_kind
from kftune.cli.output import terminal, write_data
from kftune.cli.places import DEFAULT, new_results
from kftune.errors import UsageError
from kftune.spec.kind import Kind, KindName

if TYPE_CHECKING:
    from kftune.local.study.events import OnEvent

Go = Callable[["OnEvent"], int]
"""Runs what was prepared, calls its argument with each event, and returns the exit code."""

# Which kinds of file an option is for; the other options are for all.
_KINDS_OF = {
    **dict.fromkeys(("gpus", "strict", "retry_failed"), ("study", "Experiment")),
    **dict.fromkeys(("baseline", "baseline_from", "at", "map", "start_from", "entity"), ("study",)),
    **dict.fromkeys(("image", "parallel"), ("pipeline",)),
    **dict.fromkeys(
        ("name", "seed", "env", "secret", "network", "mount", "working_dir", "as_katib", "strict_wrapper"),
        ("Experiment",),
    ),
}

# Options without a key of a file that means the same -> what to do in a file of another kind.
_INSTEAD = {
    **dict.fromkeys(("gpus", "baseline", "baseline_from", "at", "map", "start_from", "entity"), ""),
    "retry_failed": "; without the option, the failed steps of its latest run run again",
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    add_common_arguments(parser)
    trials = parser.add_argument_group("studies and Experiments")
    trials.add_argument("--gpus", help="GPUs to distribute among trials, such as 0,1; none: run without")
    trials.add_argument("--strict", action="store_true", help="refuse a file with settings that have no effect here")
    trials.add_argument(
        "--retry-failed", action="store_true", help="run trials again that failed or reported no objective"
    )
    study = parser.add_argument_group("studies")
    study.add_argument("--baseline", action="store_true", help="first try the defaults of the class")
    study.add_argument(
        "--baseline-from",
        type=a_path,
        metavar="FILE",
        help="first try the values in a YAML file, as kftune apply sees them",
    )
    study.add_argument("--at", metavar="PATH", help="the mapping in that file, such as PLANT001/CIRCUIT01")
    study.add_argument(
        "--map", action="append", default=[], metavar="NAME=PATH", help="the path of a hyperparameter in that mapping"
    )
    study.add_argument(
        "--start-from",
        action="append",
        default=[],
        type=a_source,
        metavar="PLACE",
        help="past trials to start from: a folder of results, a file with trials, or katib:NAMESPACE/NAME",
    )
    study.add_argument(
        "--entity", action="append", default=[], metavar="NAME", help="of a study with for_each, run only this entity"
    )
    add_pipeline_arguments(parser)
    experiment = parser.add_argument_group("Experiments")
    experiment.add_argument("--name", help="which Experiment, if the file has several")
    experiment.add_argument("--seed", type=int, help="seed, in place of the setting random_state")
    experiment.add_argument("--env", action="append", default=[], metavar="NAME=VALUE", help="variable for all trials")
    experiment.add_argument(
        "--secret",
        action="append",
        default=[],
        metavar="NAME",
        help="variable of the environment here for all trials, such as one from a Secret",
    )
    experiment.add_argument(
        "--network",
        choices=["none", "engine", "host"],
        help="network of trials in containers: that of the container engine, or of this machine (default: none)",
    )
    experiment.add_argument(
        "--mount", action="append", default=[], metavar="VOLUME=PATH", help="local path of a volume, or of /PATH"
    )
    experiment.add_argument("--working-dir", type=a_path, metavar="DIR", help="working directory of trials")
    experiment.add_argument("--as-katib", action="store_true", help="reproduce known faults of Katib's engines")
    experiment.add_argument("--strict-wrapper", action="store_true", help="run the shell command that Katib makes")


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments for all kinds of files."""
    parser.add_argument("file", type=a_path, help="study, pipeline or Experiment file")
    parser.add_argument(
        "settings",
        nargs="*",
        metavar="key=value",
        help="changes to the file (budget.max_trials=4, ~points), or parameters of a pipeline (circuit=C1)",
    )
    parser.add_argument("--dir", type=a_path, help=f"folder of the results (default: {DEFAULT})")
    parser.add_argument("--runtime", choices=["process", "container"], help="of trials and steps (default: process)")
    parser.add_argument("--fresh", action="store_true", help="start again: move earlier results aside, or use none")
    parser.add_argument("--json", action="store_true", help="print events, one JSON object a line (docs/results.md)")
    parser.add_argument("--plain", action="store_true", help="print plain lines, also in a terminal")


def add_pipeline_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments for pipelines."""
    pipeline = parser.add_argument_group("pipelines")
    pipeline.add_argument(
        "--image",
        action="append",
        default=[],
        metavar="[IMAGE=]IMAGE",
        help="with --runtime container, the image to run in place of another, or of all: registry/x:1=images/train, "
        "images/train (default: targets.local.images of the file)",
    )
    pipeline.add_argument(
        "--parallel", type=int, metavar="N", help="steps at the same time (default: the file, or the cores)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Runs the file."""
    return run_file(arguments, ("study", "pipeline", "Experiment"))


def run_file(arguments: argparse.Namespace, taken: Sequence[KindName]) -> int:
    """Runs a file of one of some kinds.

    Args:
        arguments: What `configure` declares.
        taken: The kinds; the loader of the first says what is wrong with a file of no known kind.

    Returns:
        The exit code.
    """
    kind, _ = given_kind(arguments.file, taken)
    if kind.name == "other":
        kind = Kind(taken[0])
    _check_options(arguments, kind)
    if kind.name == "pipeline":
        from kftune.cli.local_pipeline import prepared

        go, view = prepared(arguments)
        return _run(arguments, go, view)
    if kind.name == "study":
        return _study(arguments)
    from kftune.cli.experiment import prepared as prepared_experiment

    folder, go = prepared_experiment(arguments, devices(arguments.gpus))
    return _run(arguments, go, _trials_view(arguments, folder))


def _run(arguments: argparse.Namespace, go: Go, view: Callable[[], AbstractContextManager[OnEvent]]) -> int:
    from kftune.local.views import JsonView

    with JsonView(write_data) if arguments.json else view() as shown:
        return go(shown)


def _trials_view(arguments: argparse.Namespace, folder: Path) -> Callable[[], AbstractContextManager[OnEvent]]:
    """Returns the view of a study or an Experiment."""
    from kftune.local.views import study_view

    hints = [f"kftune best {folder}", f"kftune logs {folder} best"]
    return lambda: study_view(terminal(), hints, plain=arguments.plain)


def _check_options(arguments: argparse.Namespace, kind: Kind) -> None:
    from kftune.cli.hints import in_the_file

    for name, kinds in _KINDS_OF.items():
        if kind.name not in kinds and getattr(arguments, name, None) not in (None, False, []):
            option, which = f"--{name.replace('_', '-')}", " or ".join(f"{Kind(each)}" for each in kinds)  # type: ignore[arg-type]
            known = _INSTEAD.get(name)
            hint = in_the_file(arguments.file, option, getattr(arguments, name)) if known is None else known
            raise UsageError(f"{option} is for {which}, but {arguments.file} is {kind}{hint}")
    if arguments.fresh and getattr(arguments, "retry_failed", False):
        raise UsageError("--fresh starts over, and --retry-failed goes on with earlier trials; use one of them")


def _study(arguments: argparse.Namespace) -> int:
    from kftune.cli.live import open_live
    from kftune.lint.study import drift_notes
    from kftune.local import run_study
    from kftune.results import slug
    from kftune.study import load_study

    study = load_study(arguments.file, arguments.settings)
    if arguments.start_from:
        places = [_from_here(place) for place in arguments.start_from]
        study = study.replace(start_from=(*study.start_from, *places))
    if study.for_each is not None:
        from kftune.cli.entities import prepared as prepared_entities

        folder = new_results(arguments.dir, arguments.file, slug(study.name))
        run_all, view, after = prepared_entities(study, folder, arguments, devices(arguments.gpus))
        code = _run(arguments, run_all, view)
        after(code)
        return code
    if arguments.entity:
        raise UsageError(f"--entity chooses among the entities of for_each, but {arguments.file} has none")
    if study.apply is not None or arguments.baseline or arguments.baseline_from or arguments.at or arguments.map:
        from kftune.cli.around_run import prepared

        study = prepared(study, arguments)
    folder = new_results(arguments.dir, arguments.file, slug(study.name))

    def go(on_event: OnEvent) -> int:
        return run_study(
            study,
            folder,
            study_path=arguments.file,
            on_event=on_event,
            gpus=devices(arguments.gpus),
            runtime=arguments.runtime or "process",
            notes=drift_notes(study, arguments.file),
            strict=arguments.strict,
            fresh=arguments.fresh,
            retry_failed=arguments.retry_failed,
            open_live=open_live,
        ).exit_code

    code = _run(arguments, go, _trials_view(arguments, folder))
    if code == 0 and study.apply is not None:
        from kftune.cli.around_run import apply_best

        apply_best(study, folder, arguments.file, quiet=arguments.json)
    return code


def _from_here(place: Path) -> str:
    """Returns a place of the command line, which is relative to the current folder."""
    return str(place.resolve() if place.exists() else place)


def devices(text: str | None) -> tuple[str, ...] | None:
    """Returns the devices of --gpus; None for those that the machine has."""
    if text is None:
        return None
    return () if text == "none" else tuple(part for part in text.split(",") if part)
