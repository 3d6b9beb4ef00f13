"""The drift check of `kftune lint`: finds the script, reads it, and compares."""

from __future__ import annotations

import argparse
import ast
import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from kftune.errors import RunError, UsageError
from kftune.hparams import Hparams
from kftune.katib.admission import Verdict
from kftune.katib.go.reading import Piece
from kftune.lint.drift.compare import drift, passed_by_class, passed_by_study
from kftune.lint.drift.reading import read_script
from kftune.lint.drift.script import Script
from kftune.lint.drift.source import Module, SourceError
from kftune.lint.drift.step import Started, started
from kftune.lint.drift.usage import script_of_usage
from kftune.lint.judging import Judgement
from kftune.lint.report import Placed, StudyReport
from kftune.lint.rule import Finding
from kftune.lint.sources import Document
from kftune.registry import load_hparams
from kftune.study import Study


class Drift(NamedTuple):
    """What a study and its script say differently."""

    findings: tuple[Finding, ...]
    script: str | None
    note: str
    """Why something could not be compared; empty when all was."""


def study_drift(study: Study, folders: Sequence[Path], arguments: argparse.Namespace) -> Drift:
    """Compares a study with the script that it runs.

    Args:
        study: The study.
        folders: Where its files are looked for.
        arguments: What `kftune.cli.lint` declares: `script` and `run_help` count.
    """
    if study.step.module and study.step.module.partition(".")[0] == "kftune":
        return Drift((), None, "")  # reads its arguments by the study's class
    begun = started(study.step, folders)
    if arguments.script is not None:
        begun = Started(Path(arguments.script), "", begun.given)
    if begun.file is None:
        return Drift((), None, begun.why)
    script = _script(begun, folders, run_help=arguments.run_help)
    found = drift(study.hparams, passed_by_study(study), script, begun.given, ("step",))
    return Drift(tuple(found), str(begun.file), _note(script, study.hparams))


def class_drift(name: str, arguments: argparse.Namespace) -> StudyReport:
    """Compares a class with the script that `--script` names.

    Raises:
        UsageError: No script is named, or it is not there.
    """
    if arguments.script is None:
        raise UsageError("--hparams compares a class with a script; name that with --script FILE")
    hparams = _loaded(name)
    folders = (Path(arguments.script).parent, Path())
    script = _script(Started(Path(arguments.script), "", ()), folders, run_help=arguments.run_help)
    # A step would give what the script needs besides.
    found = [each for each in drift(hparams, passed_by_class(hparams), script, (), ()) if each.code != "KT406"]
    file, lines = _fields(hparams)
    judgement = Judgement(Document(file, 0, Piece("", 0), None), Verdict("admitted"), tuple(found))
    placed = [
        Placed(each, lines.get(str(each.path[0]) if each.path else "", 1), 5 if each.path else 1) for each in found
    ]
    return StudyReport((judgement, placed), hparams.__name__, arguments.script, _note(script, hparams))


def _loaded(name: str) -> type[Hparams]:
    place, colon, class_name = name.rpartition(":")
    if colon and place.endswith(".py"):
        if not Path(place).is_file():
            raise UsageError(f"there is no file {place}; --hparams takes NAME, FILE.py:CLASS or MODULE:CLASS")
        folder = Path(place).resolve().parent
        return load_hparams(f"{Path(place).stem}:{class_name}", (folder, Path.cwd()))
    return load_hparams(name, (Path.cwd(),))


def _script(begun: Started, folders: Sequence[Path], *, run_help: bool) -> Script:
    file = begun.file
    if file is None or not file.is_file():
        raise UsageError(f"there is no file {file}; --script names the training script")
    script = read_script(file, tuple(dict.fromkeys((file.parent, *folders))))
    if not script.unclear or script.hparams or not run_help:
        return script
    from kftune.local.usage import help_text

    try:
        return script_of_usage(str(file), help_text(file, folders, begun.given))
    except RunError as error:
        return script._replace(unclear=(*script.unclear, str(error)))


def _note(script: Script, hparams: type[Hparams]) -> str:
    if script.hparams and script.hparams != hparams.__name__:
        return f"{script.file} reads its arguments by {script.hparams}, and this is {hparams.__name__}"
    return "; ".join(script.unclear[:3])


def _fields(hparams: type[Hparams]) -> tuple[str, dict[str, int]]:
    """The file of a class and the lines of its fields."""
    file = inspect.getsourcefile(hparams)
    if file is None:
        return hparams.__module__, {}
    try:
        found = Module(Path(file), ()).classes.get(hparams.__name__)
    except SourceError:
        found = None
    shown = Path(file)
    if shown.is_relative_to(Path.cwd()):
        shown = shown.relative_to(Path.cwd())
    lines = (
        {}
        if found is None
        else {
            node.target.id: node.lineno
            for node in found.body
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
        }
    )
    return str(shown), {"": found.lineno if found else 1, **lines}
