"""Renders what a tune step runs on a cluster: kftune's launcher, and the Experiment that it creates.

The Experiment is rendered before the run's values are known, so it holds a mark for each of them. The launcher replaces
the marks with the values, quoted for the shell of the trials.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from kftune.argv import to_arguments
from kftune.domains import Conditional
from kftune.domains.listed import Listed
from kftune.errors import RenderError
from kftune.pipeline import EXECUTOR_OUTPUT, FixedValue, Node, TuneStep
from kftune.pipeline.steps import hparam_type
from kftune.render.command import quoted
from kftune.render.katib import render_katib
from kftune.render.parameters import katib_parameters
from kftune.study import Study

STUDY_FAILED = 3
"""The exit code of the launcher if the study has failed and another try cannot search again."""

_MARK = re.compile("@kftune:([A-Za-z0-9_.]+)@")


class Tuning(NamedTuple):
    """The Experiment of a tune step, and what the launcher fills in."""

    experiment: dict[str, Any]
    """The Experiment, with marks."""
    run_values: tuple[str, ...]
    """The step's arguments whose texts replace their marks."""
    artifacts: tuple[str, ...]
    """The step's artifact arguments, which trials read from the shared volume; their paths replace the marks."""
    share: str | None
    """The path of that volume in the launcher and the trials."""
    delete: str
    """When the launcher deletes the Experiment: ``never``, ``succeeded`` or ``always``."""
    best: dict[str, dict[str, Any]]
    """How the launcher decodes each best value; see `kftune.launcher.best`."""
    notes: list[str]
    """Notes for the user; each starts with the step's name."""

    @property
    def text(self) -> str:
        """The Experiment as one JSON text that no engine changes."""
        return _wire(self.experiment)

    @property
    def best_text(self) -> str:
        """`best` as one JSON text."""
        return _wire(self.best)


def _wire(value: Any) -> str:
    """Writes compact JSON in which escapes replace variables of the kubelet and tags of Argo."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.replace("$", "\\u0024").replace("{{", "\\u007b\\u007b")


def mark(name: str) -> str:
    """Returns the placeholder for a text that only the run knows: safe in a shell, and unlike any real value."""
    return f"@kftune:{name}@"


def tuning_of(node: Node) -> Tuning:
    """Renders what a tune step runs.

    Raises:
        RenderError: Katib cannot express its study, or its trials cannot read an input.
    """
    step = node.step
    if not isinstance(step, TuneStep):
        raise TypeError(f"{node.name} is not a tune step")
    given = node.inputs
    artifacts = tuple(name for name, argument in given.items() if argument.is_artifact)
    texts = {
        name: argument.source.text if isinstance(argument.source, FixedValue) else mark(name)
        for name, argument in given.items()
    }
    trial = step.study.step.model_copy(update={"args": (*step.study.step.args, *to_arguments(texts))})
    share = None
    if artifacts:
        volume = next((volume for volume in step.volumes if volume.name == step.share), None)
        if volume is None:
            raise RenderError(
                f"the trials of step {node.name!r} run in other pods, which can read {artifacts[0]} only from a "
                f"volume with a claim; add one to volumes, and name it in share"
            )
        share = volume.mount
        if all(other.name != volume.name for other in trial.volumes):
            trial = trial.model_copy(update={"volumes": (*trial.volumes, volume)})
    study = step.study.model_copy(update={"step": trial})
    marks = {name: mark(name) for name in node.hparams}
    try:
        rendering = render_katib(study, marks)
    except RenderError as error:
        raise RenderError(f"step {node.name!r}, study {study.name!r}: {error}") from error
    in_run = tuple(
        name
        for name, argument in given.items()
        if not argument.is_artifact and not isinstance(argument.source, FixedValue)
    )
    return Tuning(
        experiment=rendering.documents[0],
        run_values=(*in_run, *node.hparams),
        artifacts=artifacts,
        share=share,
        delete=step.delete,
        best=_best(study),
        notes=[f"{node.name}: {note}" for note in (_rights(step), *rendering.notes)],
    )


def _rights(step: TuneStep) -> str:
    verbs = "create and get" if step.delete == "never" else "create, delete, get and patch"
    return (
        f"its service account needs {verbs} on experiments, get on suggestions and list on trials (kubeflow.org), "
        f"list and watch on pods, and get on pods/log"
    )


def _best(study: Study) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    parameters = {parameter.name: parameter for parameter in katib_parameters(study)}
    for name in (name for name in study.searched_arguments if name in study.entries):
        pieces = study.mappings.pieces(name, {key: parameter.text for key, parameter in parameters.items()})
        found[name] = {"text": "".join(pieces), "type": "json", "parameters": study.entries[name]}
    for parameter in parameters.values():
        leaf = study.leaves[parameter.name]
        if leaf.is_entry:
            continue
        # A field such as `int | None` is an output of type str, but each value of a range is an integer.
        domain = study.space[leaf.name]
        inner = domain.domain if isinstance(domain, Conditional) else domain
        is_int = leaf.is_whole and not isinstance(inner, Listed)
        found[leaf.name] = {
            "text": parameter.text,
            "type": "int" if is_int else hparam_type(study.hparams, leaf.name),
            **({"default": leaf.encode(leaf.default)} if leaf.has_default else {}),
        }
    return found


def launcher_command(node: Node, tuning: Tuning, experiment: str, run_id: str, values: Mapping[str, str]) -> list[str]:
    """Returns the launcher's command line.

    Args:
        node: The tune step.
        tuning: What it runs.
        experiment: The Experiment's text as the target writes it, or the path of a file that holds it.
        run_id: Identifies this run of the step, also when the step is retried; the Experiment's name contains it.
        values: Argument or output of the step -> its text, path, or the target's placeholder.
    """
    arguments = {
        "experiment": experiment,
        "run-id": run_id,
        "best": tuning.best_text,
        **{f"value-{name}": values[name] for name in tuning.run_values},
        **{f"artifact-{name}": values[name] for name in tuning.artifacts},
        **({} if tuning.share is None else {"share": tuning.share}),
        **({} if tuning.delete == "never" else {"delete": tuning.delete}),
        **{f"output-{name}": values[name] for name in node.outputs},
        EXECUTOR_OUTPUT: values[EXECUTOR_OUTPUT],
    }
    return ["python", "-m", "kftune.launcher", *to_arguments(arguments)]


def put_in(value: Any, texts: Mapping[str, str]) -> Any:
    """Replaces the marks in an Experiment, or in a part of it, with the run's texts.

    Args:
        value: Any JSON value; it holds marks only where a shell reads them.
        texts: Argument -> its text.
    """
    if isinstance(value, str):
        return _MARK.sub(lambda found: quoted(texts[found[1]]) if found[1] in texts else found[0], value)
    if isinstance(value, dict):
        return {key: put_in(inner, texts) for key, inner in value.items()}
    return [put_in(inner, texts) for inner in value] if isinstance(value, list) else value
