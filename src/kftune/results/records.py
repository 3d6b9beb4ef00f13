"""What is stored of a study and of each trial.

Named tuples, built with keywords: a dataclass would import `inspect`, which takes longer than to read the results.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from kftune.metrics.values import MetricValues
from kftune.results.layout import trial_name

State = Literal["Created", "Running", "Paused", "Succeeded", "Failed", "Killed", "MetricsUnavailable", "EarlyStopped"]
"""Katib's trial states. Killed: stopped before its end because the study ended or was interrupted; it has no result.

Katib has no Paused: the trial waits at a rung of a stopping rule, and may go on.
"""

FINISHED: tuple[State, ...] = ("Succeeded", "Failed", "MetricsUnavailable", "EarlyStopped")
"""Final states, which count against the budget."""

SCORED: tuple[State, ...] = ("Succeeded", "EarlyStopped")
"""States in which a trial can be the best one."""

UNSUCCESSFUL: tuple[State, ...] = ("Failed", "MetricsUnavailable")
"""States that count as a failure."""


class TrackedMetric(NamedTuple):
    """A metric that the study records."""

    name: str
    reduce: str
    """min, max or latest."""


class Aim(NamedTuple):
    """What is sought of a metric that is an objective."""

    direction: str
    """minimize or maximize."""
    goal: float | None = None


class TrackedObjective(NamedTuple):
    """A metric that is an objective."""

    name: str
    reduce: str
    """min, max or latest."""
    direction: str
    """minimize or maximize."""
    goal: float | None

    def reached(self, value: float) -> bool:
        """Returns whether a value is as good as the goal; True without a goal."""
        if self.goal is None:
            return True
        return value <= self.goal if self.direction == "minimize" else value >= self.goal


class Origin(NamedTuple):
    """What chose the values of a trial, and the code that it ran."""

    algorithm: str
    settings: dict[str, Any]
    """Of the algorithm."""
    seed: int | None
    """None if unknown, as of trials that another tuner recorded."""
    code: str = ""
    """Hash of the code, or id of the image; empty if unknown."""
    revision: str = ""
    """The git commit, with ``-dirty`` if files differed from it; empty if unknown."""


class Meta(NamedTuple):
    """What is stored of the study itself, as the last run had it."""

    name: str
    slug: str
    direction: str
    """minimize or maximize: of the first objective, like `goal`."""
    metrics: tuple[TrackedMetric, ...]
    """The objectives first."""
    goal: float | None
    algorithm: str
    settings: dict[str, Any]
    seed: int | None
    """The study's own seed, or a drawn one when it has none; None if unknown, which that of a local run never is."""
    max_trials: int
    parallel: int
    fixed: dict[str, Any]
    """Hyperparameters that are not searched, by dotted name."""
    space: dict[str, Any]
    """What is searched: dotted name -> the domain as a study file writes it."""
    identity: str
    """Hash of what makes results comparable."""
    compared: dict[str, Any]
    """The parts of that hash, to show what changed."""
    created: str
    """When the first run began (UTC)."""
    version: str
    """The version of kftune that wrote it last."""
    experiment: dict[str, Any] | None = None
    """The Experiment with Katib's defaults, when an Experiment ran."""
    more_objectives: tuple[Aim, ...] = ()
    """What is sought of further objectives. Their metrics follow the first one."""
    trial_names: tuple[str, ...] = ()
    """The names of trials by number, where they have names of their own: those of an experiment list."""

    def trial_name(self, number: int) -> str:
        """Returns the name of trial number `number`.

        Args:
            number: The trial's number, from 1.
        """
        return self.trial_names[number - 1] if number <= len(self.trial_names) else trial_name(self.slug, number)

    @property
    def run_seed(self) -> int:
        """The seed of a study that runs here, which is always known."""
        return self.seed or 0

    @property
    def objective(self) -> TrackedMetric:
        """The metric to optimize, the first one of several."""
        return self.metrics[0]

    @property
    def objectives(self) -> tuple[TrackedObjective, ...]:
        """All metrics to optimize."""
        aims = (Aim(self.direction, self.goal), *self.more_objectives)
        # The metrics that are no objectives come last.
        return tuple([TrackedObjective(*metric, *aim) for metric, aim in zip(self.metrics, aims, strict=False)])

    def origin(self, code: str = "", revision: str = "") -> Origin:
        """Returns the origin of the trials that the last run proposed.

        Args:
            code: Hash of the code that they run.
            revision: The git commit.
        """
        return Origin(self.algorithm, self.settings, self.seed, code, revision)


