"""`cmaes` and `sobol`: goptuna 0.8.0 behind Katib's suggestion service.

Its check answers INTERNAL to numbers that it cannot read. Katib takes that for success; then every request fails.

Source: katib v0.19.0, pkg/suggestion/v1beta1/goptuna; goptuna 0.8.0; recorded runs of both. For Katib's main
branch: pull request 2689, read.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import ClassVar

from kftune.katib.engines import problems
from kftune.katib.engines.engine import Draw, Engine, NumberReader, StudySearch, lattice
from kftune.katib.engines.search import Problem, Range, Search, doubled_names
from kftune.katib.engines.settings import ANY, SEED, Setting, Settings, Values, number
from kftune.katib.go.numbers import go_float, go_int, positional

_HANGS = "every request for suggestions fails"
_NEVER_MAX = problems.Fault("KT228", "advice", "max", "sobol rounds down, so {p.name!r} is never {p.high}")


class Goptuna(Engine):
    """Both algorithms."""

    strict = False
    needs_parameters = True
    _order: ClassVar[str] = f"min is above max, {_HANGS}"
    whole = NumberReader(go_int, "an integer such as 10, not 10.0, 1e1 or ' 10'")
    real = NumberReader(go_float, "a number such as 0.1, without blanks")

    def _refusals(self, search: Search) -> Iterator[Problem]:
        for parameter, _ in doubled_names(search.parameters):
            yield problems.DOUBLED_NAME.of(parameter, "the Experiment fails", "fails")

    def _range_problems(self, found: Range) -> Iterator[Problem]:
        bad = problems.REFUSED.of(found) if _is_refused(found) else self._bounds_problem(found)
        if bad is not None:
            yield bad
            return
        if not found.whole and found.step is not None and found.step > 0:
            yield from _overshoot(found, (found.high - found.low) / found.step)
        yield from self._distribution_problems(found)

    def _needs_width(self, search: Search) -> bool:
        """Returns whether max must be above min, and not the same."""
        return False

    def _distribution_problems(self, found: Range) -> Iterator[Problem]:
        """Yields what goes wrong with the distribution."""
        return problems.ignored_distribution(found, "logUniform" if _draws_logarithms(found) else "uniform")

    def ends(self, found: Range) -> tuple[float, float]:
        """Returns the least and the greatest value that it writes: low + k * step, in floating point."""
        if found.step is None:
            return super().ends(found)
        return found.low, found.low + round((found.high - found.low) / found.step) * found.step

    def text(self, value: float) -> str:
        """Returns the text in which it writes a double, never with an exponent."""
        return positional(value)

    def _bounds_problem(self, found: Range) -> Problem | None:
        low, high, step = found.low, found.high, found.step
        if math.isnan(low) or math.isnan(high) or math.isinf(low):
            return problems.INVERTED.of(found, "the engine needs finite bounds, the second batch fails")
        if low > high or (low == high and self._needs_width(found.search)):
            return problems.INVERTED.of(found, self._order)
        if math.isinf(high):
            return problems.NOT_FINITE.of(found, "+Inf")
        if step is None or (math.isfinite(step) and step > 0):
            return None
        if found.whole:
            return problems.BAD_STEP.of(found, f"it is not above 0, {_HANGS}")
        if math.isfinite(step) and step < 0 and found.search.algorithm == "sobol":
            return None
        return problems.BAD_STEP.of(found, "the results are lost unless it is a finite number above 0")


class Cmaes(Goptuna):
    """`cmaes`: the first draws are normal around the middle, with one deviation for all numbers."""

    summary = "covariance matrix adaptation; two or more numbers"
    _order = f"cmaes takes its first step from the smallest range, which must be above 0; {_HANGS}"
    settings: ClassVar[Settings] = {
        SEED: Setting(
            Values("an integer", int, lambda _: True, go_int), ANY, f"{_HANGS}: it must be an integer such as 7"
        ),
        "sigma": Setting(
            number("a number from 1e-100 to 1e100", lambda value: 1e-100 <= value <= 1e100),
            checked=ANY,
            meaning="The deviation of the first draws, as a share of each range; a sixth without it.",
        ),
        "restart_strategy": Setting(
            Values("one of none, ipop, bipop", str, ("", "none", "ipop", "bipop").__contains__, str),
            ANY,
            f"{_HANGS}: it must be none, ipop or bipop",
            meaning="How the search starts again when it has converged; `none` without it. Katib only.",
        ),
    }

    def _refusals(self, search: Search) -> Iterator[Problem]:
        if sum(parameter.is_number for parameter in search.parameters) < 2:
            message = "cmaes needs two or more parameters of type int or double: the Experiment fails"
            yield Problem("KT221", "fails", ("spec", "parameters"), message)
        yield from super()._refusals(search)

    def _later_problems(self, search: Search) -> Iterator[Problem]:
        yield from super()._later_problems(search)
        text = search.setting("sigma")
        sigma = 1.0 if text is None else go_float(text)
        if sigma is None or math.isnan(sigma):
            yield problems.breaking_setting(search, "sigma", f"{_HANGS}: it must be a number")
        elif search.comes_back and sigma > 0 and not self.settings["sigma"].values.holds(sigma):
            yield problems.breaking_setting(search, "sigma", f"{text} breaks the engine after the first batches")

    def _needs_width(self, search: Search) -> bool:
        """Returns whether max must be above min: the smallest range gives the deviation, unless it is set."""
        return not (go_float(search.setting("sigma") or "0") or 0) > 0

    def _distribution_problems(self, found: Range) -> Iterator[Problem]:
        """Yields what goes wrong with the distribution: the first draws are normal."""
        if found.distribution != "normal":
            yield from super()._distribution_problems(found)

    def uneven(self, found: Range) -> str | None:
        if found.is_normal:
            return "it cuts a normal distribution at its bounds"
        return "its deviation is not that of a logarithm" if found.is_log else None

    def draw(self, found: Range) -> Draw:
        low, high = found.low, found.high
        if found.whole:
            return {"int": [low, high], "step": int(found.step or 1)}
        if _draws_logarithms(found):
            return {"loguniform": [low, high]}
        return {"uniform": [low, high]} if found.step is None else lattice(found)

    def study_notes(self, study: StudySearch) -> Iterator[str]:
        if "sigma" in study.settings:
            yield "sigma of cmaes applies to the rendered numbers: an encoded parameter runs from 0 to 1"


class Sobol(Goptuna):
    """`sobol`: it ignores all settings and always draws the same points."""

    summary = "a low-discrepancy sequence"
    orderless = True

    def _distribution_problems(self, found: Range) -> Iterator[Problem]:
        """Yields what goes wrong with the distribution. Integers are rounded down."""
        if found.whole and found.low < found.high:
            yield _NEVER_MAX.of(found)
        yield from super()._distribution_problems(found)

    def draw(self, found: Range) -> Draw:
        """Returns its draw: uniform for any distribution, but logarithms of doubles on Katib's main branch.

        Integers are rounded down, so max is never drawn. With a step, a range that is wider by half a step at both
        ends is rounded to the lattice, cut at the bounds, and rounded again, which may lift a value above max.
        """
        low, high, width, step = found.low, found.high, found.high - found.low, found.step
        if found.whole:
            unit = int(step or 1)
            return lambda u: math.floor(u * (width / unit)) * unit + low
        if _draws_logarithms(found):
            return {"loguniform": [low, high]}
        if step is None:
            return lambda u: low + u * width

        def rounded(value: float) -> float:
            return low + math.floor((value - low) / step + 0.5) * step

        return lambda u: rounded(min(max(rounded(low - step / 2 + u * (width + step)), low), high))


ENGINES = {"cmaes": Cmaes(), "sobol": Sobol()}


def _is_refused(found: Range) -> bool:
    """Returns whether Katib's main branch refuses the distribution."""
    return found.search.version == "main" and (found.is_normal or (found.is_log and found.whole))


def _draws_logarithms(found: Range) -> bool:
    """Returns whether it draws logarithms: Katib's main branch does so for doubles."""
    return found.search.version == "main" and found.distribution == "logUniform" and not found.whole


def _overshoot(found: Range, steps: float) -> Iterator[Problem]:
    """Yields a problem if values leave the bounds: they are cut at max, then rounded to the lattice once more."""
    whole = math.floor(steps + 1e-9)
    if steps - whole < 0.5 - 1e-9:
        return
    share = 1 - (whole + 1) / (steps + 1)
    draws, is_sobol = found.search.draws, found.search.algorithm == "sobol"
    if (is_sobol and share * draws >= 0.8) or (draws >= 1000 and share > 0.01):
        yield from problems.OUT_OF_BOUNDS.seen(found, 1, "the last point is rounded up, above max")
