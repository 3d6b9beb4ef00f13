"""Applies the stopping rules of a study to its running trials."""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from kftune.errors import RunError
from kftune.local.study.plan import counted
from kftune.metrics.targets import TargetResult
from kftune.metrics.values import MetricValues
from kftune.results import FINISHED, SCORED, Front, Meta, Score, State, Trial, score_of
from kftune.results.store import Store
from kftune.stopping import Histories, Report, Rule, StudyRule, TrialRule
from kftune.stopping.facts import EndedTrial, StudyFacts
from kftune.stopping.rules import key_of
from kftune.stopping.rungs import Ladder


class Stop(NamedTuple):
    """Why a trial stops before its end."""

    message: str
    counts: bool = True
    """Whether the value that the trial has reached counts."""
    rule: str = ""
    """The kind of the rule."""
    pauses: bool = False
    """Whether it only pauses."""

    @property
    def weight(self) -> int:
        """Of several reasons the one with the greatest weight holds: no result, an end, a pause."""
        return 0 if self.pauses else 1 if self.counts else 2


class Judge:
    """Hears what trials report, and says which of them, and when the study, should end.

    Args:
        rules: The study's rules.
        meta: The objective and the metrics.
        clock: Returns how long all runs of the study together took, in seconds.
    """

    def __init__(self, rules: Iterable[Rule], meta: Meta, clock: Callable[[], float]) -> None:
        rules = tuple(rules)
        self._meta = meta
        self._clock = clock
        self._hears = bool(rules)
        self._of_trials = [rule for rule in rules if isinstance(rule, TrialRule)]
        self._of_study = [rule for rule in rules if isinstance(rule, StudyRule)]
        self._ladders = [(key_of(rule), rule.pauses_at) for rule in self._of_trials if rule.pauses_at is not None]
        self._has_paused = False
        self._released: dict[int, int] = {}
        self._went_on: set[int] = set()
        self._began_again: list[int] = []
        self._histories = Histories(meta.objective.name, minimize=meta.direction == "minimize")
        self._void: set[int] = set()
        self._most = [0] * len(self._of_trials)
        self._could_judge = [False] * len(self._of_trials)
        self._began: dict[int, float] = {}
        self._spent = 0.0
        self._ended: list[EndedTrial] = []
        self._front: Front[int] = Front([objective.direction for objective in meta.objectives])
        self._scores: set[Score] = set()
        self._incomplete: Counter[str] = Counter()
        self._timed = [rule for rule in self._of_study if type(rule).seconds_left is not StudyRule.seconds_left]
        self._asked = -1
        self._over = ""

    def began(self, trial: int) -> None:
        """Notes that a trial runs.

        Args:
            trial: Its number.
        """
        self._began[trial] = self._clock()

    def hear(self, trial: int, reports: Sequence[Report]) -> Stop | None:
        """Takes what a trial has reported; returns why it should stop, None while it may go on.

        Args:
            trial: Its number.
            reports: Its new reports.
        """
        stop = None
        if not self._hears:
            return stop
        for report in reports:
            if trial in self._void:
                break
            if self._ladders and report.metric == self._histories.objective:
                self._check_steps(trial, report)
            self._histories.add(trial, report)
            found = self._judged(trial, report)
            if found is not None and (stop is None or stop.weight < found.weight):
                stop = found
            if found is not None and not found.counts:
                self._drop(trial)
        return stop

    def _drop(self, trial: int) -> None:
        """Forgets a trial without a result: other trials must not be measured by values that do not count."""
        self._void.add(trial)
        self._forget(trial)

    def _judged(self, trial: int, report: Report) -> Stop | None:
        stop = None
        for rule in self._of_trials:
            if report.metric == self._watched(rule):
                with _named(rule):
                    why = rule.judge(trial, self._histories)
                if why and (stop is None or stop.counts > rule.counts):  # a trial without a result has none by any rule
                    key = key_of(rule)
                    stop = Stop(f"stopped early by {key}: {why}", rule.counts, key)
        if self._ladders and stop is None and report.metric == self._histories.objective:
            after = max(self._released.get(trial, 0), self._histories.of(trial).position_before)
            for key, ladder in self._ladders:
                why = ladder.waits(trial, self._histories, after)
                if why:
                    return Stop(f"paused by {key}: {why}", rule=key, pauses=True)
        return stop

    def _check_steps(self, trial: int, report: Report) -> None:
        """Takes note of a trial that went on and began again; without steps nobody can tell."""
        if report.step is None:
            raise RunError(
                f"stopping.{self._ladders[0][0]} with type promotion needs the step of each report, to know where a "
                f"trial goes on, but trial {trial} reported {report.metric}={report.value:g} without one; report it "
                f"with kftune.report(step=..., {report.metric}=...), or choose the type stopping"
            )
        if trial in self._went_on:
            self._went_on.discard(trial)
            positions = self._histories.of(trial).positions
            if positions and report.step <= positions[0]:
                self._began_again.append(trial)

    # -- trials that wait ------------------------------------------------------------------------------------------

    def paused(self, trial: int) -> None:
        """Notes that a trial waits; what it has reported stays known.

        Args:
            trial: Its number.
        """
        self._has_paused = True
        self._settle(trial)

    def promotable(self, waiting: Iterable[int]) -> list[int]:
        """Returns which waiting trials may go on now, the one that goes on first before the others.

        Args:
            waiting: Their numbers.
        """
        found = sorted(waiting)
        for _, ladder in self._ladders:
            # Those that went on before, and were cut short before the next rung.
            free = [each for each in found if self._reached(ladder, each) <= self._released.get(each, 0)]
            held = [each for each in found if each not in free]
            found = [*free, *ladder.promotable(held, self._histories)]
        return found

    def _reached(self, ladder: Ladder, trial: int) -> int:
        return ladder.reached(trial, self._histories)

    def let_go(self, trial: int) -> int:
        """Notes that a trial goes on; returns the position up to which no rung holds it any more.

        Args:
            trial: Its number.
        """
        self._went_on.add(trial)
        self._released[trial] = self._histories.of(trial).position
        return self._released[trial]

    def why_waits(self, trial: int) -> str:
        """Returns why a trial still waits, as a part of a sentence.

        Args:
            trial: Its number.
        """
        for key, ladder in self._ladders:
            why = ladder.waits(trial, self._histories, self._reached(ladder, trial) - 1)
            if why:
                return f"stopped early by {key}: {why}"
        return "stopped early: it waited when the study ended"

    def recall(self, store: Store, trials: Iterable[Trial], again: Collection[int] = frozenset()) -> None:
        """Takes the trials that earlier runs have ended. Without rules it reads nothing.

        Of a trial with very many reports, those are known that its curve has kept.

        Args:
            store: Has their curves.
            trials: The trials.
            again: The numbers of those that run again.
        """
        self._spent = store.trial_seconds
        if not self._hears:
            return
        for trial in sorted(trials, key=lambda each: (each.ended or "", each.number)):
            if trial.number in again or (trial.state not in FINISHED and not trial.goes_on):
                continue
            for metric, curve in store.curves(trial.number).items():
                for value, step in zip(curve.values, curve.steps, strict=True):
                    self._histories.add(trial.number, Report(metric, value, step))
            if trial.goes_on:
                self._released[trial.number] = trial.retried.promoted
                continue
            self.ended(trial.number, trial.state, trial.objective, trial.metrics, trial.duration or 0.0)

    def ended(
        self,
        trial: int,
        state: State,
        objective: float | None,
        values: Mapping[str, MetricValues],
        seconds: float,
    ) -> None:
        """Notes that a trial has ended.

        Args:
            trial: Its number.
            state: How it ended.
            objective: Its value of the objective that counts; None when it has none.
            values: Everything that it reported.
            seconds: How long it ran.
        """
        if state not in SCORED or objective is None:
            self._drop(trial)
        else:
            self._histories.end(trial, succeeded=state == "Succeeded")
        if self._of_study:
            scored = objective if state in SCORED else None
            found = EndedTrial(
                number=trial,
                objective=scored,
                metrics=counted(values, self._meta.metrics),
                seconds=seconds,
                reports=values[self._histories.objective].count if self._histories.objective in values else 0,
                joins_pareto=self._joins(trial, scored, values),
            )
            self._ended.append(found)
        if state == "EarlyStopped" and objective is not None:
            self._incomplete.update(each.name for each in self._meta.objectives[1:] if each.name not in values)
        self._settle(trial)

    def _joins(self, trial: int, objective: float | None, values: Mapping[str, MetricValues]) -> bool | None:
        """Returns whether a trial brings something new into the Pareto set; None with one objective."""
        others = self._meta.objectives[1:]
        if not others:
            return None
        score = score_of(objective, values, others)
        if score is None or score in self._scores:
            return False
        self._scores.add(score)
        return self._front.add(trial, score)

    def forget(self, trial: int) -> None:
        """Drops what a trial has reported, because it starts again; the time that it took still counts.

        Args:
            trial: Its number.
        """
        self._forget(trial)
        self._void.discard(trial)
        self._released.pop(trial, None)
        self._went_on.discard(trial)
        self._settle(trial)

    def _settle(self, trial: int) -> None:
        began = self._began.pop(trial, None)
        if began is not None:
            self._spent += self._clock() - began

    def over(self) -> str:
        """Returns why the study is over; empty while it is not. Once it is, it stays so."""
        # Most rules can answer otherwise only after the end of a trial.
        asked = self._timed if len(self._ended) == self._asked else self._of_study
        if not self._over and asked:
            self._asked = len(self._ended)
            facts = self._facts()
            for rule in asked:
                with _named(rule):
                    why = rule.over(facts)
                self._over = self._over or (f"{key_of(rule)}: {why}" if why else "")
        return self._over

    def seconds_left(self) -> float | None:
        """Returns after how many seconds a rule may end the study without the end of a trial; None if none does."""
        if not self._of_study:
            return None
        facts = self._facts()
        left = []
        for rule in self._of_study:
            with _named(rule):
                left.append(rule.seconds_left(facts))
        return min((seconds for seconds in left if seconds is not None), default=None)

    def targets(self) -> list[TargetResult]:
        """Returns the targets of the study, and which of them were met."""
        if not self._of_study:
            return []
        facts = self._facts()
        found: list[TargetResult] = []
        for rule in self._of_study:
            with _named(rule):
                found += rule.targets(facts)
        return found

    def notes(self) -> list[str]:
        """Returns what the user should know of the rules that end trials, when the study is over."""
        found = [
            f"stopping: {count} trial(s) were stopped before they reported {name}, and only trials with all objectives "
            f"can be compared; report it before the first epoch"
            for name, count in self._incomplete.items()
        ]
        if self._began_again:
            found.append(
                f"stopping: {len(self._began_again)} trial(s) went on after a pause and began again with their first "
                f"step, from trial {self._began_again[0]}; the script must write a checkpoint to KFTUNE_OUTPUT_DIR on "
                f"SIGTERM, and load it when it is there"
            )
        for number, _ in self._histories.all():
            self._note_reports(number)
        for rule, most, could_judge in zip(self._of_trials, self._most, self._could_judge, strict=True):
            name = self._watched(rule)
            if most == 1 and rule.counts and not self._has_paused:
                found.append(
                    f"stopping: {key_of(rule)} could stop nothing early, because each trial reported {name} once; "
                    f"report it after each epoch, with kftune.report({name}=..., step=...)"
                )
            elif most and not could_judge:
                found.append(
                    f"stopping: {key_of(rule)} has judged no trial, because none reported {name} more than {most} "
                    f"times; its settings begin later"
                )
        return found

    def _watched(self, rule: TrialRule) -> str:
        return rule.watches or self._histories.objective

    def _note_reports(self, trial: int) -> None:
        """Notes for each rule how often a trial has reported, and whether it could judge that."""
        for index, rule in enumerate(self._of_trials):
            history = self._histories.of(trial, self._watched(rule))
            if history.count:
                with _named(rule):
                    self._could_judge[index] |= rule.can_judge(history)
            self._most[index] = max(self._most[index], history.count)

    def _forget(self, trial: int) -> None:
        self._note_reports(trial)
        self._histories.forget(trial)

    @property
    def trial_seconds(self) -> float:
        """How long all trials together have run, with all their tries."""
        now = self._clock()
        return self._spent + sum(now - began for began in self._began.values())

    def _facts(self) -> StudyFacts:
        return StudyFacts(self._histories, self._ended, self.trial_seconds, len(self._began), self._clock())


@contextmanager
def _named(rule: Rule) -> Iterator[None]:
    """Raises what a rule raises as an error that names it: a rule of one's own may have any fault."""
    try:
        yield
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        raise RunError(
            f"the stopping rule {key_of(rule)} must answer without an error, but raised {type(error).__name__}: "
            f"{error} ({place.filename}:{place.lineno}); trials that ran start again with the next run"
        ) from error
