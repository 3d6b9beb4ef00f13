"""What must hold between the stopping rules of a study and its other parts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from kftune.errors import suggestion
from kftune.spec.part import PartError
from kftune.stopping import Rule, TrialRule
from kftune.stopping.rules import key_of


def check_stopping(
    rules: Sequence[Rule],
    objectives: Sequence[str],
    metrics: Collection[str],
    budget: Collection[str] = (),
) -> None:
    """Checks that the rules fit the study.

    Args:
        rules: The study's rules.
        objectives: The names of the objectives.
        metrics: The names of all metrics, the objectives included.
        budget: Which of the rules the study's budget has too.

    Raises:
        PartError: They do not.
    """
    keys = [key_of(rule) for rule in rules]
    for place, (key, rule) in enumerate(zip(keys, rules, strict=True)):
        path = ("stopping", key) if keys.count(key) == 1 else ("stopping", place, key)
        watched = rule.watches if isinstance(rule, TrialRule) else None
        if watched == objectives[0]:
            raise PartError(f"{watched} is the objective, which {key} watches without a metric", (*path, "metric"))
        _check_known([watched] if watched else [], metrics, (*path, "metric"), at_key=False)
        if key == "target":
            _check_known(getattr(rule, "metrics", {}), metrics, (*path, "metrics"), at_key=True)
        min_delta: float = getattr(rule, "min_delta", 0.0) if key == "no_improvement" else 0.0
        if len(objectives) > 1 and min_delta:
            raise PartError(
                f"min_delta is a change of one objective, but the study has {len(objectives)}: a trial is better if it "
                f"brings something new into the Pareto set; remove min_delta",
                (*path, "min_delta"),
            )
        if key in budget:
            raise PartError(f"budget.{key} is given too, which means the same; remove one of them", path)
    for kind in ("wall_clock", "target"):
        if keys.count(kind) > 1:
            raise PartError(f"{kind} is given {keys.count(kind)} times; a study has one", ("stopping",))


def wall_clock_of(rules: Iterable[Rule], budget: float | None) -> float | None:
    """Returns the longest duration of a study in seconds, from its budget or its rules; None if there is none.

    Args:
        rules: The study's rules.
        budget: The budget's wall clock.
    """
    limits = [getattr(rule, "limit", None) for rule in rules if key_of(rule) == "wall_clock"]
    return limits[0] if limits else budget


def _check_known(
    given: Iterable[str] | Mapping[str, object], known: Collection[str], path: tuple[str | int, ...], *, at_key: bool
) -> None:
    for name in given:
        if name not in known:
            raise PartError(
                f"the study has no metric {name!r}, so it is not read; {suggestion(name, known)} (metrics lists them)",
                (*path, name) if at_key else path,
                at_key=at_key,
            )
