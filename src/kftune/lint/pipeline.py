"""What `kftune lint` does with a pipeline: renders it for its targets, and takes the Experiments of its tune steps."""

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
from kftune.images import resolve
from kftune.katib.admission import Verdict
from kftune.lint.judging import Judgement
from kftune.lint.refused import refused
from kftune.lint.report import placed
from kftune.lint.rules.findings import finding
from kftune.lint.rules.rule import Finding
from kftune.lint.sources import STDIN, Document, Source, documents
from kftune.lint.studies import PipelineReport
from kftune.pipeline import Pipeline, TuneStep, load_pipeline, pipeline_from_dict
from kftune.render import PIPELINE_TARGETS
from kftune.render.resolved import render_resolved
from kftune.render.tuning import tuning_of


def judge_pipeline(source: Source, document: Document) -> tuple[list[Document], PipelineReport]:
    """The Experiments of a pipeline's tune steps, whose places are those of the rendered text; and what is said of it.

    Args:
        source: The file.
        document: The pipeline in it.
    """
    near = Path.cwd() if source.file == STDIN else Path(source.file)
    try:
        pipeline = _pipeline(source, document).with_images(lambda image: resolve(image, near))
    except (PipelineError, StudyError, YamlError, ContainerError, UnknownNameError) as error:
        name = document.value.get("name")
        return [], PipelineReport(refused(document, error, "KT410"), name if isinstance(name, str) else None)
    findings, note = _rendered(pipeline)
    judgement = Judgement(document, Verdict("admitted"), (*findings, *_unused(pipeline)))
    report = PipelineReport((judgement, list(placed(judgement))), pipeline.name, note)
    return _experiments(source, pipeline), report


def _pipeline(source: Source, document: Document) -> Pipeline:
    if source.file != STDIN:
        return load_pipeline(Path(source.file))
    value = yaml_text.load(document.piece.text, file=STDIN)
    return pipeline_from_dict(value if isinstance(value, dict) else {}, (Path.cwd(),))


def _rendered(pipeline: Pipeline) -> tuple[list[Finding], str]:
    """What the targets cannot express, each thing once, and why one was left out.

    A pipeline that names targets is meant for these.
    """
    meant = pipeline.targets.model_fields_set
    found: dict[str, Finding] = {}
    note = ""
    for target in PIPELINE_TARGETS:
        options = target.partition("-")[0]
        if meant and options not in meant:
            continue
        try:
            render_resolved(pipeline, target)
        except RenderError as error:
            found.setdefault(str(error), finding("KT411", ("targets", options), f"{target}: {error}"))
        except MissingExtraError as error:
            note = str(error)
    return list(found.values()), note


def _unused(pipeline: Pipeline) -> Iterator[Finding]:
    """Parameters that nothing refers to."""
    written = pipeline.to_dict()
    declared = written.pop("parameters", {})
    taken = set(_REFERENCE.findall(json.dumps(written)))
    for name in declared:
        if name not in taken:
            message = f"the run's form asks for {name}, but nothing takes ${{parameters.{name}}}"
            yield finding("KT412", ("parameters", name), message)


# Names are letters, digits and "_", and a reference stands alone or in a condition: no text but that of one is like it.
_REFERENCE = re.compile(r"\$\{parameters\.(\w+)\}")


def _experiments(source: Source, pipeline: Pipeline) -> list[Document]:
    found: list[Document] = []
    for name, node in pipeline.plan.nodes.items():
        if isinstance(node.step, TuneStep):
            try:
                text = yaml_text.dump(tuning_of(node).experiment)
            except RenderError:
                continue  # which every target has said
            found += documents(source._replace(text=text, file=f"{source.file} (step {name}, rendered)"))
    return found
