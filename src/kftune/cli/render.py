"""Writes the manifests that run a study or a pipeline on a cluster. The same file always gives the same bytes.

kftune render study.yaml                          prints them
kftune render study.yaml --out build              writes build/study.katib.yaml
kftune render pipeline.yaml --target argo         a pipeline, for Argo Workflows
kftune render pipelines/circuits --out build      a folder with a project.yaml: a kustomization with overlays
kftune render --all pipelines --out manifests     all files below pipelines/, in the same folders
kftune render study.yaml --out build --with-service --katib-config katib-config.yaml
                                                  also the cluster's configuration with the early stopping service
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kftune import confined, yaml_text
from kftune.cli import service
from kftune.cli.arguments import a_path
from kftune.cli.given import given_kind
from kftune.cli.output import write_data
from kftune.errors import RenderError, UsageError, near_files
from kftune.files import forget, remember, write_text, written_before
from kftune.images import resolve
from kftune.render import PIPELINE_TARGETS, TARGETS, Rendering, render
from kftune.render.resolved import render_resolved
from kftune.runs import YAML_SUFFIXES, files_below
from kftune.spec.kind import PROJECT_FILE, Kind, kind_of_file
from kftune.study import load_study

_SUFFIXES = (*YAML_SUFFIXES, ".json")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument("file", nargs="?", type=a_path, help="study or pipeline file, or the folder of a project")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="changes, such as budget.max_trials=4")
    parser.add_argument("--all", type=a_path, metavar="DIR", help="render all study and pipeline files below DIR")
    parser.add_argument(
        "--target",
        choices=[*TARGETS, *PIPELINE_TARGETS],
        help="default: all targets of the file",
    )
    parser.add_argument("--out", type=a_path, help="a .yaml or .json file, or a folder (default: print)")
    parser.add_argument("--format", choices=["yaml", "json"], default="yaml")
    service.configure(parser)


def run(arguments: argparse.Namespace) -> int:
    """Renders one file or all below a folder."""
    if (arguments.file is None) == (arguments.all is None):
        from kftune.cli.hints import missing_file

        raise UsageError(f"kftune render takes a study or pipeline file, or --all DIR{missing_file('file')}")
    if arguments.out is not None and arguments.out.suffix not in _SUFFIXES and arguments.out.is_file():
        raise UsageError(f"--out takes a .yaml or .json file, or a folder, but {arguments.out} is another file")
    service.check(arguments)
    registration = service.registration(arguments) if arguments.with_service else None
    code = _render(arguments)
    if registration is not None:
        registration.write()
    return code


def _render(arguments: argparse.Namespace) -> int:
    if arguments.all is not None:
        return _render_all(arguments)
    if arguments.file.is_dir():
        return _render_project(arguments)
    with _without_collection():
        _render_file(arguments)
    return 0


@contextmanager
def _without_collection() -> Iterator[None]:
    """Switches garbage collection off: almost nothing becomes garbage here, and looking for it takes time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _render_file(arguments: argparse.Namespace) -> None:
    kind, _ = given_kind(arguments.file, ("study", "pipeline"))
    told: set[str] = set()
    for target in _targets(arguments.file, kind, arguments.target):
        rendering = _rendering(arguments.file, arguments.overrides, target)
        if arguments.out is None:
            write_data(_text([*rendering.documents, *rendering.created], arguments.format))
        elif arguments.out.suffix in _SUFFIXES:
            _write(arguments.out, [*rendering.documents, *rendering.created], arguments.format)
        else:
            _write_into(arguments.out, arguments.file, rendering, target, arguments.format)
        _print_notes(rendering.notes, arguments.file, told)


def _render_all(arguments: argparse.Namespace) -> int:
    if arguments.out is None:
        raise UsageError("kftune render --all needs --out DIR")
    if not arguments.all.is_dir():
        raise UsageError(f"--all takes a folder, but {arguments.all} is none{near_files(str(arguments.all))}")
    count = 0
    sets: set[Path] = set()
    found = files_below(arguments.all, YAML_SUFFIXES)
    projects = [path for path in found if path.name == PROJECT_FILE and arguments.target is None]
    for project in projects:
        folder = _folder_in(arguments.out, project.parent.relative_to(arguments.all))
        sets |= {project.parent / file for file in _write_set(project.parent, folder, arguments.format)}
        count += 1
    for path, kind in _studies_and_pipelines(found):
        if path in sets:
            continue
        told: set[str] = set()
        for target in _targets_of(kind):
            if arguments.target not in (None, target):
                continue
            rendering = _rendering(path, (), target)
            folder = _folder_in(arguments.out, path.relative_to(arguments.all).parent)
            _write_into(folder, path, rendering, target, arguments.format)
            _print_notes(rendering.notes, path, told)
            count += 1
    if count == 0:
        what = "study or pipeline file" if arguments.target is None else f"file for {arguments.target}"
        raise UsageError(f"there is no {what} below {arguments.all}")
    return 0


