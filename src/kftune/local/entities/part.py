"""`EntityRun`: the study of one entity in a run for several. It is opened when its first trial starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kftune.local.processes.interrupts import Interrupts
from kftune.local.processes.listener import Listener
from kftune.local.processes.start import Runtime
from kftune.local.study.cost_limit import cost_rule
from kftune.local.study.engine import StudyEngine
from kftune.local.study.events import Note, OnEvent
from kftune.local.study.progress import Outcome, Reason
from kftune.local.study.run import parts_of_run, seed_of, study_meta
from kftune.local.study.running import RunningTrial
from kftune.local.study.shared_trials import SharedTrials
from kftune.local.study.starting import OpenLive, Starting
from kftune.local.study.trials import StudyTrials, TrialContainers
from kftune.results import FINISHED, RunFolder
from kftune.results.entities import EntitiesFolder, Listed
from kftune.results.store import Store
from kftune.study import Study

Emitter = Callable[[str], OnEvent]
"""Returns what takes the events of the entity of that name."""


@dataclass(frozen=True, kw_only=True)
class Common:
    """What the studies of all entities share.

    Attributes:
        folder: Where results go.
        place: The folder of the study's file.
        study_of: Returns the study of the entity of that name.
        shared: What starts their trials, and the GPUs.
        interrupts: Counts Ctrl-C and requests to stop.
        listener: Listens to all trials.
        emitter: What takes the events of each; None for none.
        on_event: Called with notes about how processes start.
        runtime: What trials run in.
        containers: How they run in containers.
        strict: Refuse a study that a note would be emitted for.
        fresh: Whether the results of the entities are moved aside.
        retry_failed: Whether trials of earlier runs run again that failed or reported no objective.
        open_live: Opens an Experiment on a cluster, for `start_from`; None refuses it.
    """

    folder: EntitiesFolder
    place: Path
    study_of: Callable[[str], Study]
    shared: SharedTrials
    interrupts: Interrupts
    listener: Listener[RunningTrial]
    emitter: Emitter | None
    on_event: OnEvent | None
    runtime: Runtime
    containers: TrialContainers
    strict: bool
    fresh: bool
    retry_failed: bool
    open_live: OpenLive | None


class EntityRun:
    """The study of one entity.

    Args:
        entity: The entity.
        index: Its place among all of them.
        places: How many trials it has from earlier runs.
        failed: How many of them have failed.
        waiting: How many of them run again.
        trial_seconds: How long they took.
        common: What it shares with the others.

    Attributes:
        entity: The entity.
        index: Its place among all of them.
        places: How many trials it has, with those that run or start again.
        taken: How many it has without those that wait to start again.
        failed: How many trials have failed.
        unfinished: Whether trials of earlier runs run again.
        queued: Whether it waits for a place to start a trial.
        ending: What ends it while its last trials stop; None while nothing does.
        outcome: How it ended; None while it has not.
    """

    def __init__(
        self,
        entity: Listed,
        index: int,
        *,
        places: int,
        failed: int,
        waiting: int,
        trial_seconds: float,
        common: Common,
    ) -> None:
        self.entity = entity
        self.index = index
        self.places = places
        self.taken = places - waiting
        self.failed = failed
        self.unfinished = waiting > 0
        self.queued = False
        self.ending: Reason | None = None
        self.outcome: Outcome | None = None
        self._trial_seconds = trial_seconds
        self._common = common
        self._engine: StudyEngine | None = None
        self._store: Store | None = None
        self._trials: StudyTrials | None = None

    @property
    def is_open(self) -> bool:
        """Whether its study was opened, and has not ended."""
        return self._engine is not None

    @property
    def trial_seconds(self) -> float:
        """How long its trials took, with those that run."""
        return self._trial_seconds if self._engine is None else self._engine.trial_seconds

    @property
    def grace(self) -> float:
        """Seconds between the request to stop a trial and the kill."""
        return self._common.study_of(self.entity.name).step.grace_period

    @property
    def engine(self) -> StudyEngine:
        """Its study; it is opened if it was not."""
        if self._engine is None:
            self._engine = self._open()
            self._engine.begin()
        return self._engine

    def start(self, *, more: bool) -> bool:
        """Starts a trial if one may start now; returns whether it does.

        Args:
            more: Whether the budget of all entities has a place for it.
        """
        engine, store = self.engine, self._store
        if store is not None:
            store.reopen()
            store.start_clock()
        return engine.start_next(more=more or engine.starts_again)

    def recount(self) -> None:
        """Counts its trials again."""
        if self._engine is not None:
            self.places, self.taken, self.failed = self._engine.places, self._engine.taken, self._engine.failed

    def rest(self) -> None:
        """Stops its clock: none of its trials runs."""
        if self._store is not None:
            self._store.stop_clock()

    def release(self) -> None:
        """Closes its files until its next trial."""
        if self._store is not None:
            self._store.release()

    def conclude(self, reason: Reason) -> None:
        """Stores what ended its study, and closes it.

        Args:
            reason: What ended it.
        """
        engine, store = self.engine, self._store
        if store is not None:
            store.reopen()
        if reason != "Interrupted":
            engine.end_paused()
        engine.settle()
        self.outcome = engine.conclude(reason)
        if reason not in ("Interrupted", "SharedBudget"):
            self.places = sum(count for state, count in self.outcome.counts.items() if state in FINISHED)
        self.close()

    def close(self) -> None:
        """Closes it, however the run ends."""
        store, trials, self._trial_seconds = self._store, self._trials, self.trial_seconds
        self._engine = self._store = self._trials = None
        if trials is not None:
            trials.close()
        if store is not None:
            store.close()

    def check_place(self) -> None:
        """Checks that its file is still where other programs find it.

        Raises:
            StoreError: It is not.
        """
        if self._store is not None:
            self._store.check_place()

    def _open(self) -> StudyEngine:
        common, name = self._common, self.entity.name
        study, path = common.study_of(name), common.folder.of(self.entity)
        self._trials = trials = StudyTrials(
            study,
            RunFolder(path),
            common.place,
            runtime=common.runtime,
            containers=common.containers,
            shared=common.shared,
        )
        meta, keep_seed = study_meta(study, seed_of(study)), study.algorithm.seed is None
        self._store = store = Store(path, meta, keep_seed=keep_seed, fresh=common.fresh)
        store.stop_clock()
        parts = parts_of_run(
            study,
            store,
            trials,
            None if common.emitter is None else common.emitter(name),
            Starting(study, common.place, common.open_live),
            limit=cost_rule(study, common.place),
            strict=common.strict,
            retry_failed=common.retry_failed,
        )
        engine = StudyEngine(
            parts.plan,
            store,
            parts.sampler,
            trials,
            common.interrupts,
            emit=parts.emit,
            retry_failed=common.retry_failed,
            listener=common.listener,
        )
        emit = common.on_event
        if emit is not None:  # what starts processes is that of all entities
            trials.runner.tell = lambda note: emit(Note(note))
        return engine
