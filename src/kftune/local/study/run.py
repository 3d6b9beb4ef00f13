"""`run_study`: runs a study on this machine."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

from kftune._version import __version__
from kftune.errors import RunError
from kftune.local.processes.interrupts import Interrupts
from kftune.local.processes.start import Runtime
from kftune.local.samplers import check_runs_here, make_sampler
from kftune.local.study.changes import changes
from kftune.local.study.engine import StudyEngine
from kftune.local.study.events import OnEvent, now
from kftune.local.study.log_notes import noting_metrics
from kftune.local.study.plan import StudyPlan
from kftune.local.study.progress import Outcome
from kftune.local.study.reader import StudyReader
from kftune.local.study.short_trials import noting_short_trials
from kftune.local.study.trials import StudyTrials, TrialContainers
from kftune.metrics.cut_numbers import GROUP_REMEDY, cut_reports
from kftune.metrics.definition import exponent_notes
from kftune.metrics.near_lines import NearLine
from kftune.metrics.near_reports import near_reports
from kftune.results import Meta, RunFolder, TrackedMetric, slug
from kftune.results.store import Store
from kftune.stopping.rules import key_of
from kftune.study import Study
from kftune.study.stopping import wall_clock_of


def run_study(
    study: Study,
    folder: str | Path,
    *,
    study_path: str | Path | None = None,
    on_event: OnEvent | None = None,
    gpus: Sequence[str] | None = None,
    runtime: Runtime = "process",
    containers: TrialContainers = TrialContainers(),  # noqa: B008  # it is immutable
    notes: Sequence[str] = (),
    strict: bool = False,
    fresh: bool = False,
) -> Outcome:
    """Runs a study here until its budget is used up, its goal is reached, or it is interrupted.

    Existing results in the folder are resumed: finished trials stay and are never repeated; trials that were cut short
    run again under the same number with the same values.

    Args:
        study: The study.
        folder: Where results go.
        study_path: The study's file: trials run in its folder, and find its modules. None takes the current folder.
        on_event: Called with each event.
        gpus: The devices to share among trials, as CUDA_VISIBLE_DEVICES names them. None finds them; an empty sequence
            lets trials that ask for a GPU run without.
        runtime: Whether trials are processes, or containers of the step's image.
        containers: How trials run in containers, beyond what the study says.
        notes: Notes to emit at the start, before the run's own.
        strict: Refuse a study that a note would be emitted for.
        fresh: Move earlier results aside, and start over.

    Raises:
        RunError: The study cannot run here.
        StoreError: Another run writes to the folder, or it holds the results of another study.
        MissingExtraError: A package that the algorithm needs is not installed.
        ContainerError: Trials run in containers, and no container engine answers.
    """
    check_runs_here(study.algorithm.name)
    path = Path(folder).resolve()
    place = Path.cwd() if study_path is None else Path(study_path).resolve().parent
    trials = StudyTrials(study, RunFolder(path), place, runtime=runtime, gpus=gpus, containers=containers)
    algorithm = study.algorithm
    seed = random.SystemRandom().getrandbits(32) if algorithm.seed is None else algorithm.seed
    with Store(path, _meta(study, seed), keep_seed=algorithm.seed is None, fresh=fresh) as store:
        earlier = store.trials()
        trials.remove_leftovers(earlier)
        sampler = make_sampler(
            study, algorithm, study.objective.direction, store.meta.seed, parallel=trials.parallel, trials=earlier
        )
        trials.notes[:0] = notes
        trials.notes += [f"{note}; {GROUP_REMEDY}" for note in exponent_notes(study.metric_definitions)]
        if strict and (trials.notes or sampler.notes):
            raise RunError("\n".join([*trials.notes, *sampler.notes]))
        trials.notes += changes(trials.code, trials.revision, earlier)
        emit = None if on_event is None else _noting(study, store.folder, on_event)
        return StudyEngine(_plan(study, store.meta), store, sampler, trials, Interrupts(), emit=emit).run()


def _noting(study: Study, folder: RunFolder, emit: OnEvent) -> OnEvent:
    """Returns `emit`, with notes about what trials did."""
    definitions = {each.name: each for each in study.metric_definitions}
    if not study.metrics and not definitions:
        return noting_short_trials(study, emit)

    def near(name: str, lines: Iterable[bytes]) -> Iterator[NearLine]:
        return near_reports(name, lines, definitions.get(name), is_objective=False)

    more = [spec.name for spec in study.metrics]
    cuts = partial(cut_reports, definitions=study.metric_definitions)
    return noting_short_trials(study, noting_metrics(folder.log, more, near, cuts, emit))


def _plan(study: Study, meta: Meta) -> StudyPlan:
    return StudyPlan(
        meta=meta,
        max_failed=study.budget.failures_allowed,
        reader=lambda trial: StudyReader(study),
        wall_clock=wall_clock_of(study.stopping, study.budget.wall_clock),
        grace=study.step.grace_period,
        failed_hint=study.budget.limits_on_failures,
        lost_retries=study.step.preemption.retries,
        rules=[rule for rule in study.stopping if key_of(rule) != "wall_clock"],
    )


def _meta(study: Study, seed: int) -> Meta:
    objective, compared = study.objective, study.compared()
    return Meta(
        name=study.name,
        slug=slug(study.name),
        direction=objective.direction,
        metrics=tuple(TrackedMetric(name, how) for name, how in study.reductions.items()),
        goal=objective.goal,
        algorithm=study.algorithm.name,
        settings=dict(study.algorithm.settings),
        seed=seed,
        max_trials=study.budget.max_trials,
        parallel=study.budget.at_once,
        fixed=study.fixed_values,
        space=compared["space"],
        identity=study.identity(),
        compared=compared,
        created=now(),
        version=__version__,
    )
