"""Writes a study in the words of another system, its trials into a tracker, or all its results as one file.

kftune export study.yaml --to azureml -o sweep.yaml    a sweep job of Azure ML
kftune export study.yaml --to optuna -o space.json     the space as Optuna's distributions
kftune export study.yaml --to tensorboard -o logs      a run for each trial, with TensorBoard's HParams
kftune export study.yaml --to mlflow -o tracking       a run for each trial, in the database mlflow.db
kftune export study.yaml --to wandb -o tracking        an offline run for each trial, for wandb sync
kftune export study.yaml --bundle study.zip            results, report, best values, the study and its class

--to azureml and optuna print what is carried exactly, what is converted and means the same, what has no equivalent, and
what to fill in. Katib's words are those of kftune render. The other systems get the trials that have ended, from
whatever kftune results reads; a trial that is there already is not written twice. Without -o, mlflow writes to the
server that MLFLOW_TRACKING_URI names. A bundle is read back: kftune results study.zip, best, report, compare.

Exit codes: 0 done, 1 --strict and something has no equivalent (then nothing is written), 2 wrong use or file.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from kftune.cli.arguments import a_path
from kftune.cli.output import write_data
from kftune.cli.places import add_results_arguments, given_entities, open_given
from kftune.errors import KftuneError, StoreError, UsageError
from kftune.files import write_bytes, write_text
from kftune.runs import YAML_SUFFIXES

if TYPE_CHECKING:
    from kftune.importers.outward import Exported
    from kftune.results import Trials
    from kftune.results.entities import EntitiesFolder
    from kftune.study import Study
    from kftune.trackers import Written

FORMAT = "kftune.export/1"
_SYSTEMS = ("azureml", "optuna", "katib")
_TRACKERS = ("tensorboard", "mlflow", "wandb")
_FLAGS = {"dir": "dir", "through": "study"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    add_results_arguments(parser)
    form = parser.add_mutually_exclusive_group(required=True)
    form.add_argument("--to", choices=[*_SYSTEMS, *_TRACKERS], help="the other system")
    form.add_argument("--bundle", type=a_path, metavar="FILE.zip", help="file to write with the study and its results")
    parser.add_argument(
        "-o", "--out", type=a_path, metavar="PATH", help="with --to: file (default: screen), or folder of the runs"
    )
    parser.add_argument(
        "--strict",
        action="store_true",
        help="with --to azureml or optuna: write nothing if something has no equivalent, and exit with 1",
    )
    parser.add_argument("--force", action="store_true", help="overwrite the file")
    parser.add_argument(
        "--format", choices=["text", "json"], help="with --to azureml or optuna: form of the report (default: text)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Writes the study."""
    if arguments.to is None:
        return _write_bundle(arguments)
    return _write_runs(arguments) if arguments.to in _TRACKERS else _write_foreign(arguments)


# -- other systems -----------------------------------------------------------------------------------------------------


def _write_foreign(arguments: argparse.Namespace) -> int:
    from kftune.cli.given import given_kind
    from kftune.importers.outward import write_foreign
    from kftune.importers.report import losses
    from kftune.study import load_study

    source = Path(arguments.study)
    if arguments.to == "katib":
        raise UsageError(
            f"the Experiment of a study is what kftune render writes: kftune render {source} --out manifests"
        )
    if source.is_dir() or source.suffix.lower() not in (*YAML_SUFFIXES, ".json"):
        raise UsageError(f"--to writes a study in other words, so give its file, such as study.yaml; given {source}")
    for option in ("dir", "through"):
        if getattr(arguments, option) is not None:
            raise UsageError(
                f"--{_FLAGS[option]} is with --bundle; --to writes the study alone, so it is the first argument"
            )
    given_kind(source, ("study",))
    study = load_study(source)
    if arguments.entity is not None:
        study = study.for_entity(arguments.entity)
    elif study.for_each is not None:
        first = study.for_each.entities[0].name
        raise UsageError(
            f"--to {arguments.to} writes one study, but {source} is one for each of several entities; say "
            f"which: --entity {first}, or leave for_each out of the file"
        )
    target: Path | None = arguments.out
    if target is not None and target.resolve() == source.resolve():
        raise UsageError(f"{target} is the study; give another file to write")
    _check_new(target, arguments.force)
    exported = write_foreign(arguments.to, study)
    refused = arguments.strict and bool(losses(exported))
    if target is not None and not refused:
        write_text(target, exported.text)
    elif not refused:
        write_data(exported.text)
    written = [str(target)] if target is not None and not refused else []
    _print(exported, arguments, written, refused)
    return 1 if refused else 0


def _print(exported: Exported, arguments: argparse.Namespace, written: list[str], refused: bool) -> None:
    """Prints the report, beside a document on the screen as an error message would be."""
    from kftune.importers.report import notes_json, report_text

    stream = sys.stdout if arguments.out is not None or refused else sys.stderr
    if arguments.format == "json":
        found = {"format": FORMAT, "system": arguments.to, "file": str(arguments.study), "written": written}
        print(json.dumps({**found, **notes_json(exported)}, indent=2), file=stream)
        return
    for each in written:
        print(f"wrote {each}", file=stream)
    print(report_text(exported), end="", file=stream)
    if refused:
        print("nothing was written, because of --strict", file=stream)


