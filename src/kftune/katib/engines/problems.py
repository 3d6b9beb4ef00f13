"""Problems that several engines have, each with the consequence in one engine."""

from __future__ import annotations

import math
from collections.abc import Iterator

from kftune.katib.engines.search import ENOUGH_TRIALS, Numbers, Outcome, ParameterSpec, Problem, Search
from kftune.katib.go.numbers import python_float


def unreadable(parameter: ParameterSpec, field: str, text: str, what: str, outcome: Outcome) -> Problem:
    """Reports a bound or step that the engine cannot read.

    Args:
        parameter: The parameter.
        field: min, max or step.
        text: The text of that field.
        what: What the engine reads, such as "a number".
        outcome: fails if the settings check reads it, hangs if only requests do.
    """
    given = f"{text!r}" if text else "nothing"
    end = "the Experiment fails" if outcome == "fails" else "every request for suggestions fails"
    message = f"{field} of {parameter.name!r} must be {what} for this engine, but is {given}: {end}"
    return Problem("KT201", outcome, parameter.at(field), message)


def inverted(parameter: ParameterSpec, rule: str, outcome: Outcome = "hangs") -> Problem:
    """Reports bounds that the engine refuses."""
    message = f"min {parameter.low} and max {parameter.high} of {parameter.name!r} are no range: {rule}"
    return Problem("KT202", outcome, parameter.at("min"), message)


def empty_list(parameter: ParameterSpec) -> Problem:
    """Reports a list without items."""
    message = f"the list of {parameter.name!r} is empty: every request for suggestions fails"
    return Problem("KT203", "hangs", parameter.at("list"), message)


def bad_step(parameter: ParameterSpec, outcome: Outcome, rule: str) -> Problem:
    """Reports a step that is zero, negative or not finite."""
    message = f"step {parameter.step} of {parameter.name!r}: {rule}"
    return Problem("KT204", outcome, parameter.at("step"), message)


def log_of_zero(parameter: ParameterSpec, rule: str) -> Problem:
    """Reports a logarithm of zero or less."""
    end = "max" if parameter.high and not (python_float(parameter.high) or 0) > 0 else "min"
    message = f"{parameter.name!r} from {parameter.low} to {parameter.high}: {rule}"
    return Problem("KT205", "hangs", parameter.at(end), message)


def missing_parameter(parameter: ParameterSpec) -> Problem:
    """Reports a distribution for which the engine leaves the parameter out."""
    message = (
        f"this engine does not know distribution {parameter.distribution} and leaves {parameter.name!r} out of every "
        "suggestion: Katib cannot create trials from them"
    )
    return Problem("KT206", "wrong", parameter.at("distribution"), message)


def ignored_distribution(search: Search, parameter: ParameterSpec, numbers: Numbers, drawn: str) -> Iterator[Problem]:
    """Reports a distribution that the engine ignores: wrong if there are enough trials to notice it, advice if not.

    Args:
        search: The whole search.
        parameter: The parameter.
        numbers: Its range.
        drawn: The distribution that the engine draws.
    """
    if drawn == numbers.distribution or numbers.distribution == "unknown" or not _is_range(numbers):
        return
    outcome: Outcome = "wrong" if search.draws >= ENOUGH_TRIALS and _is_visible(numbers, drawn) else "habit"
    message = f"this engine draws {parameter.name!r} {drawn}, not {numbers.distribution}"
    yield Problem("KT207", outcome, parameter.at("distribution"), message)


def _is_range(numbers: Numbers) -> bool:
    return math.isfinite(numbers.low) and math.isfinite(numbers.high) and numbers.low < numbers.high


def _is_visible(numbers: Numbers, drawn: str) -> bool:
    """Whether the two distributions differ on this range: few integers, or a narrow range, hide it."""
    if numbers.whole and numbers.high - numbers.low < 10:
        return False
    logarithmic = "og" in numbers.distribution + drawn
    return not logarithmic or numbers.low <= 0 or numbers.high / numbers.low >= 10


def off_lattice(search: Search, parameter: ParameterSpec, share: float, why: str) -> Iterator[Problem]:
    """Reports values that are not min + k * step.

    Args:
        search: The whole search.
        parameter: The parameter.
        share: Their share of the draws. Nothing is reported if it is too small to be seen.
        why: Why the engine draws them.
    """
    if happens(share, search.draws):
        message = f"values of {parameter.name!r} are not min + k * step: {why}"
        yield Problem("KT208", "wrong", parameter.at("step"), message)


def out_of_bounds(search: Search, parameter: ParameterSpec, share: float, why: str) -> Iterator[Problem]:
    """Reports values outside the bounds.

    Args:
        search: The whole search.
        parameter: The parameter.
        share: Their share of the draws. Nothing is reported if it is too small to be seen.
        why: Why the engine draws them.
    """
    if happens(share, search.draws):
        message = f"values of {parameter.name!r} leave [{parameter.low}, {parameter.high}]: {why}"
        yield Problem("KT209", "wrong", parameter.at("max"), message)


def not_finite(parameter: ParameterSpec, value: str) -> Problem:
    """Reports a value that is not a finite number."""
    message = f"every trial gets {value!r} for {parameter.name!r}"
    return Problem("KT211", "wrong", parameter.at("min"), message)


def unknown_kind(parameter: ParameterSpec, outcome: Outcome) -> Problem:
    """Reports a parameter type that no engine knows."""
    message = f"the webhook accepts parameterType {parameter.kind!r} of {parameter.name!r}, but no engine knows it"
    return Problem("KT212", outcome, (*parameter.path, "parameterType"), message)


def doubled_name(parameter: ParameterSpec, outcome: Outcome, rule: str) -> Problem:
    """Reports a name that two parameters have."""
    message = f"two parameters have the name {parameter.name!r}: {rule}"
    return Problem("KT213", outcome, (*parameter.path, "name"), message)


def refused_setting(search: Search, name: str, rule: str) -> Problem:
    """Reports a setting that the settings check refuses."""
    message = f"setting {name!r}: {rule}; the Experiment fails"
    return Problem("KT214", "fails", search.setting_path(name), message)


def breaking_setting(search: Search, name: str, consequence: str) -> Problem:
    """Reports a setting that passes the settings check and breaks the engine later."""
    message = f"setting {name!r} passes the engine's check, but {consequence}"
    return Problem("KT215", "hangs", search.setting_path(name), message)


def ignored_setting(search: Search, name: str) -> Problem:
    """Reports a setting that the engine ignores."""
    message = f"{search.algorithm} has no setting {name!r} and ignores it"
    return Problem("KT216", "habit", search.setting_path(name), message)


def no_parameters() -> Problem:
    """Reports a search without parameters."""
    return Problem("KT226", "hangs", ("spec", "parameters"), "there are no parameters to search")


def no_suggestions(search: Search) -> Problem:
    """Reports that the engine is asked for no suggestion."""
    message = f"{search.algorithm} cannot be asked for 0 suggestions"
    return Problem("KT227", "hangs", ("spec", "parallelTrialCount"), message)


def happens(share: float, draws: int) -> bool:
    """Returns whether something with this share of the draws is more likely than not to be seen."""
    if share <= 0:
        return False
    return share >= 1 or 1 - (1 - share) ** draws > 0.5


def distance_in_steps(value: float, low: float, step: float) -> float:
    """Returns how far a value is from the nearest low + k * step, in steps."""
    position = (value - low) / step
    return abs(position - round(position)) if math.isfinite(position) else 1.0
