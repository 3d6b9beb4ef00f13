"""`pbt`: Katib's own. Problems are those of the first generation.

Source: katib v0.19.0, pkg/suggestion/v1beta1/pbt; recorded runs of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import ClassVar

from kftune.katib.engines import problems
from kftune.katib.engines.engine import PYTHON_FLOAT, Encoding, Engine, StudySearch
from kftune.katib.engines.search import ParameterSpec, Problem, Range, Search
from kftune.katib.engines.settings import ANY, SHARE, Setting, Settings, Values, integer, unknown_settings

_RESAMPLE = "resample_probability"
_NO_STEP = problems.Fault(
    "KT224", "hangs", "step", "pbt: a double needs a step, but {p.name!r} has none: every request fails"
)
_MOST_POINTS = 500_000_000
_MOST_CHECKED = 20_000


class Pbt(Engine):
    """`pbt`."""

    summary = "population based training (on Katib)"
    settings: ClassVar[Settings] = {
        "suggestion_trial_dir": Setting(
            Values("an absolute path", str, lambda path: path.startswith("/"), str),
            checked=ANY,
            required=True,
            meaning="Where the volume with the checkpoints is mounted in the trials.",
        ),
        "n_population": Setting(integer(5), required=True, meaning="Trials of one generation."),
        "truncation_threshold": Setting(
            SHARE, required=True, meaning="The share of a generation that goes on from the checkpoints of the best."
        ),
    }
    strict = False
    whole = PYTHON_FLOAT
    encoding = Encoding("quantile", "double", {"min": "0", "max": "1", "step": "0.0001"})
    shown = False
    keeps_checkpoints = True
    suffix_length = 37  # Source: katib v0.19.0, pbt/service.py: a UUID

    def _refusals(self, search: Search) -> Iterator[Problem]:
        yield from super()._refusals(search)
        text = search.setting(_RESAMPLE)
        if text is not None and search.version != "main":
            yield problems.refused_setting(search, _RESAMPLE, f"Katib {search.version} cannot compare it")
        elif text is not None and not SHARE.has_text(text):
            yield problems.refused_setting(search, _RESAMPLE, f"{text!r} must be {SHARE.rule}")

    def _later_problems(self, search: Search) -> Iterator[Problem]:
        return unknown_settings(search, (*self.settings, _RESAMPLE))

    def _number_problems(self, search: Search, parameter: ParameterSpec) -> Iterator[Problem]:
        if parameter.kind == "double" and not parameter.step:
            yield _NO_STEP.of(parameter)
        else:
            yield from super()._number_problems(search, parameter)

    def _range_problems(self, found: Range) -> Iterator[Problem]:
        low, high, step = found.low, found.high, 1.0 if found.step is None else found.step
        if step == 0 or not all(map(math.isfinite, (low, high, step))):
            yield problems.BAD_STEP.of(found, "min, max and step must be finite, and step must not be 0")
            return
        count = math.ceil(min((high + step / 2 - low) / step, 1e18))
        if count <= 0:
            yield problems.INVERTED.of(found, "min, max and step give no value, every request fails")
        elif count > _MOST_POINTS:
            yield problems.TOO_LARGE.of(found, f"{count:,}")
        else:
            yield from _point_problems(found, step, count)

    def uneven(self, found: Range) -> str | None:
        return "it ignores the step and the type when it perturbs a value"

    def study_notes(self, study: StudySearch) -> Iterator[str]:
        yield "pbt keeps checkpoints on a volume (resumePolicy: FromVolume); its storage must support ReadWriteMany"


ENGINES = {"pbt": Pbt()}


def _point_problems(found: Range, step: float, count: int) -> Iterator[Problem]:
    """Yields what goes wrong with the points of numpy.arange, of which only the first are checked."""
    low, high = found.low, found.high
    values = [low + index * step for index in range(min(count, _MOST_CHECKED))]
    if count > _MOST_CHECKED:
        values.append(low + (count - 1) * step)
    if found.whole:
        values = [float(int(value)) for value in values]
    outside = sum(not low - 1e-12 <= value <= high * (1 + 1e-15) + 1e-12 for value in values)
    off = sum(problems.distance_in_steps(value, low, step) > 1e-6 for value in values)
    why = "pbt's points are whole steps, up to half a step above max"
    yield from problems.OUT_OF_BOUNDS.seen(found, outside / count, why)
    if found.step is not None:
        yield from problems.OFF_LATTICE.seen(found, off / count, "pbt cuts off the fractions of an int")
    yield from problems.ignored_distribution(found, "uniform")