# -- trackers ----------------------------------------------------------------------------------------------------------


def _write_runs(arguments: argparse.Namespace) -> int:
    from kftune.trackers import write_runs

    for option in ("strict", "format", "force"):
        if getattr(arguments, option):
            raise UsageError(
                f"--{option} is for studies in other words; runs have no report of losses, and none is overwritten"
            )
    if arguments.out is not None and arguments.out.exists() and not arguments.out.is_dir():
        raise UsageError(f"the runs of {arguments.to} are in a folder, but {arguments.out} is a file")
    entities = given_entities(arguments)
    if entities is None:
        with open_given(arguments) as results:
            all_written = [write_runs(arguments.to, results, arguments.out)]
    else:
        all_written = _write_runs_of_each(entities, arguments)
    for note in dict.fromkeys(note for written in all_written for note in written.notes):
        print(f"note: {note}", file=sys.stderr)
    number, present = (sum(counts) for counts in zip(*((each.runs, each.present) for each in all_written), strict=True))
    runs, there = "1 run" if number == 1 else f"{number} runs", f" ({present} were there already)" if present else ""
    places = {written.place for written in all_written}
    place = places.pop() if len(places) == 1 else f"{len(places)} folders in {arguments.out}"
    print(f"wrote {runs} to {place}{there}; see them: {all_written[0].next_step}")
    return 0


def _write_runs_of_each(entities: EntitiesFolder, arguments: argparse.Namespace) -> list[Written]:
    """Writes the runs of each entity, as those of a study of its own."""
    from kftune.trackers import write_runs

    found = []
    for entity in entities.entities():
        results = entities.open(entity)
        if results is not None:
            with results:
                found.append(write_runs(arguments.to, results, arguments.out))
    if not found:
        raise StoreError("no entity has a trial yet", str(entities.path))
    return found


# -- bundles -----------------------------------------------------------------------------------------------------------


def _write_bundle(arguments: argparse.Namespace) -> int:
    from kftune.study_report.bundle import bundle

    target: Path = arguments.bundle
    for option in ("out", "strict", "format"):
        if getattr(arguments, option):
            raise UsageError(
                f"--{option} is with --to; a bundle is one file, that of --bundle, and has no report of losses"
            )
    _check_new(target, arguments.force)
    if target.suffix != ".zip":
        raise UsageError(f"a bundle is a ZIP file, by whose name it is known: --bundle {target.with_suffix('.zip')}")
    sources = _sources(arguments)
    with open_given(arguments) as results:
        # The longest first, as one may be in another.
        folders = sorted({str(path) for path in _folders(arguments, results)}, key=len, reverse=True)
        content = bundle(results, sources, folders)
        count = len(results.trials())
    write_bytes(target, content)
    print(f"wrote {target}: {count} trials, {len(content) / 1000:.0f} kB")
    return 0


def _folders(arguments: argparse.Namespace, results: Trials) -> Iterator[Path]:
    """Yields the folders that messages of trials may name."""
    for given in (Path(results.place), Path(arguments.study), arguments.through, Path.cwd()):
        if given is not None and given.exists():
            found = given.resolve() if given.is_dir() else given.resolve().parent
            if found != found.parent:
                yield found


def _sources(arguments: argparse.Namespace) -> dict[str, str]:
    """Returns the study file and the source of its class, by name."""
    file = Path(arguments.through or arguments.study)
    if file.suffix.lower() not in YAML_SUFFIXES or not file.is_file():
        print(
            "note: the bundle has no study file, as the results do not say where it is; give the file of the study, or "
            "--study FILE",
            file=sys.stderr,
        )
        return {}
    found = {file.name: file.read_text(encoding="utf-8-sig")}
    from kftune.spec.kind import kind_of_file

    if kind_of_file(file)[0].name != "study":
        return found
    from kftune.study import load_study

    try:
        source = _class_file(load_study(file))
    except KftuneError as error:
        print(f"note: the bundle has no source of the class: {error}", file=sys.stderr)
        return found
    if source is not None:
        found[source.name] = source.read_text(encoding="utf-8")
    return found


def _class_file(study: Study) -> Path | None:
    """Returns the file that defines the class; None if an installed package does."""
    import inspect
    import sysconfig

    given = inspect.getsourcefile(study.hparams)
    path = None if given is None else Path(given).resolve()
    packages = {Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "purelib", "platlib")}
    own = Path(__file__).resolve().parents[1]
    if path is None or any(path.is_relative_to(each) for each in (*packages, own)):
        print(f"note: the class {study.hparams.__qualname__} is of a package, and not in the bundle", file=sys.stderr)
        return None
    return path


def _check_new(target: Path | None, is_forced: bool) -> None:
    if target is not None and target.is_dir():
        raise UsageError(f"{target} is a folder; give the file to write")
    if target is not None and target.is_file() and not is_forced:  # a stream such as /dev/stdout is written to
        raise UsageError(f"{target} already exists; nothing was written. Give --force to overwrite it, or another name")
