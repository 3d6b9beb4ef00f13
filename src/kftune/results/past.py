"""What a study takes over from past trials: the best points to try first, and results for an algorithm that learns.

A past trial has all values that it ran with: searched values, fixed values, and the defaults of its class. So a
hyperparameter that is searched now may have been fixed then.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from kftune.errors import DomainError, HparamsError, KftuneError
from kftune.hparams.fields import Leaf
from kftune.results.origins import from_past
from kftune.results.pareto import Front, Score
from kftune.results.records import SCORED, Trial
from kftune.results.selection import ranked
from kftune.results.sources.hints import Hints
from kftune.results.sources.katib_objects import arguments_of
from kftune.results.trials import Trials
from kftune.study import Study

_MOST_SHOWN = 3


class PastPoint(NamedTuple):
    """A point that is tried first."""

    point: dict[str, Any]
    """The searched values, by dotted name."""
    origin: str
    """The trial that it comes from, as the algorithm of its origin."""


class Past(NamedTuple):
    """What a study takes over."""

    first: Sequence[PastPoint] = ()
    """What is tried first, the best one first."""
    told: Sequence[tuple[dict[str, Any], Score]] = ()
    """Points and their objectives, for an algorithm that learns."""
    notes: Sequence[str] = ()
    """What was taken over, and what was left out."""

    def to_text(self) -> str:
        """Returns this as the store of a study keeps it."""
        return json.dumps(self, ensure_ascii=False)

    @classmethod
    def from_text(cls, text: str) -> Past:
        """Returns what `to_text` has written."""
        first, told, notes = json.loads(text)
        return cls([PastPoint(*each) for each in first], [(point, tuple(score)) for point, score in told], notes)


NO_PAST = Past()
"""What a study without `start_from` takes over."""


def joined(parts: Sequence[Past]) -> Past:
    """Returns what several places give, in their order."""
    return Past(
        [point for each in parts for point in each.first],
        [result for each in parts for result in each.told],
        [note for each in parts for note in each.notes],
    )


class _Read(NamedTuple):
    """A past trial in the words of the present study."""

    trial: Trial
    place: str
    point: dict[str, Any] | None
    """None if it is outside of the present space."""
    why: str
    """Why it is."""
    whole: bool
    """Whether every value is one that the trial had."""
    differs: str
    """A hyperparameter that is not searched, and had another value."""
    score: Score | None
    """Its value of each objective of the study."""


def hints_of(study: Study, name: str | None) -> Hints:
    """Returns what a study says of past trials, where their file does not.

    Args:
        study: The study.
        name: The study in a storage that has several.
    """
    objective = study.objective
    return Hints(objective.metric, objective.direction, name, tuple(study.reductions), name_option="study: NAME")


def past_of(study: Study, given: Sequence[Trials], top: int, learn: bool | None) -> Past:
    """Returns what a study takes over from past trials.

    Args:
        study: The study.
        given: The past trials; of several studies, the points come first that are best for all.
        top: How many points are tried first.
        learn: Whether results are taken over: None takes those with the same values of what is not searched.
    """
    sources = [_Source(study, trials) for trials in given]
    found = [source.read() for source in sources]
    first = _first(study, [*_shared(study, given, found), *_in_turn(found)], top)
    results = [] if learn is False else [each for read in found for each in _by_number(read) if _counts(each, learn)]
    told = [(each.point, each.score) for each in results if each.point is not None and each.score is not None]
    points = [PastPoint(each.point or {}, from_past(each.place, each.trial.name)) for each in first]
    notes = [note for source in sources for note in source.notes()]
    return Past(points, told, [*notes, _about(found, first, len(told), learn)])


def _by_number(read: Sequence[_Read]) -> list[_Read]:
    return sorted(read, key=lambda each: each.trial.number)


def _counts(each: _Read, learn: bool | None) -> bool:
    return each.whole and (learn is True or not each.differs)


class _Source:
    """The trials of one past study in the words of the present one."""

    def __init__(self, study: Study, trials: Trials) -> None:
        self._study, self._trials = study, trials
        self._names = [objective.metric for objective in study.objectives]
        self._scored = [trial for trial in trials.trials() if trial.state in SCORED]
        self._scores = {trial.number: self._score(trial) for trial in self._scored}
        self._has_scores = any(score is not None for score in self._scores.values())
        meta = trials.meta
        given = {} if meta.experiment is None else arguments_of(meta.experiment)
        self._not_searched = {**given, **meta.compared.get("defaults", {}), **meta.fixed}

    def read(self) -> list[_Read]:
        """Returns the trials with a result, the best one first."""
        return [self._read(trial) for trial in self._best_first()]

    def notes(self) -> Iterator[str]:
        """Yields why results are not taken over."""
        if self._scored and not self._has_scores:
            yield (
                f"no trial of {self._trials.place} has a value of {' and '.join(self._names)}, so its own objective "
                f"{self._trials.meta.objective.name} says which points are best, and no result is taken over"
            )
        strange = sorted({name for trial in self._scored for name in trial.point if name not in self._study.leaves})
        if strange:
            hparams = self._study.hparams.__name__
            yield f"left out, because {hparams} has no such hyperparameter: {', '.join(strange[:_MOST_SHOWN])}"

    def _score(self, trial: Trial) -> Score | None:
        """Returns a trial's value of each objective of the present study; None if one is missing."""
        found = []
        for objective in self._study.objectives:
            values = trial.metrics.get(objective.metric)
            number = None if values is None else values.number(objective.reduction)
            if values is None and objective.metric == self._trials.meta.objective.name:
                number = trial.objective  # what some files have in place of metrics
            if number is None:
                return None
            found.append(number)
        return tuple(found)

    def _best_first(self) -> list[Trial]:
        """Returns the trials in the order of the present objectives, the Pareto set first, or of their own."""
        if not self._has_scores:
            return ranked(self._trials)
        front: Front[int] = Front([objective.direction for objective in self._study.objectives])
        sign = 1 if self._study.objective.direction == "minimize" else -1
        order = {}
        for number, score in self._scores.items():
            if score is not None:
                front.add(number, score)
                order[number] = sign * score[0]
        members = {*front.members()}
        known = [trial for trial in self._scored if trial.number in order]
        return sorted(known, key=lambda trial: (trial.number not in members, order[trial.number], trial.number))

    def _read(self, trial: Trial) -> _Read:
        study = self._study
        values = {**self._not_searched, **trial.point}
        point, problems = {}, []
        for name in study.space:
            leaf = study.leaves[name]
            if name in values:
                point[name], problem = _typed(leaf, values[name], trial)
                problems.append(problem)
            elif leaf.has_default:
                point[name] = leaf.jsonable(leaf.default)
            else:
                problems.append(f"{name} is not known, and has no default")
        why = next(filter(None, problems), "")
        if not why and point.keys().isdisjoint(values):
            why = "it has no value of a hyperparameter that is searched"
        if not why:
            point = study.active(point)
            why = self._outside(point)
        return _Read(
            trial=trial,
            place=self._trials.place,
            point=None if why else point,
            why=why,
            whole=point.keys() <= values.keys(),
            differs=_different(study, values, trial),
            score=self._scores.get(trial.number),
        )

    def _outside(self, point: Mapping[str, Any]) -> str:
        """Returns why a point is outside of the present space; empty if it is not."""
        for name, value in point.items():
            if not self._study.space[name].contains(value):
                return f"{name}={value!r} is not in {self._study.space[name]!r}"
        refusal = self._study.refusal(point) if self._study.restricted else None
        return "" if refusal is None else str(refusal)


