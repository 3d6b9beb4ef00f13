"""`hyperband`: Katib's own.

Source: katib v0.19.0, pkg/suggestion/v1beta1/hyperband; recorded runs of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import ClassVar, NamedTuple

from kftune.katib.engines import problems
from kftune.katib.engines.engine import Engine, StudySearch, half_ends
from kftune.katib.engines.search import ParameterSpec, Problem, Range, Search
from kftune.katib.engines.settings import FINITE_ABOVE_0, Setting, Settings, Values, number
from kftune.katib.go.numbers import python_float, python_int

# A first bracket of nearly all trials gives nearly all results.
_NEARLY_ALL = 1.05


class _Bracket(NamedTuple):
    """The first bracket: r_l is the most of the resource that a trial may get, 1 / eta the share that is promoted."""

    most: float
    eta: float

    @property
    def rungs(self) -> int:
        """How often a trial may be promoted. 243 and 3 make 4, as the engine rounds."""
        return int(math.log(self.most) / math.log(self.eta)) if self.eta != 1 else 0

    @property
    def trials(self) -> int:
        """The number of trials."""
        return math.ceil(self.eta**self.rungs)

    @property
    def resource(self) -> int:
        """What each trial gets of the resource."""
        return int(self.most * self.eta**-self.rungs)

    @property
    def checked(self) -> _Bracket:
        """The bracket with which the number of trials is checked: eta is its whole part, or 3."""
        return self._replace(eta=float(int(self.eta)) if int(self.eta) > 0 else 3.0)


class Hyperband(Engine):
    """`hyperband`."""

    summary = "successive halving in brackets; on Katib only the first one"
    settings: ClassVar[Settings] = {
        "r_l": Setting(
            FINITE_ABOVE_0, required=True, meaning="The most of the resource that one trial gets, such as 27 epochs."
        ),
        "eta": Setting(
            number("a number of at least 2", lambda value: 2 <= value < math.inf),
            checked=number("a number of at least 2", lambda value: math.isfinite(value) and int(value) != 1),
            meaning="One of eta trials goes on with eta times the resource; 3 without it.",
        ),
        "resource_name": Setting(
            Values("a parameter's name", str, lambda _: True, str),
            required=True,
            meaning="The searched hyperparameter that is the resource, such as `epochs`; hyperband sets it.",
        ),
    }
    strict = False
    orderless = True
    discrete = "categorical"
    shown = False

    def _refusals(self, search: Search) -> Iterator[Problem]:
        refused = next(super()._refusals(search), None)
        if refused is not None:
            yield refused
            return
        checked = _bracket_of(search).checked
        if search.parallel < checked.trials:
            message = (
                f"parallelTrialCount must be at least {checked.trials} with r_l {checked.most:g} and eta "
                f"{checked.eta:g}, but is {search.parallel}: the Experiment fails"
            )
            yield Problem("KT222", "fails", ("spec", "parallelTrialCount"), message)
        if search.setting("resource_name") not in {parameter.name for parameter in search.parameters}:
            yield problems.refused_setting(search, "resource_name", "it must be the name of a parameter")

    def _later_problems(self, search: Search) -> Iterator[Problem]:
        yield from super()._later_problems(search)
        for name in ("r_l", "eta"):
            earlier = next((text for other, text in search.settings if other == name), None)
            if earlier is not None and python_float(earlier) is None:
                yield problems.breaking_setting(search, name, f"the engine uses the first of two values, {earlier!r}")
        yield from _bracket_problems(search)

    def _doubled_name(self, search: Search, parameter: ParameterSpec, first: ParameterSpec) -> Problem:
        return problems.DOUBLED_NAME.of(parameter, "every request for suggestions fails", "hangs")

    def parameter_problems(self, search: Search, parameter: ParameterSpec) -> Iterator[Problem]:
        if parameter.name == search.setting("resource_name"):
            yield from _resource_problems(search, parameter)
        else:
            yield from super().parameter_problems(search, parameter)

    def _list_problems(self, search: Search, parameter: ParameterSpec) -> Iterator[Problem]:
        yield from super()._list_problems(search, parameter)
        if parameter.kind == "categorical":
            return
        for index, text in enumerate(parameter.items):
            if python_int(text) is None:
                message = f"hyperband reads discrete values as integers, but {text!r} is not one: every request fails"
                yield Problem("KT201", "hangs", (*parameter.at("list"), index), message)
                return
        changed = [text for text in parameter.items if str(python_int(text)) != text]
        if changed and search.shows(len(changed) / len(parameter.items)):
            message = f"hyperband writes {changed[0]!r} of {parameter.name!r} as {str(python_int(changed[0]))!r}"
            yield Problem("KT208", "wrong", parameter.at("list"), message)

    def _reads_step(self, parameter: ParameterSpec) -> bool:
        return False

    def _range_problems(self, found: Range) -> Iterator[Problem]:
        low, high = found.low, found.high
        if not found.whole and not math.isfinite(high - low):
            yield problems.INVERTED.of(found, "the engine needs a finite range, every request fails")
        elif low > high:
            yield from problems.OUT_OF_BOUNDS.seen(found, 1, "they are drawn between max and min")
        else:
            step = python_float(found.parameter.step)
            if step is not None and step > (1 if found.whole else 0) and math.isfinite(step) and high > low:
                share = _share_off(int(low), int(high), step) if found.whole else 1
                yield from problems.OFF_LATTICE.seen(found, share, "hyperband ignores steps")
            yield from problems.ignored_distribution(found, "uniform")

    def uneven(self, found: Range) -> str | None:
        return half_ends(found) if found.whole else None

    def study_problem(self, study: StudySearch) -> str | None:
        name, most = str(study.settings["resource_name"]), study.settings["r_l"]
        domain = study.space.get(name)
        if domain is None or domain.size == 1:
            why = f"only {', '.join(study.space)} are" if domain is None else "it has one value"
            return (
                f"hyperband of Katib sets its resource {name!r} itself, so that must be searched, but {why}; give "
                f"{name} a domain, for example {{int: [1, 27]}}"
            )
        if most < 1:
            return f"hyperband needs r_l of at least 1, but got {most}"
        bracket = _Bracket(float(most), float(study.settings.get("eta", 3)))
        trials, resource = max(bracket.trials, bracket.checked.trials), bracket.resource
        if not study.max_trials == study.parallel >= trials:
            return (
                f"hyperband of Katib {study.version} never gets past its first bracket of {trials} trials; it hangs "
                f"with max_trials={study.max_trials} and parallel={study.parallel}; set both to {trials}, or "
                f"algorithm.name to multivariate-tpe"
            )
        if not domain.contains(resource):
            return (
                f"hyperband would set {name} to {resource} in its first bracket, which is not in {domain!r}; change "
                f"that domain or r_l"
            )
        return None

    def study_notes(self, study: StudySearch) -> Iterator[str]:
        bracket = _Bracket(float(study.settings["r_l"]), float(study.settings.get("eta", 3)))
        value = f"{study.settings['resource_name']}={bracket.resource}"
        yield f"Katib's hyperband ends after its first bracket: every trial runs with {value}"


ENGINES = {"hyperband": Hyperband()}


def _bracket_of(search: Search) -> _Bracket:
    """Returns the first bracket as the engine runs it."""
    most = python_float(search.setting("r_l") or "") or 1.0
    eta = python_float(search.setting("eta") or "3") or 3.0
    return _Bracket(most, 3.0 if eta <= 0 else eta)


def _bracket_problems(search: Search) -> Iterator[Problem]:
    bracket = _bracket_of(search)
    if bracket.eta < 1:
        yield problems.breaking_setting(search, "eta", "the engine gives no suggestion with an eta below 1")
    elif search.most is not None and search.parallel + 1 < search.most <= search.parallel * _NEARLY_ALL:
        message = (
            f"hyperband gives the first {search.parallel} suggestions and hardly any after them: the last trials are "
            "never created, and the Experiment stays Running; set maxTrialCount to parallelTrialCount"
        )
        yield Problem("KT222", "wrong", ("spec", "maxTrialCount"), message)
    elif search.most is None or search.most > search.parallel + (1 if bracket.rungs > 0 else 0):
        message = (
            "only the first bracket runs: after it hyperband always gives fewer suggestions than Katib asks for; set "
            "maxTrialCount to parallelTrialCount"
        )
        yield Problem("KT222", "hangs", ("spec", "maxTrialCount"), message)
    else:
        name = search.setting("resource_name")
        message = f"no trial is promoted: this is a random search in which every trial gets {name} = {bracket.resource}"
        yield Problem("KT238", "advice", search.setting_path("r_l"), message)


def _resource_problems(search: Search, parameter: ParameterSpec) -> Iterator[Problem]:
    """Yields a problem if the budget that the engine sends is outside the parameter's space."""
    bracket = _bracket_of(search)
    if bracket.eta < 1:
        return
    value = bracket.resource
    low, high = python_float(parameter.low), python_float(parameter.high)
    if parameter.is_list:
        fits = str(value) in parameter.items
    else:
        fits = low is None or high is None or low <= value <= high
        step = python_float(parameter.step) if parameter.step else None
        if fits and step is not None and step > 0 and low is not None:
            fits = problems.distance_in_steps(value, low, step) < 1e-6
    if not fits:
        message = f"the first bracket trains with {parameter.name} = {value}, which is outside the parameter's space"
        yield Problem("KT223", "wrong", parameter.at(), message)


def _share_off(low: int, high: int, step: float) -> float:
    """Returns the share of integers that are not low + k * step."""
    on = len(range(low, high + 1, int(step))) if step == int(step) else 1
    return 1 - max(on - 1, 0.5) / (high - low)