class Retried(NamedTuple):
    """Why a trial was started again, as far as the study's `budget.retries` count it."""

    failed: int = 0
    lost: int = 0
    out_of_memory: int = 0
    promoted: int = 0
    """The position from which it last went on after it had waited; 0 if it did not."""
    proposed: Mapping[str, Any] = {}
    """What the algorithm proposed for the hyperparameters that got smaller for want of memory."""
    smaller: Mapping[str, Any] = {}
    """Their values since the last retry."""

    def counted(self) -> dict[str, int]:
        """Returns how often it was started again, by kind; without kinds that did not occur."""
        kinds = {"failed": self.failed, "lost": self.lost, "out_of_memory": self.out_of_memory}
        return {kind: count for kind, count in kinds.items() if count}


NOT_RETRIED = Retried()
"""What most trials have."""


class Trial(NamedTuple):
    """One trial."""

    number: int
    name: str
    state: State
    attempt: int
    """How often it was started; more than 1 if a run ended before it did, or if it was retried."""
    assignment: dict[str, str]
    """The texts it was given, by dotted name."""
    point: dict[str, Any]
    """The searched values, by dotted name."""
    metrics: dict[str, MetricValues]
    """What it reported."""
    objective: float | None
    """The value of the objective that counts for the trial, the first one of several."""
    started: str | None
    """UTC."""
    ended: str | None
    duration: float | None
    """Seconds."""
    exit_code: int | None
    """The exit code of the process; negative: the signal that ended it."""
    message: str
    """Why it did not succeed."""
    pid: int | None
    pid_started: float | None
    """Seconds from the machine's start to the process's; with it a later run finds processes that a killed run left."""
    origin: Origin
    """What chose its values, and the code that it ran."""
    retried: Retried = NOT_RETRIED
    """Why it was started again."""
    stopped_by: str = ""
    """The kind of the rule that ended it early; empty if none did."""

    @property
    def goes_on(self) -> bool:
        """Whether it can go on in its output folder: it waits at a rung, or it was cut short after that."""
        return self.state == "Paused" or (self.state not in FINISHED and self.retried.promoted > 0)

    def text(self, name: str) -> str:
        """Returns the text of a hyperparameter, or of a searched key in one; empty if the trial did not get it."""
        if name in self.assignment:
            return self.assignment[name]
        value = self.point.get(name, "")
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

    def shown(self, name: str) -> str:
        """Returns the value of a hyperparameter for a reader: the text that the trial got, unless that is encoded.

        Args:
            name: Its dotted name.
        """
        text = self.text(name)
        if name not in self.point or name in self.retried.proposed:
            return text
        value = self.point[name]
        if isinstance(value, str):
            return value
        return text if _is_json_of(text, value) else json.dumps(value, ensure_ascii=False)

    def given(self, name: str) -> str:
        """Returns the text of a hyperparameter for a script: the text that the trial got, unless that is encoded.

        Args:
            name: Its dotted name.
        """
        text = self.text(name)
        is_known = text == self.point.get(name) or _is_json_of(text, self.point.get(name))
        return text if is_known else self.shown(name)


def _is_json_of(text: str, value: Any) -> bool:
    try:
        read = json.loads(text)
    except ValueError:
        return False
    return bool(read == value) and isinstance(read, bool) == isinstance(value, bool)


class TrialStart(NamedTuple):
    """The start of a trial."""

    number: int
    attempt: int
    assignment: dict[str, str]
    point: dict[str, Any]
    started: str
    origin: Origin
    pid: int | None = None
    pid_started: float | None = None
    retried: Retried = NOT_RETRIED
    goes_on: bool = False
    """Whether it goes on where it has waited."""


class TrialEnd(NamedTuple):
    """The end of a trial."""

    state: State
    metrics: dict[str, MetricValues]
    objective: float | None
    ended: str
    duration: float
    exit_code: int | None
    message: str = ""
    retried: Retried = NOT_RETRIED
    stopped_by: str = ""
