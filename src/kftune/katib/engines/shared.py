"""Problems that several engines have in the same way, each told with the engine's own consequence."""

from __future__ import annotations

import math
from collections.abc import Iterator

from kftune.katib.engines.space import TELLING_TRIALS, Outcome, Parameter, Problem, Search


def unreadable(parameter: Parameter, field: str, text: str, what: str, outcome: Outcome = "hangs") -> Problem:
    """A bound or step that the engine cannot read."""
    shown = {"min": "min", "max": "max", "step": "step"}[field]
    given = f"{text!r}" if text else "nothing"
    end = "the Experiment fails at once" if outcome == "fails" else "every request for suggestions fails"
    message = f"{shown} of {parameter.name!r} must be {what} to this engine, and is {given}: {end}"
    return Problem("KT201", outcome, parameter.at(field), message)


def inverted(parameter: Parameter, rule: str, outcome: Outcome = "hangs") -> Problem:
    """Bounds that the engine refuses."""
    message = f"min {parameter.low} and max {parameter.high} of {parameter.name!r} give no range: {rule}"
    return Problem("KT202", outcome, parameter.at("min"), message)


def empty_list(parameter: Parameter) -> Problem:
    """A list without items."""
    message = f"the list of {parameter.name!r} is empty: every request for suggestions fails"
    return Problem("KT203", "hangs", parameter.at("list"), message)


def bad_step(parameter: Parameter, outcome: Outcome, rule: str) -> Problem:
    """A step that is zero, negative or not finite."""
    message = f"step {parameter.step} of {parameter.name!r}: {rule}"
    return Problem("KT204", outcome, parameter.at("step"), message)


def log_of_nothing(parameter: Parameter, rule: str) -> Problem:
    """A logarithm of zero or less."""
    end = "max" if parameter.high and not _is_positive(parameter.high) else "min"
    message = f"{parameter.name!r} from {parameter.low} to {parameter.high}: {rule}"
    return Problem("KT205", "hangs", parameter.at(end), message)


def missing_parameter(parameter: Parameter) -> Problem:
    """A distribution for which the engine leaves the parameter out."""
    message = (
        f"distribution {parameter.distribution} is unknown to this engine, which leaves {parameter.name!r} out of "
        "every suggestion: no trial can be made of it"
    )
    return Problem("KT206", "wrong", parameter.at("distribution"), message)


def ignored_distribution(search: Search, parameter: Parameter, drawn: str) -> Iterator[Problem]:
    """A distribution that the engine does not honour; told as wrong when there are trials enough to see it."""
    if drawn == parameter.distribution or parameter.distribution == "unknown":
        return
    low, high = _number(parameter.low), _number(parameter.high)
    if low is None or high is None or not low < high:
        return
    outcome: Outcome = "wrong" if search.draws >= TELLING_TRIALS and _tells(parameter, low, high, drawn) else "advice"
    message = f"this engine draws {parameter.name!r} {drawn}, and {parameter.distribution} is asked for"
    yield Problem("KT207", outcome, parameter.at("distribution"), message)


def _tells(parameter: Parameter, low: float, high: float, drawn: str) -> bool:
    """Whether the two distributions differ on this range: a few integers, or a narrow range, look alike."""
    if parameter.kind == "int" and high - low < 10:
        return False
    return "og" not in parameter.distribution + drawn or low <= 0 or high / low >= 10


def off_lattice(search: Search, parameter: Parameter, share: float, what: str) -> Iterator[Problem]:
    """Values beside the lattice that min and step describe, when that share of draws has them."""
    if happens(share, search.draws):
        message = f"values of {parameter.name!r} leave min + k * step: {what}"
        yield Problem("KT208", "wrong", parameter.at("step"), message)


def out_of_bounds(search: Search, parameter: Parameter, share: float, what: str) -> Iterator[Problem]:
    """Values outside of the bounds, when that share of draws has them."""
    if happens(share, search.draws):
        message = f"values of {parameter.name!r} leave [{parameter.low}, {parameter.high}]: {what}"
        yield Problem("KT209", "wrong", parameter.at("max"), message)


def not_finite(parameter: Parameter, value: str) -> Problem:
    """A value that is no number to compute with."""
    message = f"every trial gets {value!r} for {parameter.name!r}"
    return Problem("KT211", "wrong", parameter.at("min"), message)


def unknown_kind(parameter: Parameter, outcome: Outcome = "hangs") -> Problem:
    """A parameter type that no engine knows."""
    message = f"parameterType {parameter.kind!r} of {parameter.name!r} passes the webhook, and no engine knows it"
    return Problem("KT212", outcome, (*parameter.path, "parameterType"), message)


def doubled_name(parameter: Parameter, outcome: Outcome, rule: str) -> Problem:
    """A name that two parameters have."""
    message = f"two parameters are called {parameter.name!r}: {rule}"
    return Problem("KT213", outcome, (*parameter.path, "name"), message)


def refused_setting(search: Search, name: str, rule: str) -> Problem:
    """A setting that the engine's check refuses, which fails the Experiment."""
    message = f"setting {name!r}: {rule}; the Experiment fails at once"
    return Problem("KT214", "fails", search.setting_path(name), message)


def breaking_setting(search: Search, name: str, rule: str) -> Problem:
    """A setting that passes the check and breaks the engine later."""
    message = f"setting {name!r} passes the check, then {rule}"
    return Problem("KT215", "hangs", search.setting_path(name), message)


def no_parameters() -> Problem:
    """A search without parameters."""
    return Problem("KT226", "hangs", ("spec", "parameters"), "there is no parameter to search")


def happens(share: float, draws: int) -> bool:
    """Whether something with this share of draws is more likely than not to be seen."""
    if share <= 0:
        return False
    return share >= 1 or 1 - (1 - share) ** draws > 0.5


def lattice_index(value: float, low: float, step: float) -> float:
    """How far a value is from the nearest point of a lattice, in steps."""
    position = (value - low) / step
    return abs(position - round(position)) if math.isfinite(position) else 1.0


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _is_positive(text: str) -> bool:
    value = _number(text)
    return value is not None and value > 0
