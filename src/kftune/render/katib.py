"""Renders a study as a Katib Experiment (kubeflow.org/v1beta1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kftune.argv import NO_KINDS
from kftune.errors import MetricError, RenderError
from kftune.hparams.fields import Leaf
from kftune.katib.engines import engine_of
from kftune.katib.trial.conditions import expression
from kftune.metrics.katib_filter import KatibFilters, katib_filters
from kftune.render.algorithm import algorithm_spec, counts, study_search
from kftune.render.command import Texts, lasting, quoted, script, stoppable, torchrun_arguments
from kftune.render.names import LONGEST, LONGEST_LABEL, checked_name, object_metadata, object_name
from kftune.render.notes import notes
from kftune.render.on_katib import on_katib
from kftune.render.parameters import KatibParameter, katib_parameters, placeholder_of
from kftune.render.rendering import NO_STOPPING, EarlyStopping, Rendering
from kftune.render.trials import KINDS, trial_spec
from kftune.study import Study


def render_katib(study: Study, marks: Mapping[str, str] | None = None) -> Rendering:
    """Renders the Experiment that runs a study.

    Fields whose default differs between Katib versions are written out.

    Args:
        study: The study.
        marks: Fixed hyperparameter whose text is not known yet -> its placeholder, of safe characters only.

    Raises:
        RenderError: Katib cannot express the study; the message says what, why and what works.
    """
    given, study = study, on_katib(study)
    found = katib_parameters(study)
    search = study_search(study)
    numbers = counts(study, search)
    filters, engine = _filters(study), engine_of(study.algorithm.name)
    stopping = _stopping(study, filters)
    experiment = {
        "apiVersion": "kubeflow.org/v1beta1",
        "kind": "Experiment",
        "metadata": _metadata(study, engine.suffix_length),
        "spec": {
            "objective": _objective(study, filters),
            "algorithm": algorithm_spec(study),
            **({} if stopping.spec is None else {"earlyStopping": stopping.spec}),
            "parallelTrialCount": numbers.parallel,
            "maxTrialCount": numbers.max_trials,
            "maxFailedTrialCount": numbers.max_failed,
            "resumePolicy": "FromVolume" if engine.keeps_checkpoints else study.targets.katib.resume_policy,
            "metricsCollectorSpec": {
                "collector": {"kind": "StdOut"},
                "source": {"filter": {"metricsFormat": list(filters.regexes)}},
            },
            "parameters": [parameter.item for parameter in found if parameter.item is not None],
            "trialTemplate": _trial_template(study, found, marks or {}, stops=stopping.spec is not None),
        },
    }
    about = [] if study is given else [f"Katib runs {study.algorithm.name} in place of {given.algorithm.name}"]
    return Rendering([experiment], [*about, *notes(study, search, found, filters.names, numbers), *stopping.notes])


def _stopping(study: Study, filters: KatibFilters) -> EarlyStopping:
    if not study.stopping:
        return NO_STOPPING
    # Most studies have no rules, and rendering is fast.
    from kftune.render.stopping import early_stopping  # noqa: PLC0415

    return early_stopping(study, filters.names)


def _metadata(study: Study, suffix: int) -> dict[str, Any]:
    target = study.targets.katib
    longest = _longest_name(study, suffix)
    name = object_name(study.name, longest) if target.name is None else checked_name(target.name, longest)
    return object_metadata(name, target)


def _longest_name(study: Study, suffix: int) -> int:
    """Returns the maximum length of the Experiment's name: trials append `suffix` characters, and pods even more."""
    kind = KINDS[study.targets.katib.trial_kind]
    pod = kind.suffix + len(str(study.step.resources.nodes - 1)) if kind.suffix else 0
    return min(LONGEST, LONGEST_LABEL - suffix - pod)


def _filters(study: Study) -> KatibFilters:
    try:
        return katib_filters(tuple(study.reductions), study.metric_definitions)
    except MetricError as error:
        raise RenderError(str(error)) from error


def _objective(study: Study, filters: KatibFilters) -> dict[str, Any]:
    objective, names = study.objective, filters.names
    spec: dict[str, Any] = {"type": objective.direction}
    if objective.goal is not None:
        spec["goal"] = objective.goal
    spec["objectiveMetricName"] = names[objective.metric]
    more = [names[name] for name in study.reductions if name != objective.metric]
    if more:
        spec["additionalMetricNames"] = more
    spec["metricStrategies"] = [{"name": names[name], "value": how} for name, how in study.reductions.items()]
    return spec


def _trial_template(
    study: Study, found: list[KatibParameter], marks: Mapping[str, str], *, stops: bool
) -> dict[str, Any]:
    target = study.targets.katib
    kind = KINDS[target.trial_kind]
    searched = [parameter for parameter in found if parameter.item is not None]
    leaves = study.leaves
    return {
        "retain": target.retain or stops,
        "primaryContainerName": kind.container or study.step.name,
        **({"primaryPodLabels": dict(kind.labels)} if kind.labels else {}),
        "successCondition": expression(kind.succeeded),
        "failureCondition": expression("Failed"),
        "trialParameters": [_trial_parameter(leaves[parameter.name]) for parameter in searched],
        "trialSpec": trial_spec(study, _script(study, found, marks, stops=stops)),
    }


def _trial_parameter(leaf: Leaf) -> dict[str, str]:
    name, description = leaf.name, leaf.description
    if not description:
        return {"name": name, "reference": name}
    described = " ".join(description.split()) if "\n" in description else description
    return {"name": name, "description": described, "reference": name}


def _script(study: Study, found: list[KatibParameter], marks: Mapping[str, str], *, stops: bool) -> str:
    texts, placeholders = {**study.fixed, **marks}, {*marks}
    for parameter in found:
        texts[parameter.name] = parameter.text
        if parameter.item is not None:
            placeholders.add(parameter.name)
    for name in study.entries:
        texts[name] = _quoted(study.mappings.pieces(name, {parameter.name: parameter for parameter in found}))
        placeholders.add(name)
    names = study.argument_names if not marks else [name for name in study.hparams.leaves() if name in texts]
    assignment = {name: texts[name] for name in names}
    launcher = torchrun_arguments(study.step.resources, study.targets.katib.trial_kind)
    wholes = {parameter.name for parameter in found if parameter.wholes}
    kinds = NO_KINDS if study.step.arguments is None else study.kinds
    text = script(study.step, Texts(assignment, placeholders, marks, wholes, kinds), launcher)
    shortest, longest = study.targets.katib.min_runtime, study.budget.trial_timeout
    if shortest is not None and longest is not None and shortest >= longest:
        raise RenderError(
            f"a trial must be able to end before its timeout, but targets.katib.min_runtime is {shortest:g}s and "
            f"budget.trial_timeout is {longest:g}s; make min_runtime the smaller one",
            ("targets", "katib", "min_runtime"),
        )
    if shortest is not None:
        text = lasting(text, shortest, alone=stops)
    return stoppable(text) if stops else text


def _quoted(pieces: Iterable[str | KatibParameter]) -> str:
    """Returns the text of a mapping as a part of a shell's word, with the placeholders outside of the quotes."""
    found = literal = ""
    for piece in pieces:
        if isinstance(piece, str) or piece.item is None:
            literal += piece if isinstance(piece, str) else piece.text
            continue
        before, placeholder, after = piece.text.partition(placeholder_of(piece.name))
        found += quoted(literal + before) + placeholder
        literal = after
    return found + quoted(literal)  # a mapping ends with a brace, so this is never empty
