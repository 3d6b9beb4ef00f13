"""Checks a study: renders it, and compares it with its class and its training script."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from kftune import yaml_text
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
from kftune.hparams.imports import watched_imports
from kftune.images import PREFIX, resolve
from kftune.katib.admission import Verdict
from kftune.katib.go.reading import Piece
from kftune.lint.drift.compare import Begun, drift, encoded_findings, passed_by_class, passed_by_study
from kftune.lint.drift.model import model_findings
from kftune.lint.drift.step import StepScript, step_script
from kftune.lint.experiment import CheckedDocument
from kftune.lint.imported import with_imports
from kftune.lint.options import HelpText, LintOptions
from kftune.lint.placing import error_findings, lint_finding, placed
from kftune.lint.report import LintFinding, StudyReport
from kftune.lint.rules.findings import finding
from kftune.lint.rules.rule import Finding
from kftune.lint.sources import STDIN, Document, SourceText, documents
from kftune.lint.step import command_findings
from kftune.lint.step_user import user_findings
from kftune.lint.study_refusals import refusal_findings
from kftune.lint.study_sample import StudySample, regex_findings, study_sample
from kftune.render import render
from kftune.scripts.module import Module, SourceError
from kftune.scripts.reading import read_help, read_script
from kftune.scripts.script import Script
from kftune.spec.classes import load_class
from kftune.study import Study, load_study, study_from_dict

_STAND_IN = "registry.example/image:1"


def check_study(source: SourceText, document: Document, options: LintOptions) -> tuple[list[Document], StudyReport]:
    """Returns the documents that a study renders to, with places in the rendered text, and the report of the study.

    Args:
        source: The file.
        document: The study in it.
        options: `script`, `help_text`, `sample_log` and `no_import` count.
    """
    with watched_imports(refused=options.no_import) as watch:
        rendered, report = _check(source, document, options)
    return rendered, with_imports(report, watch)


def _check(source: SourceText, document: Document, options: LintOptions) -> tuple[list[Document], StudyReport]:
    try:
        study = _study(source, document)
    except (StudyError, YamlError, UnknownNameError) as error:
        found = error_findings(document, error, "KT400")
        return [], StudyReport(document.file, document.text("name"), "refused", found, unjudged="the study is invalid")
    rendered, problems = _rendered(study, source, document)
    findings, script, note = _drift(study, _folders(source), options, _encoded(rendered, study))
    findings += command_findings(study.step.command, ("step", "command"))
    if (study.step.image or "").startswith(PREFIX):  # the Experiment has only its digest
        findings += user_findings(study.step, _near(source), ("step", "image"))
    read = StudySample() if options.sample_log is None else study_sample(study, options.sample_log)
    about = [*regex_findings(study), *refusal_findings(study)]
    checked = CheckedDocument(document, Verdict("admitted"), (*findings, *about, *read.findings))
    return rendered, StudyReport(
        file=document.file,
        name=study.name,
        script=script,
        note=note,
        here=read.metrics,
        near=read.near,
        outcome="refused" if problems else checked.outcome,
        findings=(*problems, *placed(checked)),
        unjudged="" if rendered else "it cannot be rendered (KT400)",
    )


def _rendered(study: Study, source: SourceText, document: Document) -> tuple[list[Document], tuple[LintFinding, ...]]:
    """Returns the documents that a study renders to, and what keeps it from being rendered."""
    study, problems = _with_image(study, source, document)
    try:
        text = yaml_text.dump_all(render(study, "katib").documents)
    except RenderError as error:
        found = finding("KT400", error.places[0] if error.places else (), str(error))
        return [], (*problems, *placed(CheckedDocument(document, Verdict("admitted"), (found,))))
    except (StudyError, UnknownNameError) as error:
        return [], (*problems, *error_findings(document, error, "KT400"))
    return list(documents(source._replace(text=text, file=f"{source.file} (rendered)"))), problems


def _with_image(study: Study, source: SourceText, document: Document) -> tuple[Study, tuple[LintFinding, ...]]:
    """Returns a study with the image that it is rendered with, or a stand-in for one that is missing, and why it is."""
    near = _near(source)
    if study.step.image is None:
        message = "a cluster needs an image for the trial, and there is none; set step.image to render the study"
        missing = CheckedDocument(document, Verdict("admitted"), (finding("KT400", ("step",), message),))
        return study.with_step(image=_STAND_IN), tuple(placed(missing))
    try:
        return study.with_images(lambda image: resolve(image, near)), ()
    except (ContainerError, StudyError, YamlError, UnknownNameError) as error:
        return study.with_step(image=_STAND_IN), error_findings(document, error, "KT400")


def drift_notes(study: Study, file: Path) -> list[str]:
    """Returns what keeps a study's script from reading the values of its trials, for a run on this machine.

    Args:
        study: The study.
        file: Its file.
    """
    findings, _, _ = _drift(study, _folders(SourceText(str(file), "", named=True)), LintOptions(), set())
    return [f"{each.message} ({each.code})" for each in findings if each.severity != "advice"]


def _study(source: SourceText, document: Document) -> Study:
    if source.file != STDIN:
        return load_study(Path(source.file))
    value = yaml_text.load(document.piece.text, file=STDIN)
    return study_from_dict(value if isinstance(value, dict) else {}, (Path.cwd(),))


def _near(source: SourceText) -> Path:
    """Returns the file, or the current folder for standard input."""
    return Path.cwd() if source.file == STDIN else Path(source.file)


def _folders(source: SourceText) -> tuple[Path, ...]:
    """Returns where a study's files are looked for: in its own folder, then in the current one."""
    own = Path() if source.file == STDIN else Path(source.file).parent
    return (own,) if own.resolve() == Path.cwd() else (own, Path())


