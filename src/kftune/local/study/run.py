"""`run_study`: runs a study on this machine."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from kftune._version import __version__
from kftune.errors import RunError
from kftune.local.processes.interrupts import Interrupts
from kftune.local.processes.start import Runtime
from kftune.local.samplers import Sampler, check_allowed, check_runs_here, make_sampler
from kftune.local.study.alone import StudyAlone
from kftune.local.study.changes import changes
from kftune.local.study.cost_limit import CostRule, cost_rule
from kftune.local.study.events import OnEvent, now
from kftune.local.study.failure import end_of
from kftune.local.study.log_notes import noting_metrics
from kftune.local.study.plan import StudyPlan
from kftune.local.study.progress import Outcome
from kftune.local.study.reader import StudyReader
from kftune.local.study.retries import retry_note, unfinished
from kftune.local.study.short_trials import noting_short_trials
from kftune.local.study.smaller import smaller_values
from kftune.local.study.starting import OpenLive, Starting
from kftune.local.study.trials import StudyTrials, TrialContainers
from kftune.metrics.cut_numbers import GROUP_REMEDY, cut_reports
from kftune.metrics.definition import exponent_notes
from kftune.metrics.near_lines import NearLine
from kftune.metrics.near_reports import near_reports
from kftune.results import Aim, Meta, RunFolder, TrackedMetric, slug
from kftune.results.entities import check_alone
from kftune.results.store import Store
from kftune.stopping import TrialRule
from kftune.stopping.rules import key_of
from kftune.study import Study
from kftune.study.algorithms import POPULATION
from kftune.study.each import refuse_entities
from kftune.study.stopping import wall_clock_of
from kftune.study.trained import trained_model


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
    retry_failed: bool = False,
    open_live: OpenLive | None = None,
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
        retry_failed: Run trials of earlier runs again that failed or reported no objective, with the same values.
        open_live: Opens an Experiment on a cluster, for `start_from`.

    Raises:
        StudyError: The study has entities.
        RunError: The study cannot run here, it refuses nearly every point, or its `max_cost` needs an unknown price.
        StoreError: Another run writes to the folder, or it holds the results of another study.
        MissingExtraError: A package that the algorithm needs is not installed.
        ContainerError: Trials run in containers, and no container engine answers.
    """
    refuse_entities(study, "a run in one folder of results")
    check_runs_here(study.algorithm.name)
    check_allowed(study)
    path = Path(folder).resolve()
    check_alone(path, several=False)
    place = Path.cwd() if study_path is None else Path(study_path).resolve().parent
    if runtime == "process":  # an image may have other models
        check_model(study, place)
    limit = cost_rule(study, place)
    trials = StudyTrials(study, RunFolder(path), place, runtime=runtime, gpus=gpus, containers=containers)
    seed = seed_of(study)
    with Store(path, study_meta(study, seed), keep_seed=study.algorithm.seed is None, fresh=fresh) as store:
        trials.remove_leftovers(store.trials())
        starting = Starting(study, place, open_live)
        plan, sampler, emit = parts_of_run(
            study,
            store,
            trials,
            on_event,
            starting,
            limit=limit,
            notes=notes,
            strict=strict,
            retry_failed=retry_failed,
        )
        return StudyAlone(plan, store, sampler, trials, Interrupts(), emit=emit, retry_failed=retry_failed).run()


class Parts(NamedTuple):
    """What the engine of a study is made of."""

    plan: StudyPlan
    sampler: Sampler
    emit: OnEvent | None


def parts_of_run(
    study: Study,
    store: Store,
    trials: StudyTrials,
    on_event: OnEvent | None,
    starting: Starting,
    *,
    limit: CostRule | None,
    notes: Sequence[str] = (),
    strict: bool = False,
    retry_failed: bool = False,
) -> Parts:
    """Returns what the engine of a study is made of, when its results are open.

    Args:
        study: The study.
        store: Its results.
        trials: Starts its trials; gets the notes of the run.
        on_event: Called with each event.
        starting: Reads the past trials that it starts from.
        limit: The limit of its cost.
        notes: Notes to emit at the start, before the run's own.
        strict: Refuse a study that a note would be emitted for.
        retry_failed: Run trials of earlier runs again that failed or reported no objective.

    Raises:
        RunError: The study cannot run here, refuses nearly every point, or has nothing to start from.
        StoreError: The past trials cannot be read.
        MissingExtraError: A package that the algorithm needs is not installed.
    """
    earlier = store.trials()
    known = unfinished(earlier, failed_too=retry_failed)
    sampler = make_sampler(
        study,
        study.algorithm,
        study.objective.direction,
        store.meta.run_seed,
        parallel=trials.parallel,
        trials=known,
        others=store.meta.objectives[1:],
        past=starting.past(store),
    )
    trials.notes[:0] = [*notes, *store.notes, *_about_generations(study), *_about_rungs(study)]
    if limit is not None and (note := limit.note(study, earlier)):
        trials.notes.append(note)
    trials.notes += [f"{note}; {GROUP_REMEDY}" for note in exponent_notes(study.metric_definitions)]
    if strict and (trials.notes or sampler.notes):
        raise RunError("\n".join([*trials.notes, *sampler.notes]))
    trials.notes += [*starting.notes, *changes(trials.code, trials.revision, known)]
    if retry_failed:
        trials.notes.append(retry_note(earlier))
    emit = None
    if on_event is not None:
        emit = _noting(study, store.folder, on_event)
    return Parts(study_plan(study, store.meta, limit), sampler, emit)


