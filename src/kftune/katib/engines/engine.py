"""`Engine`: what kftune knows about one algorithm of a suggestion service."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from kftune.katib.engines import problems
from kftune.katib.engines.search import Outcome, ParameterSpec, Problem, Range, Search, doubled_names
from kftune.katib.engines.settings import SEED, Settings, breaking_settings, refused_settings, unknown_settings
from kftune.katib.go.numbers import python_float, python_int

if TYPE_CHECKING:  # lint uses engines without domains
    from kftune.domains import Domain
    from kftune.domains.encoding import Mode
    from kftune.katib.admission.defaults import KatibVersion

Draw = Mapping[str, Any] | Callable[[float], float]
"""What an engine draws from: a domain as a study file writes it, or a function from a number in 0..1 to a value."""

# By how much the share of one value may be off. Engines that round a uniform draw give both ends half of what they
# should have: with 19 values 2.8 % instead of 5.3 %.
MOST_OFF = 0.025


class NumberReader(NamedTuple):
    """How an engine reads a bound or a step, and what it reads, in words."""

    read: Callable[[str], float | None]
    what: str


PYTHON_INT = NumberReader(python_int, "an integer such as 10, not 10.0 or 1e1")
PYTHON_FLOAT = NumberReader(python_float, "a number")


class Encoding(NamedTuple):
    """The parameter that encodes a domain which the engine would not draw correctly.

    Attributes:
        mode: How a number of the parameter selects a value of the domain.
        kind: The parameterType.
        space: The feasibleSpace.
    """

    mode: Mode
    kind: str
    space: Mapping[str, str]


class StudySearch(NamedTuple):
    """The search of a study."""

    space: Mapping[str, Domain]
    settings: Mapping[str, Any]
    max_trials: int
    parallel: int
    version: KatibVersion

    @property
    def size(self) -> float:
        """The number of points."""
        return math.prod(domain.size for domain in self.space.values())


class Engine(ABC):
    """One algorithm of a suggestion service. A subclass overrides what differs.

    Attributes:
        summary: The algorithm in a few words.
        settings: The settings that it takes.
        strict: Whether the service refuses unknown settings; otherwise it ignores them.
        whole: How it reads the numbers of an int.
        real: How it reads the numbers of a double.
        unreadable: What happens if it cannot read them.
        needs_parameters: Whether requests fail if there are no parameters.
        needs_requests: Whether a request for 0 suggestions fails.
        encoding: The parameter that it draws evenly, for domains that are not native.
        orderless: Whether it learns nothing from the order of values, so that a list of them is as good as a range.
        exhaustive: Whether it tries every point once, so that distributions do not matter.
        discrete: The parameterType under which it draws the numbers of a list evenly.
        shown: Whether `draw` says what it draws.
        keeps_checkpoints: Whether trials share a volume.
        suffix_length: Characters that it adds to the Experiment's name for the name of a trial.
    """

    summary: ClassVar[str]
    settings: ClassVar[Settings] = {}
    strict: ClassVar[bool] = True
    whole: ClassVar[NumberReader] = PYTHON_INT
    real: ClassVar[NumberReader] = PYTHON_FLOAT
    unreadable: ClassVar[Outcome] = "hangs"
    needs_parameters: ClassVar[bool] = False
    needs_requests: ClassVar[bool] = False
    encoding: ClassVar[Encoding] = Encoding("quantile", "double", {"min": "0", "max": "1"})
    orderless: ClassVar[bool] = False
    exhaustive: ClassVar[bool] = False
    discrete: ClassVar[str] = "discrete"
    shown: ClassVar[bool] = True
    keeps_checkpoints: ClassVar[bool] = False
    suffix_length: ClassVar[int] = 9  # Source: katib v0.19.0, pkg/controller.v1beta1/suggestion: -xxxxxxxx

    @property
    def seeded(self) -> bool:
        """Whether it takes a seed."""
        return SEED in self.settings

    # -- an Experiment --------------------------------------------------------------------------------------------

    def problems(self, search: Search) -> Iterator[Problem]:
        """Yields what goes wrong with a search; only the first problem if the service refuses it."""
        refused = next(self._refusals(search), None)
        if refused is not None:
            yield refused
            return
        yield from self._later_problems(search)
        for parameter in search.parameters:
            yield from self.parameter_problems(search, parameter)
        for parameter, first in doubled_names(search.parameters):
            yield self._doubled_name(search, parameter, first)

    def _refusals(self, search: Search) -> Iterator[Problem]:
        """Yields what the service's check refuses."""
        return refused_settings(search, self.settings, strict=self.strict)

    def _later_problems(self, search: Search) -> Iterator[Problem]:
        """Yields what goes wrong after the check, apart from the parameters."""
        yield from breaking_settings(search, self.settings)
        yield from unknown_settings(search, self.settings)
        if self.needs_requests and search.parallel <= 0:
            message = f"{search.algorithm} cannot be asked for 0 suggestions"
            yield Problem("KT227", "hangs", ("spec", "parallelTrialCount"), message)
        if self.needs_parameters and not search.parameters:
            yield Problem("KT226", "hangs", ("spec", "parameters"), "there are no parameters to search")

    def _doubled_name(self, search: Search, parameter: ParameterSpec, first: ParameterSpec) -> Problem:
        """Returns what happens with `parameter`, which has the name of an earlier one, `first`."""
        return problems.DOUBLED_NAME.of(parameter, "only the last is searched")

    def parameter_problems(self, search: Search, parameter: ParameterSpec) -> Iterator[Problem]:
        """Yields what goes wrong with one parameter.

        Args:
            search: The search.
            parameter: One of its parameters.
        """
        if parameter.is_list:
            yield from self._list_problems(search, parameter)
        elif parameter.is_number:
            yield from self._number_problems(search, parameter)
        else:
            yield problems.UNKNOWN_TYPE.of(parameter, outcome=self.unreadable)

    def _list_problems(self, search: Search, parameter: ParameterSpec) -> Iterator[Problem]:
        """Yields what goes wrong with a parameter that has a list."""
        if not parameter.items:
            yield problems.EMPTY_LIST.of(parameter, problems.EVERY_REQUEST)

    def _number_problems(self, search: Search, parameter: ParameterSpec) -> Iterator[Problem]:
        """Yields what goes wrong with a parameter that has bounds."""
        found = self.read(search, parameter)
        if isinstance(found, Problem):
            yield found
        else:
            yield from self._range_problems(found)

    def read(self, search: Search, parameter: ParameterSpec) -> Range | Problem:
        """Returns the range of a parameter, or why the engine cannot read it.

        Args:
            search: The search.
            parameter: One of its parameters that has bounds.
        """
        reader = self.whole if parameter.kind == "int" else self.real
        low, high, step = (reader.read(text) for text in (parameter.low, parameter.high, parameter.step))
        if low is None or high is None:
            return problems.unreadable(parameter, "min" if low is None else "max", reader.what, self.unreadable)
        if parameter.step and step is None and self._reads_step(parameter):
            return problems.unreadable(parameter, "step", reader.what, self.unreadable)
        return Range(search, parameter, low, high, step)

    def _reads_step(self, parameter: ParameterSpec) -> bool:
        """Returns whether it reads the step of a parameter; otherwise it ignores it."""
        return True

    @abstractmethod
    def _range_problems(self, found: Range) -> Iterator[Problem]:
        """Yields what goes wrong with a range that it can read."""

    # -- what it draws --------------------------------------------------------------------------------------------

    def uneven(self, found: Range) -> str | None:
        """Returns why draws from a range without problems do not follow its distribution; None if they do."""
        return None

    def ends(self, found: Range) -> tuple[float, float]:
        """Returns the least and the greatest value that it writes for a range without problems."""
        return found.low, found.high

    def draw(self, found: Range) -> Draw:
        """Returns what it draws from a range, unless that has a problem which fails or hangs."""
        raise NotImplementedError

    def text(self, value: float) -> str:
        """Returns the text in which it writes a double."""
        return repr(value)

    # -- a study --------------------------------------------------------------------------------------------------

    def max_trials(self, study: StudySearch) -> int:
        """Returns the number of trials that it can run for a study."""
        return study.max_trials

    def study_problem(self, study: StudySearch) -> str | None:
        """Returns why a study of this size and these settings fails or hangs on Katib; None if it does not."""
        return None

    def study_notes(self, study: StudySearch) -> Iterator[str]:
        """Yields what to know about a study with this algorithm on Katib."""
        return iter(())


def half_ends(found: Range) -> str | None:
    """Returns that a rounded uniform draw gives both ends half the share of the others; None with many values."""
    size = round((found.high - found.low) / (found.step or 1)) + 1
    off = 1 / size - 1 / (2 * (size - 1))
    return f"it gives both ends half the share of the other {size - 2} values" if off > MOST_OFF else None


def lattice(found: Range) -> Draw:
    """Returns a draw in which each low + k * step up to max is equally likely."""
    step = found.step or 1
    count = math.floor((found.high - found.low) / step + 1e-9) + 1
    return lambda u: found.low + min(int(u * count), count - 1) * step