def _encoded(rendered: Iterable[Document], study: Study) -> set[str]:
    """Returns the hyperparameters whose values only a class can decode."""
    found: set[str] = set()
    options = {study.step.form.option(name): name for name in study.argument_names}
    for document in rendered:
        given = re.findall(rf"((?:--)?[\w.-]+)[= ]['\"]*{encoding.PREFIX}", document.piece.text)
        found.update(options[option] for option in given if option in options)
        spec = document.value.get("spec") if isinstance(document.value, dict) else None
        for parameter in spec.get("parameters", ()) if isinstance(spec, dict) else ():
            texts = parameter.get("feasibleSpace", {}).get("list", ())
            found |= {parameter["name"]} if any(text.startswith(encoding.PREFIX) for text in texts) else set()
    return found


def _drift(
    study: Study, folders: Sequence[Path], options: LintOptions, encoded: set[str]
) -> tuple[list[Finding], str | None, str]:
    """Returns how a study and its script differ, the script, and why the comparison is not complete."""
    about_model = model_findings(study, folders)
    if about_model is not None:
        return about_model, None, ""
    if study.step.module and study.step.module.partition(".")[0] == "kftune":
        return [], None, ""  # reads its arguments with the study's class
    begun = step_script(study.step, folders)
    if options.script is not None:
        begun = StepScript(Path(options.script), "", begun.given)
    if begun.file is None:
        return [], None, begun.why
    script = _script(begun, folders, options.help_text)
    passed = passed_by_study(study)
    given = Begun(begun.given, study.step.arguments)
    found = drift(study.hparams, passed, script, given, ("step",))
    found += encoded_findings(study.hparams, passed, script, encoded, given.form)
    return found, str(begun.file), _note(script, study.hparams)


def check_class(name: str, options: LintOptions) -> StudyReport:
    """Compares a class with `options.script`.

    Args:
        name: NAME, FILE.py:CLASS or MODULE:CLASS.
        options: `script`, `help_text` and `no_import` count.

    Raises:
        UsageError: No script is named, or it does not exist.
        NotImportedError: The module must not be imported, and its source does not show the class.
    """
    with watched_imports(refused=options.no_import) as watch:
        return with_imports(_check_class(name, options), watch)


def _check_class(name: str, options: LintOptions) -> StudyReport:
    if options.script is None:
        raise UsageError("--hparams compares a class with a script; name that with --script FILE")
    hparams = _loaded(name)
    path = Path(options.script)
    script = _script(StepScript(path, "", ()), (path.parent, Path()), options.help_text)
    # A step may add the required arguments.
    found = [each for each in drift(hparams, passed_by_class(hparams), script, Begun(), ()) if each.code != "KT406"]
    file, lines = _fields(hparams)
    document = Document(file, 0, Piece("", 0), None)
    at = [(each, lines.get(str(each.path[0]) if each.path else "", 1), 5 if each.path else 1) for each in found]
    return StudyReport(
        file=file,
        name=hparams.__name__,
        script=str(options.script),
        note=_note(script, hparams),
        outcome=CheckedDocument(document, Verdict("admitted"), tuple(found)).outcome,
        findings=tuple(lint_finding(document, *each) for each in at),
    )


def _loaded(name: str) -> type[Hparams]:
    place, colon, class_name = name.rpartition(":")
    if colon and place.endswith(".py"):
        if not Path(place).is_file():
            raise UsageError(f"there is no file {place}; --hparams takes NAME, FILE.py:CLASS or MODULE:CLASS")
        folder = Path(place).resolve().parent
        return load_class(f"{Path(place).stem}:{class_name}", (folder, Path.cwd()))
    return load_class(name, (Path.cwd(),))


def _script(begun: StepScript, folders: Sequence[Path], help_text: HelpText | None) -> Script:
    file = begun.file
    if file is None or not file.is_file():
        raise UsageError(f"there is no file {file}; --script names the training script")
    command = next((token for token in begun.given if not token.startswith("-")), "")
    script = read_script(file, tuple(dict.fromkeys((file.parent, *folders))), command)
    if not script.unclear or script.hparams or help_text is None:
        return script
    try:
        return read_help(str(file), help_text(file, folders, begun.given))
    except RunError as error:
        return script.doubted(str(error))


def _note(script: Script, hparams: type[Hparams]) -> str:
    if script.hparams and script.hparams != hparams.__name__:
        return f"{script.file} reads its arguments with {script.hparams}, not with {hparams.__name__}"
    return "; ".join(script.unclear[:3])


def _fields(hparams: type[Hparams]) -> tuple[str, dict[str, int]]:
    """Returns the file of a class, and the lines of its fields; "" stands for the class itself."""
    try:
        file = inspect.getsourcefile(hparams)
    except TypeError:  # the class was read from its source
        file = None
    if file is None:
        return hparams.__module__, {}
    shown = Path(file)
    if shown.is_relative_to(Path.cwd()):
        shown = shown.relative_to(Path.cwd())
    try:
        found = Module(Path(file), ()).classes.get(hparams.__name__)
    except SourceError:
        found = None
    if found is None:
        return str(shown), {}
    fields = (node for node in found.body if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name))
    lines = {node.target.id: node.lineno for node in fields if isinstance(node.target, ast.Name)}
    return str(shown), {"": found.lineno, **lines}
