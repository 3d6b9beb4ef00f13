"""What `kftune lint` does with a study: renders it, and compares it with its class and its training script."""

from __future__ import annotations

import argparse
import ast
import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from kftune.domains import encoding
from kftune.errors import (
    ContainerError,
    RenderError,
    RunError,
    StudyError,
    UnknownNameError,
    UsageError,
    YamlError,
)
from kftune.hparams import Hparams
from kftune.hparams.registry import load_hparams
from kftune.katib.admission import Verdict
from kftune.katib.go.reading import Piece
from kftune.lint.drift.compare import drift, encoded_findings, passed_by_class, passed_by_study
from kftune.lint.drift.module import Module, SourceError
from kftune.lint.drift.reading import read_help, read_script
from kftune.lint.drift.script import Script
from kftune.lint.drift.step import StepScript, step_script
from kftune.lint.judging import Judgement
from kftune.lint.refused import refused
from kftune.lint.report import Placed, placed
from kftune.lint.rules.rule import Finding
from kftune.lint.sources import STDIN, Document, Source, documents
from kftune.lint.studies import LocalMetric, StudyReport
from kftune.metrics import reduce_file
from kftune.study import Study, load_study, study_from_dict

HelpText = Callable[[Path, Sequence[Path], Sequence[str]], str]
"""What a script prints for --help: its file, the folders of its modules, and arguments before --help."""


def judge_study(
    source: Source, document: Document, arguments: argparse.Namespace
) -> tuple[list[Document], StudyReport]:
    """The documents that a study renders to, whose places are those of the rendered text; and what is said of itself.

    Args:
        source: The file.
        document: The study in it.
        arguments: What `kftune.cli.lint` declares.
    """
    from kftune import yaml_text
    from kftune.images.studies import pinned
    from kftune.render import render

    try:
        study = _study(source, document)
        near = Path.cwd() if source.file == STDIN else Path(source.file)
        text = yaml_text.dump_all(render(pinned(study, near), "katib").documents)
    except (StudyError, YamlError, RenderError, ContainerError, UnknownNameError) as error:
        name = document.value.get("name") if isinstance(document.value, dict) else None
        return [], StudyReport(refused(document, error, "KT400"), name if isinstance(name, str) else None)
    rendered = list(documents(source._replace(text=text, file=f"{source.file} (rendered)")))
    findings, script, note = _drift(study, _folders(source), arguments, _disguised(rendered))
    judgement = Judgement(document, Verdict("admitted"), tuple(findings))
    found = (judgement, list(placed(judgement)))
    here = () if arguments.sample_log is None else tuple(_read_here(study, arguments.sample_log))
    return rendered, StudyReport(found, study.name, script, note, here)


def _study(source: Source, document: Document) -> Study:
    from kftune import yaml_text

    if source.file != STDIN:
        return load_study(Path(source.file))
    value = yaml_text.load(document.piece.text, file=STDIN)
    return study_from_dict(value if isinstance(value, dict) else {}, (Path.cwd(),))


def _folders(source: Source) -> tuple[Path, ...]:
    """Where a study's files are looked for: its own folder, then the current one."""
    own = Path() if source.file == STDIN else Path(source.file).parent
    return (own,) if own.resolve() == Path.cwd() else (own, Path())


def _read_here(study: Study, log: str) -> Iterator[LocalMetric]:
    """What `kftune run` would make of a log."""
    read = reduce_file(log, [*study.reductions], study.metric_definitions)
    for name, reduce in study.reductions.items():
        reduced = read.result(name)
        refused = sum(count for (metric, _), count in read.refused.items() if metric == name)
        value = None if reduced is None else reduced.text(reduce)
        yield LocalMetric(name, reduce, reduced.count if reduced else 0, value, refused)


def _disguised(rendered: Iterable[Document]) -> set[str]:
    """The hyperparameters that rendered documents send as what only a class decodes."""
    found: set[str] = set()
    for document in rendered:
        found.update(re.findall(rf"--([\w.-]+)=['\"]*{encoding.PREFIX}", document.piece.text))
        spec = document.value.get("spec") if isinstance(document.value, dict) else None
        for parameter in spec.get("parameters", ()) if isinstance(spec, dict) else ():
            texts = parameter.get("feasibleSpace", {}).get("list", ())
            found |= {parameter["name"]} if any(text.startswith(encoding.PREFIX) for text in texts) else set()
    return found


def _drift(
    study: Study, folders: Sequence[Path], arguments: argparse.Namespace, disguised: set[str]
) -> tuple[list[Finding], str | None, str]:
    """What a study and its script say differently, the script, and why something could not be compared."""
    if study.step.module and study.step.module.partition(".")[0] == "kftune":
        return [], None, ""  # reads its arguments by the study's class
    begun = step_script(study.step, folders)
    if arguments.script is not None:
        begun = StepScript(Path(arguments.script), "", begun.given)
    if begun.file is None:
        return [], None, begun.why
    script = _script(begun, folders, help_text=arguments.help_text)
    passed = passed_by_study(study)
    found = drift(study.hparams, passed, script, begun.given, ("step",))
    found += encoded_findings(study.hparams, passed, script, disguised)
    return found, str(begun.file), _note(script, study.hparams)


def judge_class(name: str, arguments: argparse.Namespace) -> StudyReport:
    """Compares a class with the script that `--script` names.

    Raises:
        UsageError: No script is named, or it is not there.
    """
    if arguments.script is None:
        raise UsageError("--hparams compares a class with a script; name that with --script FILE")
    hparams = _loaded(name)
    folders = (Path(arguments.script).parent, Path())
    script = _script(StepScript(Path(arguments.script), "", ()), folders, help_text=arguments.help_text)
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


def _script(begun: StepScript, folders: Sequence[Path], *, help_text: HelpText | None) -> Script:
    file = begun.file
    if file is None or not file.is_file():
        raise UsageError(f"there is no file {file}; --script names the training script")
    script = read_script(file, tuple(dict.fromkeys((file.parent, *folders))))
    if not script.unclear or script.hparams or help_text is None:
        return script
    try:
        return read_help(str(file), help_text(file, folders, begun.given))
    except RunError as error:
        return script.doubted(str(error))


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
