"""Problems that several engines have. Each engine says why it has one, and what follows."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from kftune.katib.engines.search import Outcome, ParameterSpec, Problem, Range, Search

# From this many trials on, the difference between two distributions is visible.
_ENOUGH_TRIALS = 100


class Fault(NamedTuple):
    """A kind of problem with a parameter.

    Attributes:
        code: The code of lint's rule.
        outcome: The usual outcome.
        field: Where the problem is: a field of the feasibleSpace, or of the parameter.
        text: The message, with fields of the parameter `p` and the reason `why`.
    """

    code: str
    outcome: Outcome
    field: str
    text: str

    def of(self, given: ParameterSpec | Range, why: str = "", outcome: Outcome | None = None) -> Problem:
        """Returns the problem with one parameter.

        Args:
            given: The parameter, or its range.
            why: Why the engine has the problem.
            outcome: The outcome, if it is not the usual one.
        """
        parameter = given.parameter if isinstance(given, Range) else given
        is_outside = self.field in ("name", "parameterType")
        path = (*parameter.path, self.field) if is_outside else parameter.at(self.field)
        return Problem(self.code, outcome or self.outcome, path, self.text.format(p=parameter, why=why))

    def seen(self, found: Range, share: float, why: str) -> Iterator[Problem]:
        """Yields the problem with a range if it is more likely than not to be seen.

        Args:
            found: The range.
            share: The share of draws that have the problem.
            why: Why the engine has it.
        """
        if found.search.shows(share):
            yield self.of(found, why)


INVERTED = Fault("KT202", "hangs", "min", "min {p.low} and max {p.high} of {p.name!r} are no range: {why}")
EMPTY_LIST = Fault("KT203", "hangs", "list", "the list of {p.name!r} is empty: {why}")
BAD_STEP = Fault("KT204", "hangs", "step", "step {p.step} of {p.name!r}: {why}")
LOG_OF_ZERO = Fault("KT205", "hangs", "min", "{p.name!r} from {p.low} to {p.high}: {why}")
MISSING = Fault(
    "KT206",
    "hangs",
    "distribution",
    "this engine does not know distribution {p.distribution} and leaves {p.name!r} out of every suggestion: Katib "
    "cannot create trials from them",
)
REFUSED = Fault(
    "KT206",
    "hangs",
    "distribution",
    "this engine refuses distribution {p.distribution} of {p.kind} {p.name!r}: every request for suggestions fails",
)
OTHER_DISTRIBUTION = Fault(
    "KT207", "advice", "distribution", "this engine draws {p.name!r} {why}, not {p.distribution}"
)
OFF_LATTICE = Fault("KT208", "wrong", "step", "values of {p.name!r} are not min + k * step: {why}")
OUT_OF_BOUNDS = Fault("KT209", "wrong", "max", "values of {p.name!r} leave [{p.low}, {p.high}]: {why}")
NOT_FINITE = Fault("KT211", "wrong", "min", "every trial gets {why!r} for {p.name!r}")
UNKNOWN_TYPE = Fault(
    "KT212",
    "hangs",
    "parameterType",
    "the webhook accepts parameterType {p.kind!r} of {p.name!r}, but no engine knows it",
)
EVERY_REQUEST = "every request for suggestions fails"
ASSIGNED_TWICE = "every suggestion assigns it twice, and Katib cannot create trials from them"
DOUBLED_NAME = Fault("KT213", "wrong", "name", "two parameters have the name {p.name!r}: {why}")
TOO_LARGE = Fault("KT220", "hangs", "step", "{p.name!r} has {why} values, which do not fit into the engine's memory")


def unreadable(parameter: ParameterSpec, field: str, what: str, outcome: Outcome) -> Problem:
    """Returns the problem that the engine cannot read a bound or a step.

    Args:
        parameter: The parameter.
        field: min, max or step.
        what: What the engine reads, such as "a number".
        outcome: fails if the settings check reads it, hangs if only requests do.
    """
    text = {"min": parameter.low, "max": parameter.high, "step": parameter.step}[field]
    end = "the Experiment fails" if outcome == "fails" else "every request for suggestions fails"
    message = f"{field} of {parameter.name!r} must be {what} for this engine, but is {text!r}: {end}"
    return Problem("KT201", outcome, parameter.at(field), message)


def ignored_distribution(found: Range, drawn: str) -> Iterator[Problem]:
    """Yields the problem that the engine draws another distribution, which is wrong if enough trials show it.

    Args:
        found: The range.
        drawn: The distribution that the engine draws.
    """
    if drawn == found.distribution or found.distribution == "unknown":
        return
    if math.isfinite(found.low) and math.isfinite(found.high) and found.low < found.high:
        is_seen = found.search.draws >= _ENOUGH_TRIALS and _is_visible(found, drawn)
        yield OTHER_DISTRIBUTION.of(found, drawn, "wrong" if is_seen else None)


def _is_visible(found: Range, drawn: str) -> bool:
    """Whether the two distributions differ on this range: few integers, or a narrow range, hide it."""
    if found.whole and found.high - found.low < 10:
        return False
    return "og" not in found.distribution + drawn or found.low <= 0 or found.high / found.low >= 10


def refused_setting(search: Search, name: str, rule: str) -> Problem:
    """Returns the problem that the settings check refuses a setting.

    Args:
        search: The search.
        name: The setting's name.
        rule: What must hold.
    """
    message = f"setting {name!r}: {rule}; the Experiment fails"
    return Problem("KT214", "fails", search.setting_path(name), message)


def breaking_setting(search: Search, name: str, consequence: str) -> Problem:
    """Returns the problem that a setting passes the settings check and breaks the engine later.

    Args:
        search: The search.
        name: The setting's name.
        consequence: What happens then.
    """
    message = f"setting {name!r} passes the engine's check, but {consequence}"
    return Problem("KT215", "hangs", search.setting_path(name), message)


def distance_in_steps(value: float, low: float, step: float) -> float:
    """Returns how far a value is from the nearest low + k * step.

    Args:
        value: The value.
        low: The first point.
        step: The distance of two points.

    Returns:
        A number of steps, from 0 to 0.5; 1 if that is not a finite number.
    """
    position = (value - low) / step
    return abs(position - round(position)) if math.isfinite(position) else 1.0
