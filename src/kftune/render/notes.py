"""Notes for the user who applies an Experiment: what is encoded, and what Katib does not support."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from kftune.katib.engines.faithful import engine_of
from kftune.metrics.definition import definition_notes
from kftune.render.algorithm import Counts, first_resource
from kftune.render.crossing import Crossing
from kftune.study import Study


def notes(study: Study, found: Sequence[Crossing], metrics: Mapping[str, str], counts: Counts) -> list[str]:
    """Returns notes about an Experiment.

    Args:
        study: The study that it runs.
        found: How its hyperparameters are encoded.
        metrics: Name of a metric in the study -> in Katib.
        counts: The numbers of trials in the Experiment.
    """
    return [
        *_about_hyperparameters(study, found),
        *_about_metrics(study, metrics),
        *_about_algorithm(study, counts),
        *_about_budget(study, counts),
        *_about_trials(study),
    ]


def _about_hyperparameters(study: Study, found: Sequence[Crossing]) -> Iterator[str]:
    algorithm, encoded = study.algorithm.name, False
    for crossing in found:
        encoded = encoded or crossing.form == "surrogate" or bool(crossing.tokens)
        if crossing.form == "surrogate":
            yield (f"{crossing.name} is encoded as a number that the trial decodes; {algorithm}: {crossing.reason}")
        elif crossing.form == "list":
            yield f"{crossing.name} is rendered as a list of its values; {algorithm}: {crossing.reason}"
        if crossing.tokens:
            yield f"{crossing.name}: values such as {crossing.tokens[0]!r} are encoded as safe tokens"
    if encoded:
        yield "the step must read its arguments with Hparams.from_args, which decodes such numbers and tokens"


def _about_metrics(study: Study, metrics: Mapping[str, str]) -> Iterator[str]:
    for name, in_katib in metrics.items():
        if name != in_katib:
            yield f"Katib calls the metric {name!r} {in_katib!r}, as the log does"
    for definition in study.metric_definitions:
        yield from definition_notes(definition)


def _about_algorithm(study: Study, counts: Counts) -> Iterator[str]:
    name, seed = study.algorithm.name, study.algorithm.seed
    if name == "tpe" and counts.parallel > 1:
        yield (
            f"Katib's tpe suggests the same point {counts.parallel} times when it is asked for {counts.parallel} "
            f"points; use multivariate-tpe, or parallel: 1"
        )
    if seed is not None and not engine_of(name, study.targets.katib.version).seeded:
        always = "always draws the same points" if name == "sobol" else "takes no seed"
        yield f"Katib's {name} {always}; the seed {seed} has no effect"
    elif seed is not None and counts.parallel > 1 and name != "grid":
        yield "Katib repeats the points of a seed only with parallel: 1, because the seed counts requests"
    if name == "hyperband":
        resource, value = study.algorithm.settings["resource_name"], first_resource(study)[1]
        yield f"Katib's hyperband ends after its first bracket: every trial runs with {resource}={value}"
    if name == "cmaes" and "sigma" in study.algorithm.settings:
        yield "sigma of cmaes applies to the rendered numbers: an encoded parameter runs from 0 to 1"
    if name == "pbt":
        yield "pbt keeps checkpoints on a volume (resumePolicy: FromVolume); its storage must support ReadWriteMany"


def _about_budget(study: Study, counts: Counts) -> Iterator[str]:
    budget = study.budget
    if counts.max_trials < budget.max_trials:
        yield f"the grid has {counts.max_trials} points, fewer than max_trials={budget.max_trials}"
    if budget.wall_clock is not None:
        yield f"Katib cannot limit a study's time; wall_clock ({budget.wall_clock:g}s) applies to local runs only"
    if study.points:
        yield "Katib takes no points to try first; the study's points apply to local runs only"
    if study.objective.goal is not None and counts.parallel > 1:
        yield "Katib does not stop running trials when the goal is reached"


def _about_trials(study: Study) -> Iterator[str]:
    target, resources = study.targets.katib, study.step.resources
    yield "the container must not run as root: its image needs a numeric USER"
    if target.trial_kind == "TrainJob":
        yield (
            f"the TrainJob needs Trainer 2.2 or newer (older versions drop runtimePatches and the timeout silently), "
            f"and the runtime {target.runtime} decides how often a failed pod is restarted"
        )
    if target.trial_kind == "PyTorchJob":
        yield "the PyTorchJob needs training-operator v1 on the cluster"
    if resources.nodes > 1 or resources.procs_per_node > 1:
        yield "several processes train one model: report metrics from the first one (rank 0) only"