def _typed(leaf: Leaf, value: Any, trial: Trial) -> tuple[Any, str]:
    """Returns a value as a field of the study has it, and why that is not possible."""
    try:
        return leaf.jsonable(leaf.decode(value) if isinstance(value, str) else leaf.typed(value)), ""
    except (HparamsError, DomainError) as error:
        problem = str(error)
    text = trial.text(leaf.name)  # a table's 1 may be a text
    try:
        return (leaf.jsonable(leaf.decode(text)), "") if text else (None, problem)
    except (HparamsError, DomainError):
        return None, problem


def _different(study: Study, values: Mapping[str, Any], trial: Trial) -> str:
    """Returns the first value that is not searched now and was another one then; empty if there is none."""
    now = {**study.defaults(), **study.fixed_values}
    for name, value in now.items():
        if name in study.space or name not in values:
            continue
        then, problem = _typed(study.leaves[name], values[name], trial)
        if problem or then != value:
            return f"{name} is {values[name]!r} there and {value!r} here"
    return ""


def _shared(study: Study, given: Sequence[Trials], found: Sequence[Sequence[_Read]]) -> Iterator[_Read]:
    """Yields the points of several past studies, the best one for all first."""
    if len(given) < 2:
        return
    from kftune.results.across import shared_order  # noqa: PLC0415  # most studies start from one

    try:
        order = shared_order(given, study.objective.metric)
    except KftuneError:  # they optimize something else, or different things
        return
    known = [{each.trial.name: each for each in read} for read in found]
    yield from (known[place][trial] for place, trial in order if trial in known[place])


def _in_turn(found: Sequence[Sequence[_Read]]) -> Iterator[_Read]:
    """Yields the best point of each past study, then the second best of each, and so on."""
    for place in range(max(map(len, found), default=0)):
        yield from (read[place] for read in found if place < len(read))


def _first(study: Study, order: Iterable[_Read], top: int) -> list[_Read]:
    """Returns the first points that the study can try, each once."""
    chosen: dict[str, _Read] = {}
    for each in order:
        if len(chosen) == top:
            break
        if each.point is not None:
            chosen.setdefault(json.dumps(study.assignment(each.point), sort_keys=True), each)
    return [*chosen.values()]


def _about(found: Sequence[Sequence[_Read]], first: Sequence[_Read], told: int, learn: bool | None) -> str:
    every = [each for read in found for each in read]
    outside = [each for each in every if each.point is None]
    parts = [f"{_count(len(first), 'point')} of {_count(len(every), 'past trial')} with a result tried first"]
    parts.append(f"{_count(told, 'result')} for an algorithm that learns")
    differ = Counter(each.differs for each in every if each.point is not None and each.differs)
    if differ and learn is None:
        (reason, _) = differ.most_common(1)[0]
        parts.append(
            f"{_count(sum(differ.values()), 'result')} not taken over, since {reason} (learn: true takes them)"
        )
    incomplete = sum(1 for each in every if each.point is not None and not each.whole)
    if incomplete and learn is not False:
        parts.append(f"{_count(incomplete, 'result')} not taken over, since values are missing")
    if outside:
        shown = "; ".join(f"{each.trial.name}: {each.why}" for each in outside[:_MOST_SHOWN])
        more = "; …" if len(outside) > _MOST_SHOWN else ""
        parts.append(f"{_count(len(outside), 'point')} left out as outside of the present space ({shown}{more})")
    return "; ".join(parts)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
