"""`run_entities`: runs a study for each of several entities on this machine."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from kftune.errors import LostEndError, RunError, StudyError
from kftune.local.entities.events import EntitiesFinished, EntitiesStarted, Voices
from kftune.local.entities.outcome import EntitiesOutcome, EntityEnd, outcome_of
from kftune.local.entities.part import Common, EntityRun
from kftune.local.entities.scheduler import End, Scheduler, SharedLimits
from kftune.local.processes.interrupts import Interrupts
from kftune.local.processes.listener import Listener
from kftune.local.processes.start import LABEL_OF_RUN, Runtime
from kftune.local.samplers import check_allowed, check_runs_here
from kftune.local.study.audience import Audience
from kftune.local.study.cost_limit import cost_rule, shared_rule
from kftune.local.study.events import Note, OnEvent
from kftune.local.study.run import check_model, seed_of, study_meta
from kftune.local.study.running import RunningTrial
from kftune.local.study.shared_trials import SharedTrials
from kftune.local.study.starting import OpenLive
from kftune.local.study.trials import TrialContainers, data_of
from kftune.results import FINISHED, Results, Trial
from kftune.results.entities import NOT_STARTED, STOPPED, EntitiesFolder, Listed, check_alone, with_folders
from kftune.results.lock import take_lock
from kftune.results.records import UNSUCCESSFUL
from kftune.results.same_study import check_same_study
from kftune.results.store import FILES_OF_STORE, Store
from kftune.study import Study
from kftune.study.entities import names_entity
from kftune.study.for_each import ForEach

_OVER = ("MaxTrialsReached", "GoalReached", "SearchSpaceExhausted", "StoppingRule")

Prepare = Callable[[str, Study], Study]
"""Changes the study of the entity of that name before it runs, such as by a first point."""


def run_entities(
    study: Study,
    folder: str | Path,
    *,
    entities: Sequence[str] = (),
    study_path: str | Path | None = None,
    on_event: OnEvent | None = None,
    gpus: Sequence[str] | None = None,
    runtime: Runtime = "process",
    containers: TrialContainers = TrialContainers(),  # noqa: B008  # it is immutable
    notes: Sequence[str] = (),
    strict: bool = False,
    fresh: bool = False,
    retry_failed: bool = False,
    prepare: Prepare = lambda name, study: study,
    open_live: OpenLive | None = None,
) -> EntitiesOutcome:
    """Runs a study for each of its entities here, in one loop, until all are over or what they share is used up.

    Existing results are resumed, as `run_study` does it for each entity. What the entities share counts over all runs.

    Args:
        study: The study, with `for_each`.
        folder: Where results go: a folder for each entity in it.
        entities: The names of those to run; none for all. What the others have used of the budget counts.
        study_path: The study's file: trials run in its folder. None takes the current folder.
        on_event: Called with each event.
        gpus: The devices to share among trials; None finds them.
        runtime: Whether trials are processes, or containers of the step's image.
        containers: How trials run in containers, beyond what the study says.
        notes: Notes to emit at the start.
        strict: Refuse a study that a note would be emitted for.
        fresh: Move earlier results aside, and start over.
        retry_failed: Run trials of earlier runs again that failed or reported no objective.
        prepare: Changes the study of an entity before it runs.
        open_live: Opens an Experiment on a cluster, for `start_from`.

    Raises:
        StudyError: The study has no entities.
        UnknownNameError: There is no such entity.
        RunError: A study cannot run here.
        StoreError: Another run writes to the folder, or it holds the results of another study.
        MissingExtraError: A package that the algorithm needs is not installed.
        ContainerError: Trials run in containers, and no container engine answers.
    """
    each = study.for_each
    if each is None:
        raise StudyError(f"a run for several entities needs a study with for_each, but {study.name!r} has none")
    chosen = [each.entity(name).name for name in entities] or [entity.name for entity in each.entities]
    place = Path.cwd() if study_path is None else Path(study_path).resolve().parent
    studies = {name: prepare(name, study.for_entity(name)) for name in dict.fromkeys(chosen)}
    _check(studies, place, runtime)
    results = EntitiesFolder(Path(folder).resolve())
    check_alone(results.path, several=True)
    lock = take_lock(results.lock)
    try:
        if fresh and not entities and results.exists:
            results.move_aside()
            moved, lock = lock, take_lock(results.lock)
            os.close(moved)
        run = _Run(study, each, results, studies, place, fresh=fresh)
        return run.run(
            on_event=on_event,
            gpus=gpus,
            runtime=runtime,
            containers=containers,
            notes=notes,
            strict=strict,
            retry_failed=retry_failed,
            open_live=open_live,
        )
    finally:
        os.close(lock)


def _check(studies: dict[str, Study], place: Path, runtime: Runtime) -> None:
    """Checks that the studies can run here, before the first of them does."""
    first = next(iter(studies.values()))
    check_runs_here(first.algorithm.name)
    cost_rule(first, place)
    if runtime == "process":
        check_model(first, place)
    for name, study in studies.items():
        try:
            check_allowed(study)
            data_of(study, place)
        except RunError as error:
            raise RunError(f"{name}: {error}") from error


class _Scan(NamedTuple):
    """What earlier runs have left of the study of an entity."""

    state: str
    counts: dict[str, int]
    best: Trial | None
    running: list[Trial]
    trial_seconds: float = 0.0

    @property
    def places(self) -> int:
        return sum(self.counts.values())

    @property
    def finished(self) -> int:
        return sum(count for state, count in self.counts.items() if state in FINISHED)

    @property
    def failed(self) -> int:
        return sum(count for state, count in self.counts.items() if state in UNSUCCESSFUL)


class _Run:
    """One run for several entities, while the folder is locked."""

    def __init__(
        self,
        study: Study,
        each: ForEach,
        results: EntitiesFolder,
        studies: dict[str, Study],
        place: Path,
        *,
        fresh: bool,
    ) -> None:
        self._study = study
        self._each = each
        self._results = results
        self._studies = studies
        self._place = place
        self._fresh = fresh
        self._rule = shared_rule(study, place)
        earlier = results.entities() if results.exists else []
        self._listed = with_folders([(entity.name, entity.path) for entity in each.entities], earlier)
        self._scans = {entity.name: self._scan(entity) for entity in self._listed}
        self._most = each.budget.max_trials or study.budget.max_trials * len(each.entities)
        self._seconds = results.state()[0]

    def run(
        self,
        *,
        on_event: OnEvent | None,
        gpus: Sequence[str] | None,
        runtime: Runtime,
        containers: TrialContainers,
        notes: Sequence[str],
        strict: bool,
        retry_failed: bool,
        open_live: OpenLive | None,
    ) -> EntitiesOutcome:
        """Runs them; see `run_entities`."""
        began, budget, results = time.monotonic(), self._each.budget, self._results
        results.write_index(self._study.name, self._listed)
        results.write_state(self._seconds, None)
        first = next(iter(self._studies.values()))
        shared = SharedTrials(
            first,
            results.path,
            self._place,
            total=self._most,
            parallel=min(budget.parallel or self._study.budget.parallel, self._most),
            differing=[name for name, text in self._study.step.env.items() if names_entity(text)] + ["KFTUNE_DATA"],
            runtime=runtime,
            gpus=gpus,
            images=containers.images,
            more_files=FILES_OF_STORE,
        )
        notes = [*notes, *shared.notes]
        if strict and notes:
            raise RunError("\n".join(notes))
        labels = {LABEL_OF_RUN: hashlib.sha256(str(results.path).encode()).hexdigest()[:32]}
        running = [trial for scan in self._scans.values() for trial in scan.running]
        shared.remove_leftovers(results.path, labels, running)
        interrupts = Interrupts()
        tell = Audience(on_event, interrupts)
        voices = Voices(tell) if tell else None
        common = Common(
            folder=results,
            place=self._place,
            study_of=self._studies.__getitem__,
            shared=shared,
            interrupts=interrupts,
            listener=Listener[RunningTrial](interrupts),
            emitter=None if voices is None else voices.of,
            on_event=tell,
            runtime=runtime,
            containers=containers._replace(labels=containers.labels or labels),
            strict=strict,
            fresh=self._fresh,
            retry_failed=retry_failed,
            open_live=open_live,
        )
        runs = self._runs(common)
        tell(self._started(shared.parallel))
        for note in notes:
            tell(Note(note))
        scheduler = Scheduler(
            runs,
            self._limits(runs, shared.parallel),
            listener=common.listener,
            interrupts=interrupts,
            note=lambda text: tell(Note(text)),
            remember=lambda seconds: results.write_state(seconds, None),
        )
        try:
            end = scheduler.run()
        finally:
            shared.runner.close()
        outcome = self._outcome(end, runs)
        results.write_state(scheduler.seconds, outcome.reason, outcome.message)
        if voices is not None:
            voices.end()
        tell(_finished(outcome, time.monotonic() - began))
        tell.raise_error()
        return outcome

    def _scan(self, entity: Listed) -> _Scan:
        """Reads what earlier runs have left of an entity, and checks that it is of the same study."""
        study = self._studies.get(entity.name)
        # Results that are moved aside do not count, and need not be readable.
        opened = None if self._fresh and study is not None else self._open(entity, study)
        if opened is None:
            return _Scan(NOT_STARTED, {}, None, [])
        with opened:
            if study is not None:
                check_same_study(opened.meta, study_meta(study, 0), opened.folder)
            counts = dict(opened.counts().items())
            state, best = opened.reason() or STOPPED, opened.best()
            running = [trial for trial in opened.trials() if trial.pid] if "Running" in counts else []
            known = {str(name): count for name, count in counts.items()}
            return _Scan(state, known, best, running, opened.trial_seconds())

    def _open(self, entity: Listed, study: Study | None) -> Results | None:
        """Opens what earlier runs have left; what one of its two copies has lost, it gets from the other one."""
        try:
            return self._results.open(entity)
        except LostEndError:
            if study is None:
                raise
            Store(self._results.of(entity), study_meta(study, seed_of(study)), keep_seed=True).close()
            return self._results.open(entity)

    def _runs(self, common: Common) -> list[EntityRun]:
        """Returns the studies that are not over."""
        runs = []
        for index, entity in enumerate(self._listed):
            scan, study = self._scans[entity.name], self._studies.get(entity.name)
            if study is None:
                continue
            is_over = scan.state in _OVER and scan.finished >= study.budget.max_trials
            if is_over and not (common.retry_failed and scan.failed):
                continue
            runs.append(
                EntityRun(
                    entity,
                    index,
                    places=scan.places,
                    failed=scan.failed,
                    waiting=scan.places - scan.finished + (scan.failed if common.retry_failed else 0),
                    trial_seconds=scan.trial_seconds,
                    common=common,
                )
            )
        return runs

    def _limits(self, runs: Sequence[EntityRun], parallel: int) -> SharedLimits:
        budget, names = self._each.budget, {run.entity.name for run in runs}
        others = [scan for name, scan in self._scans.items() if name not in names]
        return SharedLimits(
            max_trials=budget.max_trials,
            max_failed=budget.max_failed,
            wall_clock=budget.wall_clock,
            others=sum(scan.finished for scan in others),
            others_failed=sum(scan.failed for scan in others),
            seconds=self._seconds,
            parallel=parallel,
            others_trial_seconds=sum(scan.trial_seconds for scan in others),
            max_cost=self._rule,
        )

    def _started(self, parallel: int) -> EntitiesStarted:
        study, wall_clock = self._study, self._each.budget.wall_clock
        return EntitiesStarted(
            study=study.name,
            folder=str(self._results.path),
            entities=len(self._studies),
            total=min(self._most, study.budget.max_trials * len(self._studies)),
            parallel=parallel,
            finished=sum(self._scans[name].finished for name in self._studies),
            wall_clock=None if wall_clock is None else wall_clock - self._seconds,
            algorithm=study.algorithm.name,
            objectives=[
                {"name": each.metric, "reduce": each.reduction, "direction": each.direction, "goal": each.goal}
                for each in study.objectives
            ],
        )

    def _outcome(self, end: End, runs: Sequence[EntityRun]) -> EntitiesOutcome:
        ended = {run.entity.name: run.outcome for run in runs}
        entities = {}
        for name in self._studies:
            outcome, scan = ended.get(name), self._scans[name]
            entities[name] = (
                EntityEnd(scan.state, scan.counts, scan.best)
                if outcome is None
                else EntityEnd(outcome.reason, {**outcome.counts}, outcome.best)  # type: ignore[dict-item]
            )
        return outcome_of(end, entities, min(self._most, self._study.budget.max_trials * len(self._studies)))


def _finished(outcome: EntitiesOutcome, seconds: float) -> EntitiesFinished:
    reasons: dict[str, int] = {}
    for each in outcome.entities.values():
        reasons[each.reason] = reasons.get(each.reason, 0) + 1
    return EntitiesFinished(
        state=outcome.state,
        reason=outcome.reason,
        message=outcome.message,
        counts=outcome.counts,
        entities=reasons,
        failed=outcome.failed,
        seconds=seconds,
    )
