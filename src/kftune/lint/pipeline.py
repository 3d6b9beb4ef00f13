"""Checks a pipeline: renders it for its targets, and takes the Experiments of its tune steps."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from kftune import yaml_text
from kftune.errors import (
    ContainerError,
    MissingExtraError,
    PipelineError,
    RenderError,
    StudyError,
    UnknownNameError,
    YamlError,
)
from kftune.hparams.imports import watched_imports
from kftune.images import PREFIX, resolve
from kftune.katib.admission import Verdict
from kftune.katib.go.types import Path as JsonPath
from kftune.lint.experiment import CheckedDocument
from kftune.lint.imported import with_imports
from kftune.lint.options import LintOptions
from kftune.lint.placing import error_findings, placed
from kftune.lint.report import PipelineReport
from kftune.lint.rules.findings import finding
from kftune.lint.rules.rule import Finding
from kftune.lint.sources import STDIN, Document, SourceText, documents
from kftune.lint.step import command_findings
from kftune.lint.step_pod import fragment_findings
from kftune.lint.step_user import root_advice, user_findings
from kftune.lint.study_refusals import refusal_findings
from kftune.lint.study_sample import regex_findings, study_sample
from kftune.lint.trial.advice import image_advice, secret_advice
from kftune.pipeline import Pipeline, StepConfig, TuneStep, load_pipeline, pipeline_from_dict
from kftune.render import PIPELINE_TARGETS
from kftune.render.resolved import render_resolved
from kftune.render.tuning import experiment_of

# Names are letters, digits and "_", and a reference is a whole value or part of a condition.
_REFERENCE = re.compile(r"(?<!\$)\$\{parameters\.(\w+)\}")


def check_pipeline(
    source: SourceText, document: Document, options: LintOptions
) -> tuple[list[Document], PipelineReport]:
    """Returns the Experiments of the tune steps, with places in the rendered text, and the report of the pipeline.

    Args:
        source: The file.
        document: The pipeline in it.
        options: `sample_log` and `no_import` count.
    """
    with watched_imports(refused=options.no_import) as watch:
        rendered, report = _check(source, document, options)
    return rendered, with_imports(report, watch)


def _check(source: SourceText, document: Document, options: LintOptions) -> tuple[list[Document], PipelineReport]:
    near = Path.cwd() if source.file == STDIN else Path(source.file)
    try:
        written = _pipeline(source, document)
        pipeline = written.with_images(lambda image: resolve(image, near))
    except (PipelineError, StudyError, YamlError, ContainerError, UnknownNameError) as error:
        findings = error_findings(document, error, "KT410")
        return [], PipelineReport(document.file, document.text("name"), "refused", findings)
    found, note = _rendered(pipeline)
    found += [*_unused(pipeline), *_metrics(pipeline, options.sample_log), *_step_findings(pipeline)]
    found += _pod_findings(written, near)
    checked = CheckedDocument(document, Verdict("admitted"), tuple(found))
    experiments, unjudged = _experiments(source, pipeline)
    notes = [note] if note else []
    notes += [f"no Experiment of step {name} was checked" for name in unjudged]
    findings = tuple(placed(checked))
    return experiments, PipelineReport(document.file, pipeline.name, checked.outcome, findings, "; ".join(notes))


def _pipeline(source: SourceText, document: Document) -> Pipeline:
    if source.file != STDIN:
        return load_pipeline(Path(source.file))
    value = yaml_text.load(document.piece.text, file=STDIN)
    return pipeline_from_dict(value if isinstance(value, dict) else {}, (Path.cwd(),))


def _rendered(pipeline: Pipeline) -> tuple[list[Finding], str]:
    """Returns what the targets cannot express, each message once, and why a target was skipped.

    Only the targets that the pipeline names count; all, if it names none.
    """
    named = pipeline.targets.model_fields_set
    found: dict[str, Finding] = {}
    note = ""
    for target in PIPELINE_TARGETS:
        options = target.partition("-")[0]
        if named and options not in named:
            continue
        try:
            render_resolved(pipeline, target)
        except RenderError as error:
            place = error.places[-1] if error.places else ("targets", options)
            found.setdefault(str(error), finding("KT411", place, f"{target}: {error}"))
        except MissingExtraError as error:
            note = str(error)
    return list(found.values()), note


def _unused(pipeline: Pipeline) -> Iterator[Finding]:
    written = pipeline.to_dict()
    declared = written.pop("parameters", {})
    used = set(_REFERENCE.findall(json.dumps(written)))
    for name in declared:
        if name not in used:
            message = f"the run's form asks for {name}, but nothing refers to ${{parameters.{name}}}"
            yield finding("KT412", ("parameters", name), message)


def _metrics(pipeline: Pipeline, log: str | Path | None) -> Iterator[Finding]:
    """Yields what is wrong with the metrics of the tune steps' studies, and what a sample log shows about them."""
    for name, node in pipeline.plan.nodes.items():
        if isinstance(node.step, TuneStep):
            study = node.step.study
            read = () if log is None else study_sample(study, log).findings
            for each in (*regex_findings(study), *refusal_findings(study), *read):
                yield each._replace(path=("steps", name, "study", *each.path))


