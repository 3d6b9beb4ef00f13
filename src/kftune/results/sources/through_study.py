"""Types the values of trials through the class of a study: what a file or a cluster has of them is text."""

from __future__ import annotations

from typing import Any

from kftune.errors import DomainError, HparamsError
from kftune.results.records import Aim, TrackedMetric, Trial
from kftune.results.trials import Recorded, Trials
from kftune.spec.labels import ENTITY_LABEL
from kftune.study import Study

_MOST_NOTES = 3


def entity_of(trials: Trials) -> str | None:
    """Returns the name of the entity that an Experiment was rendered for; None if it was for none.

    Args:
        trials: The trials of the Experiment, or others.
    """
    metadata = (trials.meta.experiment or {}).get("metadata") or {}
    name = (metadata.get("annotations") or {}).get(ENTITY_LABEL)
    return None if name is None else str(name)


def through_study(trials: Trials, study: Study) -> Trials:
    """Returns trials with the values and texts that a local run of the study would have recorded.

    A value that the class refuses stays as it is, and a note names it.

    Args:
        trials: The trials.
        study: The study that they are of; with entities, that of their entity. A folder of results has its values
            already.
    """
    if trials.folder is not None:
        return trials
    notes = list(trials.notes)
    space = {name: domain.to_spec() for name, domain in study.space.items()}
    meta = trials.meta._replace(fixed=study.fixed_values, space=space, compared=study.compared())
    names = [objective.metric for objective in study.objectives]
    known = {metric.name for metric in trials.meta.metrics}
    if known >= {*names}:
        rest = [metric for metric in trials.meta.metrics if metric.name not in study.reductions]
        tracked = [TrackedMetric(name, how) for name, how in study.reductions.items() if name in known]
        meta = meta._replace(
            metrics=(*tracked, *rest),
            direction=study.objective.direction,
            goal=study.objective.goal,
            more_objectives=tuple([Aim(other.direction, other.goal) for other in study.objectives[1:]]),
        )
    else:
        notes.append(
            f"the study {study.name} optimizes {', '.join(names)}, but these trials have only "
            f"{', '.join(sorted(known))}; their own objective counts"
        )
    strange = sorted({name for trial in trials.trials() for name in trial.point if name not in study.leaves})
    if strange:
        notes.append(f"left out, because the study {study.name} has no such hyperparameter: {', '.join(strange)}")
    problems: list[str] = []
    typed = [_typed(trial, study, meta.objective, problems) for trial in trials.trials()]
    notes += problems[:_MOST_NOTES]
    if len(problems) > _MOST_NOTES:
        notes.append(f"and {len(problems) - _MOST_NOTES} more values that the class refuses")
    curves: dict[int, dict[str, Any]] = {}
    for number, metric, curve in trials.all_curves():
        curves.setdefault(number, {})[metric] = curve
    return Recorded(
        meta,
        typed,
        place=trials.place,
        curves=curves,
        reason=trials.reason(),
        targets=trials.targets(),
        active_seconds=trials.active_seconds(),
        counts=trials.counts(),
        notes=notes,
    )


def _typed(trial: Trial, study: Study, objective: TrackedMetric, problems: list[str]) -> Trial:
    values = {name: value for name, value in trial.point.items() if name in study.leaves}
    before = len(problems)
    point = study.active({name: _value(trial, name, value, study, problems) for name, value in values.items()})
    known = {name: value for name, value in point.items() if name in study.space}
    texts = {name: trial.text(name) for name in known}
    assignment = study.assignment(known) if len(problems) == before else texts
    reported = trial.metrics.get(objective.name)
    return trial._replace(
        point=known,
        assignment=assignment,
        objective=None if trial.objective is None or reported is None else reported.number(objective.reduce),
    )


def _value(trial: Trial, name: str, value: Any, study: Study, problems: list[str]) -> Any:
    leaf = study.leaves[name]
    try:
        return leaf.jsonable(leaf.decode(value) if isinstance(value, str) else leaf.typed(value))
    except (HparamsError, DomainError) as error:
        problem = error
    try:  # a table's 1 may be a text; the text of an encoded value is another number
        if _says(trial.text(name), value):
            return leaf.jsonable(leaf.decode(trial.text(name)))
    except (HparamsError, DomainError):
        pass
    problems.append(f"trial {trial.name}: {problem}")
    return value


def _says(text: str, value: Any) -> bool:
    """Returns whether a text is that of a value."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return text.lower() == str(value).lower()
    try:
        return float(text) == value
    except ValueError:
        return False
