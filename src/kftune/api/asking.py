"""`ask_tell`: hands out the trials of a study to a loop of one's own, and stores what it tells of them."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Self, SupportsFloat, SupportsIndex, TypeVar, Unpack, overload

from kftune.api.options import Options, changed, study_at, study_of
from kftune.api.tuned import Best, Tuned
from kftune.errors import RunError, UsageError
from kftune.hparams import Hparams
from kftune.local.samplers import Suggestion, check_allowed, check_runs_here, make_sampler
from kftune.local.study.events import now
from kftune.local.study.progress import Progress, Reason
from kftune.local.study.reader import StudyReader
from kftune.local.study.retries import Retries, unfinished
from kftune.local.study.run import seed_of, study_meta, study_plan
from kftune.local.study.stopping import Judge, Stop
from kftune.metrics import format_line
from kftune.results import SCORED, State, TrialEnd, TrialStart, slug
from kftune.results.store import Store
from kftune.revision import revision_of
from kftune.runs import RUNS, make_results_folder
from kftune.stopping import TrialRule
from kftune.study import Study
from kftune.study.each import refuse_entities
from kftune.study.retries import NO_RETRIES

H = TypeVar("H", bound=Hparams)


@dataclass(frozen=True, eq=False)
class AskedTrial(Generic[H]):
    """A trial that the loop runs.

    Attributes:
        number: Its number, from 1.
        name: Its name.
        hparams: Its hyperparameters.
        folder: A folder for what it writes.
    """

    number: int
    name: str
    hparams: H
    folder: Path


@dataclass
class _Out(Generic[H]):
    """A trial that was asked for and not told."""

    trial: AskedTrial[H]
    reader: StudyReader
    began: float
    stop: Stop | None = None


class AskTell(Generic[H]):
    """A study whose trials a loop runs: it asks for values, reports what they lead to, and tells how each has ended.

    Use it in a ``with`` block, in one thread. A trial that was told is on the disk, whatever happens then. One that was
    asked for and not told is asked for again by the next run, with the same values.

    Args:
        study: The study.
        folder: Where the results go.
        fresh: Move earlier results aside, and start over.

    Raises:
        RunError: The study cannot run this way.
        StoreError: Another run writes there, or the folder has the results of another study.
    """

    def __init__(self, study: Study, folder: Path, *, fresh: bool = False) -> None:
        check_runs_here(study.algorithm.name)
        check_allowed(study)
        _check(study)
        self.study, self.folder = study, folder.resolve()
        self._out: dict[int, _Out[H]] = {}
        self._exhausted = False
        keep = study.algorithm.seed is None
        self._store = Store(self.folder, study_meta(study, seed_of(study)), keep_seed=keep, fresh=fresh)
        try:
            self._prepare()
        except BaseException:
            self._store.close()
            raise

    def _prepare(self) -> None:
        study, store = self.study, self._store
        meta = store.meta
        earlier = store.trials()
        for note in store.notes:
            warnings.warn(note, stacklevel=5)
        self._sampler = make_sampler(
            study,
            study.algorithm,
            study.objective.direction,
            meta.run_seed,
            parallel=study.budget.at_once,
            trials=unfinished(earlier, failed_too=False),
            others=meta.objectives[1:],
        )
        self._plan = study_plan(study, meta)
        self._origin = meta.origin("", str(revision_of(Path.cwd())))
        self._judge = Judge(self._plan.rules, meta, lambda: store.active_seconds)
        self._again = Retries(self._plan.retries, None, self._sampler, earlier)
        self._judge.recall(store, earlier, self._again.numbers)
        self._progress = Progress(self._plan, store, earlier, self._judge, self._again.numbers)
        self._attempts = {trial.number: trial.attempt for trial in earlier}
        self._next_number = store.next_number()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[AskedTrial[H]]:
        """Asks for trials, one after the other, until the study is over."""
        while (trial := self.ask()) is not None:
            yield trial

    @property
    def reason(self) -> Reason | None:
        """What has ended the study, such as ``MaxTrialsReached``; None while it goes on."""
        return self._progress.reached(exhausted=self._exhausted and not self._out)

    @property
    def results(self) -> Tuned[H]:
        """The results so far."""
        return Tuned(self.folder, self.study.hparams)  # type: ignore[arg-type]  # the class of the study is H

    @property
    def best(self) -> Best[H]:
        """The best trial so far.

        Raises:
            RunError: No trial has succeeded.
        """
        return self.results.best

    def ask(self) -> AskedTrial[H] | None:
        """Returns the next trial; several may be asked for before the first of them is told.

        Returns:
            None if there is none now: `reason` says what has ended the study. If it is None, the trials that were asked
            for take the rest of the budget, or the algorithm waits for their results.
        """
        taken = self._progress.finished + len(self._out)
        if self._progress.reached() or self._exhausted or taken >= self._plan.meta.max_trials:
            return None
        if self._again:
            trial, suggestion = self._again.next()
            self._store.folder.move_aside(trial.name, trial.attempt)
            return self._start(trial.number, trial.attempt + 1, suggestion)
        found = self._sampler.ask(self._next_number)
        if found is None:
            self._exhausted = not self._out
            return None
        self._next_number += 1
        return self._start(self._next_number - 1, 1, found)

    def _start(self, number: int, attempt: int, suggestion: Suggestion) -> AskedTrial[H]:
        name = self._store.name(number)
        if attempt == 1:
            output = self._store.folder.new_output(name)
        else:
            output = self._store.folder.output(name)
            output.mkdir()
        hparams: Any = self.study.hparams.from_assignments(suggestion.assignment)
        trial = AskedTrial(number, name, hparams, output)
        start = TrialStart(
            number=number,
            attempt=attempt,
            assignment=suggestion.assignment,
            point=suggestion.point,
            started=now(),
            origin=self._origin,
            retried=self._again.of(number),
        )
        self._store.start(start)
        self._judge.began(number)
        self._out[number] = _Out(trial, StudyReader(self.study), time.monotonic())
        return trial

    def report(
        self,
        trial: AskedTrial[H],
        values: Mapping[str, SupportsFloat] | None = None,
        /,
        *,
        step: SupportsIndex | None = None,
        **metrics: SupportsFloat,
    ) -> None:
        """Takes metrics of a trial that goes on, as `kftune.report` does.

        Args:
            trial: The trial.
            values: Metrics with names that are not Python names.
            step: The step of the values, from 0.
            **metrics: Metrics by name.

        Raises:
            MetricError: A name or value is invalid.
            UsageError: The trial has been told, or the study has no such metric.
        """
        out = self._still_out(trial)
        given = {**(values or {}), **metrics}
        line = format_line(given, step)
        known = self.study.reductions
        for name in given:
            if name not in known:
                raise UsageError(
                    f"a metric must be one that the study names, but {name} is not among {', '.join(known)}; add it to "
                    f"metrics"
                )
        out.reader.feed(f"{line}\n".encode())
        stop = self._judge.hear(trial.number, out.reader.reports())
        out.stop = out.stop or stop

    def should_stop(self, trial: AskedTrial[H]) -> bool:
        """Whether a stopping rule gives a trial up, or the study is over; then tell it with what it has reached.

        Args:
            trial: The trial.

        Raises:
            UsageError: The trial has been told.
        """
        return self._still_out(trial).stop is not None or self._progress.reached() is not None

    def tell(
        self, trial: AskedTrial[H], values: Mapping[str, SupportsFloat] | None = None, /, **metrics: SupportsFloat
    ) -> State:
        """Ends a trial, with its last metrics or with those that were reported.

        Args:
            trial: The trial.
            values: Metrics with names that are not Python names.
            **metrics: Metrics by name.

        Returns:
            How it is stored: Succeeded, EarlyStopped if a rule has given it up, or Killed if it has no value of an
            objective and the study is over.

        Raises:
            MetricError: A name or value is invalid, such as nan; then use `fail`.
            UsageError: The trial has been told, or has no value of an objective.
        """
        if values or metrics:
            self.report(trial, values, **metrics)  # type: ignore[arg-type]  # no metric is called step
        out, over = self._still_out(trial), self._progress.reached()
        if out.stop is not None:
            return self._end(out, "EarlyStopped", out.stop.message)
        missing = [each.metric for each in self.study.objectives if out.reader.latest(each.metric) is None]
        if not missing:
            return self._end(out, "Succeeded", "")
        if over is not None:
            return self._end(out, "Killed", self._progress.stop_message(over))
        raise UsageError(
            f"{trial.name} must have a value of {missing[0]}; write tell(trial, {missing[0]}=...), or fail(trial, "
            f"'why') if there is none"
        )

    def fail(self, trial: AskedTrial[H], message: str) -> None:
        """Ends a trial that has no result. It counts against budget.max_failed.

        Args:
            trial: The trial.
            message: Why.

        Raises:
            UsageError: The trial has been told.
        """
        self._end(self._still_out(trial), "Failed", message)

    def _still_out(self, trial: AskedTrial[H]) -> _Out[H]:
        """Returns what is known of a trial, which must not have been told."""
        out = self._out.get(trial.number)
        if out is None or out.trial is not trial:
            raise UsageError(
                f"a trial is told once, but {trial.name} was told, or is of another loop; ask for the next one"
            )

        return out

    def _end(self, out: _Out[H], state: State, message: str) -> State:
        """Stores how a trial ended, on the disk."""
        trial, reader, stop = out.trial, out.reader, out.stop
        del self._out[trial.number]
        reader.close()
        counts = state in SCORED and (stop is None or stop.counts)
        ending = TrialEnd(
            state=state,
            metrics=reader.values,
            objective=reader.objective if counts else None,
            ended=now(),
            duration=round(time.monotonic() - out.began, 6),
            exit_code=None,
            message=message,
            retried=self._again.of(trial.number),
            stopped_by=stop.rule if stop and state == "EarlyStopped" else "",
        )
        self._store.end(trial.number, ending, reader.curves)
        if state == "Killed":
            return state
        score = self._progress.score(ending.objective, ending.metrics) if state in SCORED else None
        self._judge.ended(trial.number, state, ending.objective, ending.metrics, ending.duration)
        self._sampler.tell_score(trial.number, score)
        self._progress.add(trial.number, state, score)
        self._store.trial_seconds = self._judge.trial_seconds
        self._store.synchronise()
        return state

    def close(self) -> None:
        """Ends the loop. Trials that were not told are stored as cut short: the next run asks for them again."""
        reason = self.reason or "Interrupted"
        try:
            for out in list(self._out.values()):
                self._end(out, "Killed", self._progress.stop_message(reason))
            self._store.conclude(reason, [target._asdict() for target in self._judge.targets()])
        finally:
            self._store.close()
        for note in self._judge.notes():
            warnings.warn(note, stacklevel=3)


def _check(study: Study) -> None:
    """Refuses what only an engine can do that runs the trials itself, and warns of what has no effect."""
    refuse_entities(study, "an ask-and-tell loop")
    for rule in study.stopping:
        if isinstance(rule, TrialRule) and rule.pauses_at is not None:
            raise RunError(
                "trials of an ask-and-tell loop end once, so a stopping rule must not let them wait and go on; choose "
                "the type stopping in place of promotion"
            )
    idle = {
        "budget.trial_timeout": study.budget.trial_timeout is not None,
        "budget.retries": study.budget.retries is not NO_RETRIES,
        "apply": study.apply is not None,
    }
    for name in [name for name, is_set in idle.items() if is_set]:
        warnings.warn(f"{name} of the study has no effect in an ask-and-tell loop", stacklevel=4)


@overload
def ask_tell(
    what: type[H], /, *, dir: str | Path | None = ..., fresh: bool = ..., **options: Unpack[Options]
) -> AskTell[H]: ...


@overload
def ask_tell(
    what: Study | str | Path, /, *, dir: str | Path | None = ..., fresh: bool = ..., **options: Unpack[Options]
) -> AskTell[Hparams]: ...


def ask_tell(
    what: Any, /, *, dir: str | Path | None = None, fresh: bool = False, **options: Unpack[Options]
) -> AskTell[Any]:
    """Opens a study for a loop of one's own, in a ``with`` block.

    Args:
        what: A study, the path of its file, or a class of hyperparameters. What the study would run is not used.
        dir: Where the results go. Default: ``runs/NAME`` beside the file, or in the current folder.
        fresh: Move earlier results aside, and start over.
        **options: Parts of the study, such as max_trials, objective and seed; see `kftune.api.options.Options`.

    Returns:
        The loop: `AskTell.ask`, `AskTell.report`, `AskTell.should_stop`, `AskTell.tell` and `AskTell.fail`.

    Raises:
        UsageError: An option is unknown.
        StudyError: The study is invalid.
        RunError: It cannot run this way.
        StoreError: Another run writes there, or the folder has the results of another study.
    """
    place = Path.cwd()
    if isinstance(what, type) and issubclass(what, Hparams):
        study = study_of(what, what.__name__, {"command": ("ask-and-tell",)}, options)
    elif isinstance(what, Study):
        study = changed(what, options)
    elif isinstance(what, str | Path):
        study, place = changed(study_at(Path(what)), options), Path(what).parent
    else:
        raise UsageError(f"ask_tell takes a study, its file or a class of hyperparameters, but got {what!r:.80}")
    folder = place / RUNS / slug(study.name) if dir is None else Path(dir)
    make_results_folder(folder)
    return AskTell(study, folder, fresh=fresh)
