"""What somebody who applies an Experiment should know: what went out in another form, and what Katib cannot do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from kftune.katib.engines import engine_of
from kftune.metrics import definition_notes
from kftune.render.algorithm import Counts, study_search
from kftune.render.parameters import KatibParameter
from kftune.study import Study


def notes(study: Study, found: Sequence[KatibParameter], metrics: Mapping[str, str], counts: Counts) -> list[str]:
    """Short sentences about an Experiment.

    Args:
        study: The study that it runs.
        found: Its searched hyperparameters.
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


def _about_hyperparameters(study: Study, found: Sequence[KatibParameter]) -> Iterator[str]:
    algorithm = study.algorithm.name
    for parameter in found:
        if parameter.form == "encoded":
            yield f"{parameter.name} goes to Katib as a number, which the trial decodes; {algorithm}: {parameter.reason}"
        elif parameter.form == "list":
            yield f"{parameter.name} goes to Katib as a list of its values; {algorithm}: {parameter.reason}"
        if parameter.tokens:
            yield f"{parameter.name}: values such as {parameter.tokens[0]!r} go to Katib under a safe token"
    if any(parameter.form == "encoded" or parameter.tokens for parameter in found):
        yield "the step must read its arguments by Hparams.from_args, which decodes such numbers and tokens"


def _about_metrics(study: Study, metrics: Mapping[str, str]) -> Iterator[str]:
    for name, in_katib in metrics.items():
        if name != in_katib:
            yield f"Katib calls the metric {name!r} {in_katib!r}, as the log does"
    for definition in study.metric_definitions:
        yield from definition_notes(definition)


def _about_algorithm(study: Study, counts: Counts) -> Iterator[str]:
    name, seed, engine = study.algorithm.name, study.algorithm.seed, engine_of(study.algorithm.name)
    if seed is not None and not engine.seeded:
        yield f"{name} of Katib takes no seed; the seed {seed} has no effect"
    elif seed is not None and counts.parallel > 1 and not engine.exhaustive:
        yield "Katib draws the same points again only with parallel: 1, for the seed counts requests"
    yield from engine.study_notes(study_search(study)._replace(parallel=counts.parallel))


def _about_budget(study: Study, counts: Counts) -> Iterator[str]:
    budget = study.budget
    if counts.max_trials < budget.max_trials:
        yield f"the grid has {counts.max_trials} points, so maxTrialCount is that and not {budget.max_trials}"
    if budget.wall_clock is not None:
        yield f"Katib cannot limit a study's time; wall_clock ({budget.wall_clock:g}s) counts for local runs only"
    if study.points:
        yield "Katib cannot be given points to try first; the study's points count for local runs only"
    if study.objective.goal is not None and counts.parallel > 1:
        yield "Katib does not stop the trials that still run when the goal is reached"


def _about_trials(study: Study) -> Iterator[str]:
    target, resources = study.targets.katib, study.step.resources
    yield "the container may not run as root: its image needs a USER that is a number"
    if target.trial_kind == "TrainJob":
        yield (
            f"the TrainJob needs Trainer 2.2 or newer (older ones drop runtimePatches and the timeout without a word), "
            f"and the runtime {target.runtime} decides how often a failed pod starts again"
        )
    if target.trial_kind == "PyTorchJob":
        yield "the PyTorchJob needs training-operator v1 on the cluster"
    if resources.nodes > 1 or resources.procs_per_node > 1:
        yield "several processes train one model: let the first one (rank 0) report the metrics"