def _render_project(arguments: argparse.Namespace) -> int:
    if arguments.out is None or arguments.target is not None or arguments.overrides:
        raise UsageError("a project is rendered as a whole: kftune render FOLDER --out DIR; put changes into overlays")
    if not (arguments.file / PROJECT_FILE).is_file():
        raise UsageError(
            f"a folder needs a {PROJECT_FILE}, but {arguments.file} has none; write one, "
            f"or render each file: kftune render --all {arguments.file} --out {arguments.out}"
        )
    _write_set(arguments.file, arguments.out, arguments.format)
    return 0


def _write_set(source: Path, folder: Path, form: str) -> list[str]:
    """Writes the kustomization of a project; returns the files of the project that are in it."""
    from kftune.project import load_project
    from kftune.render.kustomize import MemberError, render_project

    if form != "yaml":
        raise UsageError("a project is written as YAML, which kustomize reads; remove --format")
    loaded = load_project(source)
    try:
        rendering = render_project(loaded)
    except MemberError as error:
        raise _placed(error, source / error.file) from error
    except RenderError as error:
        raise RenderError(f"{source / PROJECT_FILE}: {error}") from error
    texts = {path: _text(documents, form) for path, documents in rendering.files.items()}
    earlier = written_before(folder)
    places = {confined.to_write(folder, path): text for path, text in texts.items()}
    for place, text in places.items():
        write_text(place, text)
        print(f"wrote {place}")
    for stale in forget(folder, earlier - texts.keys()):
        print(f"removed {stale}")
    remember(folder, texts)
    _print_notes(rendering.notes, source, set())
    return [*loaded.base.members]


def _folder_in(out: Path, path: Path) -> Path:
    """Returns a folder below the one that the user has named; no link in it leads elsewhere."""
    confined.to_write(out, path / PROJECT_FILE)
    return out / path


def _studies_and_pipelines(files: Sequence[Path]) -> Iterator[tuple[Path, Kind]]:
    """Yields the files that hold a study or a pipeline."""
    for path in files:
        kind, _ = kind_of_file(path)
        if kind.name == "project" and path.name != PROJECT_FILE:
            raise UsageError(f"{path} looks like a project file, which must be named {PROJECT_FILE}; rename it")
        if kind.name in ("study", "pipeline"):
            yield path, kind


def _targets_of(kind: Kind) -> list[str]:
    return [*(PIPELINE_TARGETS if kind.name == "pipeline" else TARGETS)]


def _targets(path: Path, kind: Kind, wanted: str | None) -> list[str]:
    known = _targets_of(kind)
    if wanted not in (None, *known):
        raise UsageError(f"{path} is a {kind.name}, which is rendered for {', '.join(known)}, not for {wanted}")
    return known if wanted is None else [wanted]


def _rendering(path: Path, overrides: Sequence[str], target: str) -> Rendering:
    try:
        if target in TARGETS:
            return render(load_study(path, overrides).with_images(lambda image: resolve(image, path)), target)
        from kftune.pipeline import load_pipeline

        return render_resolved(load_pipeline(path, overrides).with_images(lambda image: resolve(image, path)), target)
    except RenderError as error:
        raise _placed(error, path) from error


def _placed(error: RenderError, path: Path) -> RenderError:
    """Returns an error with the file, and the lines of the values that it is about."""
    if not error.places:
        return RenderError(f"{path}: {error}")
    found = yaml_text.locate_all(path.read_text(encoding="utf-8"), [(place, False) for place in error.places])
    first, *others = [f"{path}:{line}:{column}" for line, column in found]
    return RenderError(f"{first}: {error}{''.join(f' (see {other})' for other in others)}")


def _write_into(folder: Path, path: Path, rendering: Rendering, target: str, form: str) -> None:
    """Writes what is applied, and in another file what is created for each run."""
    _write(folder / f"{path.stem}.{target}.{form}", rendering.documents, form)
    if rendering.created:
        _write(folder / f"{path.stem}.{target}-run.{form}", rendering.created, form)


def _write(path: Path, documents: Sequence[dict[str, Any]], form: str) -> None:
    write_text(path, _text(documents, form))
    print(f"wrote {path}")


def _text(documents: Sequence[dict[str, Any]], form: str) -> str:
    if form == "yaml":
        return yaml_text.dump_all(documents)
    return json.dumps(documents[0] if len(documents) == 1 else documents, indent=2, ensure_ascii=False) + "\n"


def _print_notes(notes: Sequence[str], path: Path, told: set[str]) -> None:
    """Prints what is to be known of a file, without what was told of it for another engine; adds it to that."""
    for note in notes:
        if note not in told:
            print(f"note: {path}: {note}", file=sys.stderr)
            told.add(note)