def _step_findings(pipeline: Pipeline) -> Iterator[Finding]:
    """Yields advice about the schedule, the images and variables of steps, and commands that are one text."""
    schedule, targets = pipeline.schedule, pipeline.targets.model_fields_set
    if schedule is not None and schedule.meets_clock_changes and (not targets or "argo" in targets):
        yield finding("KT413", ("schedule", "cron"), schedule.clock_changes)
    images: set[str] = set()
    for path, step in _steps(pipeline):
        yield from command_findings(step.command, (*path, "command"))
        image = step.image or ""
        if image not in images:
            yield from image_advice(image, _image_place(pipeline, image, path))
        images.add(image)
        if step.job is not None:
            yield from image_advice(step.job.launcher, (*path, "job", "launcher"))
        for variable, value in step.env.items():
            yield from secret_advice(variable, value, (*path, "env", variable))


def _pod_findings(pipeline: Pipeline, near: Path) -> Iterator[Finding]:
    """Yields the steps whose pods the server refuses, and those whose containers may be root, or never start."""
    reported: set[JsonPath] = set()
    for path, step in _steps(pipeline):
        place = _image_place(pipeline, step.image or "", path)
        if place not in reported:
            found = list(user_findings(step, near, place))
            reported |= {place} if found else set()
            yield from found
        yield from root_advice(step, path)
        yield from fragment_findings(step, path)
        if isinstance(step, TuneStep) and (step.study.step.image or "").startswith(PREFIX):
            yield from user_findings(step.study.step, near, (*path, "study", "step", "image"))


def _steps(pipeline: Pipeline) -> list[tuple[JsonPath, StepConfig]]:
    """Returns the steps and their places in the file."""
    nodes = pipeline.plan.nodes
    steps: list[tuple[JsonPath, StepConfig]] = [(("steps", name), nodes[name].step) for name in nodes]
    if pipeline.plan.exit is not None:
        steps.append((("exit",), pipeline.plan.exit.step))
    return steps


def _image_place(pipeline: Pipeline, image: str, path: JsonPath) -> JsonPath:
    """Returns where the file names the image of a step."""
    return (*path, "image") if pipeline.defaults.image != image else ("defaults", "image")


def _experiments(source: SourceText, pipeline: Pipeline) -> tuple[list[Document], list[str]]:
    """Returns the Experiments of the tune steps, and the names of tune steps that have none."""
    found: list[Document] = []
    unjudged: list[str] = []
    for name, node in pipeline.plan.nodes.items():
        if isinstance(node.step, TuneStep):
            try:
                text = yaml_text.dump(experiment_of(node))
            except RenderError:
                unjudged.append(name)  # the reason is reported for every target
                continue
            found += documents(source._replace(text=text, file=f"{source.file} (step {name}, rendered)"))
    return found, unjudged
