"""Renders what a tune step runs on a cluster: kftune's launcher, and the Experiment that it creates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kftune.argv import PLAIN, to_arguments
from kftune.domains import Conditional
from kftune.domains.listed import Listed
from kftune.errors import RenderError
from kftune.katib.engines.settings import SEED
from kftune.pipeline import EXECUTOR_OUTPUT, Node, TuneStep
from kftune.pipeline.entities import first_entity
from kftune.pipeline.plan import ENTITY_AS_LABEL, ENTITY_NAME, ENTITY_SEED
from kftune.pipeline.ports import hparam_type
from kftune.render.katib import render_katib
from kftune.render.launching import (
    Launching,
    artifacts_of,
    mark,
    put_in,
    run_values_of,
    shared_volume,
    text_mark,
    texts_of,
    wire,
)
from kftune.render.on_katib import on_katib
from kftune.render.parameters import katib_parameters
from kftune.render.pods import group_labels
from kftune.spec.labels import ENTITY_LABEL
from kftune.study import Step, Study
from kftune.study.shared_limits import not_shared

STUDY_FAILED = 3
"""The exit code of the launcher if the study has failed and another try cannot search again."""


def tuning_of(node: Node) -> Launching:
    """Renders what a tune step runs.

    Raises:
        RenderError: Katib cannot express its study, or its trials cannot read an input.
    """
    step = node.step
    if not isinstance(step, TuneStep):
        raise TypeError(f"{node.name} is not a tune step")
    if step.resources.nodes > 1:
        raise RenderError(
            f"the resources of tune step {node.name!r} are those of its launcher, which runs on one node, but nodes is "
            f"{step.resources.nodes}; set it for the trials, in the study's step, with the trial kind PyTorchJob or "
            f"TrainJob",
            ("steps", node.name, "resources", "nodes"),
        )
    given = node.inputs
    artifacts = artifacts_of(given)
    trial = step.study.step.model_copy(
        update={"args": (*step.study.step.args, *_inputs(step.study.step, texts_of(given), node))}
    )
    volume = shared_volume(node, artifacts, "the trials")
    if volume is not None and all(other.name != volume.name for other in trial.volumes):
        trial = trial.model_copy(update={"volumes": (*trial.volumes, volume)})
    study = step.study.model_copy(update={"step": trial})
    if step.entities is not None:
        study = _of_entity(study)
    marks = {name: mark(name) for name in node.hparams}
    try:
        rendering = render_katib(study, marks)
        study = on_katib(study)
    except RenderError as error:
        places = [("steps", node.name, "study", *place) for place in error.places or [()]]
        raise RenderError(f"step {node.name!r}, study {study.name!r}: {error}", *places) from error
    if ENTITY_SEED in node.about:
        _mark_seed(rendering.documents[0])
    return Launching(
        node=node,
        flag="experiment",
        object=rendering.documents[0],
        run_values=(*run_values_of(given), *node.hparams, *node.about),
        artifacts=artifacts,
        outputs=(*node.outputs, EXECUTOR_OUTPUT),
        share=None if volume is None else volume.mount,
        further={"best": wire(_best(study)), **({} if step.delete == "never" else {"delete": step.delete})},
        notes=[f"{node.name}: {note}" for note in (*_rights(step), *_about_best(study), *rendering.notes)],
    )


def experiment_of(node: Node) -> dict[str, Any]:
    """Returns the Experiment of a tune step, with marks for what only a run knows; with entities, that of the first.

    Raises:
        RenderError: As for `tuning_of`.
    """
    tuning = tuning_of(node)
    first = first_entity(node.step)
    made: dict[str, Any] = put_in(tuning.object, first) if first else tuning.object
    return made


def _of_entity(study: Study) -> Study:
    """Returns the study with marks for its entity as labels and annotation."""
    label, target = {ENTITY_LABEL: text_mark(ENTITY_AS_LABEL)}, study.targets.katib
    marked = {
        "labels": {**group_labels(study.name), **target.labels, **label},
        "annotations": {**target.annotations, ENTITY_LABEL: text_mark(ENTITY_NAME)},
    }
    targets = study.targets.model_copy(update={"katib": target.model_copy(update=marked)})
    return study.model_copy(update={"targets": targets}).with_step(labels={**study.step.labels, **label})


def _mark_seed(experiment: dict[str, Any]) -> None:
    """Puts the mark for the entity's seed in place of that of the study."""
    for setting in experiment["spec"]["algorithm"].get("algorithmSettings", ()):
        if setting["name"] == SEED:
            setting["value"] = text_mark(ENTITY_SEED)


def _inputs(trial: Step, texts: Mapping[str, str], node: Node) -> list[str]:
    """Returns the arguments of the trials that are inputs of the step.

    Raises:
        RenderError: Whether there is an argument depends on a value that only the run knows.
    """
    for name, text in texts.items():
        if text == mark(name) and trial.form.chooses(node.kinds.get(name, PLAIN)):
            raise RenderError(
                f"step {node.name!r}: a trial's flag is rendered before the run, but only the run knows the value of "
                f"input {name!r}; make it a hyperparameter of the study"
            )
    return to_arguments(texts, trial.form, node.kinds)


def _about_best(study: Study) -> Iterator[str]:
    if len(study.objectives) > 1:
        yield f"its outputs best, best_trial and objective are those of the best trial in {study.objective.metric}"


def _rights(step: TuneStep) -> Iterator[str]:
    verbs = "create and get" if step.delete == "never" else "create, delete, get and patch"
    yield (
        f"its service account needs {verbs} on experiments, get on suggestions and list on trials (kubeflow.org), "
        f"list and watch on pods, and get on pods/log"
    )
    if step.entities is not None:
        yield from not_shared(step.entities, "a pipeline")


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
            **({"wholes": dict(parameter.wholes)} if parameter.wholes else {}),
            "type": "int" if is_int else hparam_type(study.hparams, leaf.name),
            **({"default": leaf.encode(leaf.default)} if leaf.has_default else {}),
        }
    return found