def check_model(study: Study, place: Path) -> None:
    """Checks that a step of kftune's training names a model that is there.

    Args:
        study: The study.
        place: The folder of its file.

    Raises:
        RunError: It does not.
    """
    model = trained_model(study.step, (place, Path.cwd()))
    if model is not None and model.hparams is None:
        raise RunError(f"no trial can start: the first argument of kftune.training names the model: {model.problem}")


def seed_of(study: Study) -> int:
    """Returns the seed of a study, or a new one if it has none."""
    seed = study.algorithm.seed
    return random.SystemRandom().getrandbits(32) if seed is None else seed


def _about_generations(study: Study) -> Iterator[str]:
    size = study.algorithm.settings.get("population_size", POPULATION)
    if study.algorithm.name == "nsga2" and study.budget.max_trials <= int(size):
        yield (
            f"nsga2 draws its first generation of {size} points at random, so none of the {study.budget.max_trials} "
            f"trials learns from others; set a smaller population_size (algorithm.settings), or use the algorithm tpe"
        )


def _about_rungs(study: Study) -> Iterator[str]:
    """Notes a budget with which no trial can pass all rungs at which trials wait."""
    for rule in study.stopping:
        ladder = rule.pauses_at if isinstance(rule, TrialRule) else None
        if ladder is None or ladder.last is None or ladder.brackets > 1:
            continue
        rungs = len(list(ladder.rungs(0, ladder.last)))
        least = ladder.factor**rungs
        if study.budget.max_trials < least:
            yield (
                f"stopping.{key_of(rule)} lets one of {ladder.factor} trials go on at each of {rungs} rungs, so with "
                f"{study.budget.max_trials} trials none gets to its end; raise budget.max_trials to {least} or more, "
                f"or min_resource or reduction_factor"
            )


def _noting(study: Study, folder: RunFolder, emit: OnEvent) -> OnEvent:
    """Returns `emit`, with notes about what trials did."""
    definitions = {each.name: each for each in study.metric_definitions}
    if not study.metrics and not definitions:
        return noting_short_trials(study, emit)

    def near(name: str, lines: Iterable[bytes]) -> Iterator[NearLine]:
        return near_reports(name, lines, definitions.get(name), "metrics")

    def end(trial: str, size: int) -> bytes | None:
        log = folder.log(trial)
        return end_of(log, size) if log.is_file() else None

    more = [spec.name for spec in study.metrics]
    cuts = partial(cut_reports, definitions=study.metric_definitions)
    return noting_short_trials(study, noting_metrics(end, more, near, cuts, emit))


def study_plan(study: Study, meta: Meta, limit: CostRule | None) -> StudyPlan:
    """Returns what the engine needs to know about a study.

    Args:
        study: The study.
        meta: What is stored of it.
        limit: The limit of its cost.
    """
    limits = study.retry_limits
    rules = [rule for rule in study.stopping if key_of(rule) != "wall_clock"]
    return StudyPlan(
        meta=meta,
        max_failed=study.budget.failures_allowed,
        reader=lambda trial: StudyReader(study),
        wall_clock=wall_clock_of(study.stopping, study.budget.wall_clock),
        grace=study.step.grace_period,
        failed_hint=study.budget.limits_on_failures,
        restricted=study.restricted,
        rules=rules if limit is None else [*rules, limit.rule],
        retries=limits,
        smaller=smaller_values(study, limits),
    )


def study_meta(study: Study, seed: int) -> Meta:
    """Returns what is stored of a study.

    Args:
        study: The study.
        seed: The seed of its algorithm.
    """
    objective, compared = study.objective, study.compared()
    return Meta(
        name=study.name,
        slug=slug(study.name),
        direction=objective.direction,
        metrics=tuple(TrackedMetric(name, how) for name, how in study.reductions.items()),
        goal=objective.goal,
        more_objectives=tuple(Aim(other.direction, other.goal) for other in study.objectives[1:]),
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
