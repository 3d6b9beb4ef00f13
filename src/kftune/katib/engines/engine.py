"""`Engine`: what kftune knows about one algorithm of a suggestion service."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from kftune.katib.engines import problems
from kftune.katib.engines.search import Numbers, Outcome, ParameterSpec, Problem, Search, doubled_names
from kftune.katib.engines.settings import SEED, Settings, breaking_settings, refused_settings
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


class Reader(NamedTuple):
    """How an engine reads a bound or a step."""

    read: Callable[[str], float | None]
    what: str
    """What it reads, in words."""


PYTHON_INT = Reader(python_int, "an integer such as 10, not 10.0 or 1e1")
PYTHON_FLOAT = Reader(python_float, "a number")


class Encoding(NamedTuple):
    """The parameter that encodes a domain which the engine would not draw correctly."""

    mode: Mode
    """How a number of the parameter selects a value of the domain."""
    kind: str
    space: Mapping[str, str]


class StudySearch(NamedTuple):
    """The search of a study."""

    space: Mapping[str, Domain]
    size: float
    """The number of points."""
    settings: Mapping[str, Any]
    max_trials: int
    parallel: int
    version: KatibVersion


class Engine(ABC):
    """One algorithm of a suggestion service.

    Attributes:
        summary: The algorithm in a few words.
        settings: The settings that it takes.
        strict: Whether the service refuses unknown settings.
        whole: How it reads the numbers of an int.
        real: How it reads the numbers of a double.
        unreadable: What happens if it cannot read them.
        encoding: The parameter that it draws evenly, for domains that are not native.
        orderless: Whether it learns nothing from the order of values, so that a list of them is as good as a range.
        exhaustive: Whether it tries every point once, so that distributions do not matter.
        discrete: The parameterType under which it draws the numbers of a list evenly.
        shown: Whether `draw` says what it draws.
        keeps_checkpoints: Whether trials share a volume.
        suffix_length: Characters that it adds to the Experiment's name for the name of a trial.
    """

    summary: ClassVar[str] = ""
    settings: ClassVar[Settings] = {}
    strict: ClassVar[bool] = True
    whole: ClassVar[Reader] = PYTHON_INT
    real: ClassVar[Reader] = PYTHON_FLOAT
    unreadable: ClassVar[Outcome] = "hangs"
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
        refused = next(self.refusals(search), None)
        if refused is not None:
            yield refused
            return
        yield from self.later_problems(search)
        for parameter in search.parameters:
            yield from self.parameter_problems(search, parameter)
        for parameter, first in doubled_names(search.parameters):
            yield self.doubled_name(search, parameter, first)

    def refusals(self, search: Search) -> Iterator[Problem]:
        """Yields what the service's check refuses."""
        return refused_settings(search, self.settings, strict=self.strict)

    def later_problems(self, search: Search) -> Iterator[Problem]:
        """Yields what goes wrong after the check, apart from the parameters."""
        return breaking_settings(search, self.settings)

    def doubled_name(self, search: Search, parameter: ParameterSpec, first: ParameterSpec) -> Problem:
        """Returns what happens with the second of two parameters with one name."""
        return problems.doubled_name(parameter, "wrong", "only the last is searched")

    def parameter_problems(self, search: Search, parameter: ParameterSpec) -> Iterator[Problem]:
        """Yields what goes wrong with one parameter of a search."""
        if parameter.is_list:
            yield from self.list_problems(search, parameter)
        elif parameter.is_number:
            yield from self.number_problems(search, parameter)
        else:
            yield problems.unknown_kind(parameter, self.unreadable)

    def list_problems(self, search: Search, parameter: ParameterSpec) -> Iterator[Problem]:
        """Yields what goes wrong with a parameter that has a list."""
        if not parameter.items:
            yield problems.empty_list(parameter)

    def number_problems(self, search: Search, parameter: ParameterSpec) -> Iterator[Problem]:
        """Yields what goes wrong with a parameter that has bounds."""
        numbers = self.read(parameter)
        if isinstance(numbers, Problem):
            yield numbers
        else:
            yield from self.range_problems(search, parameter, numbers)

    @abstractmethod
    def range_problems(self, search: Search, parameter: ParameterSpec, numbers: Numbers) -> Iterator[Problem]:
        """Yields what goes wrong with bounds and a step that the engine can read."""

    def reads_step(self, parameter: ParameterSpec) -> bool:
        """Returns whether it reads the step of a parameter, or ignores it."""
        return True

    def read(self, parameter: ParameterSpec) -> Numbers | Problem:
        """Returns the bounds and the step of a parameter, or why it cannot read them."""
        reader = self.whole if parameter.kind == "int" else self.real
        found: list[float] = []
        for field, text in (("min", parameter.low), ("max", parameter.high)):
            value = reader.read(text)
            if value is None:
                return problems.unreadable(parameter, field, text, reader.what, self.unreadable)
            found.append(value)
        step = reader.read(parameter.step) if parameter.step else None
        if parameter.step and step is None and self.reads_step(parameter):
            return problems.unreadable(parameter, "step", parameter.step, reader.what, self.unreadable)
        return Numbers(parameter.kind == "int", found[0], found[1], step, parameter.distribution)

    # -- what it draws --------------------------------------------------------------------------------------------

    def uneven(self, numbers: Numbers) -> str | None:
        """Returns why draws from a range without problems do not follow its distribution; None if they do."""
        return None

    def ends(self, numbers: Numbers) -> tuple[float, float]:
        """Returns the least and the greatest value that it writes for a range without problems."""
        return numbers.low, numbers.high

    def draw(self, numbers: Numbers) -> Draw:
        """Returns what it draws from a range without problems that stop it."""
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


def half_ends(numbers: Numbers) -> str | None:
    """Returns why a rounded uniform draw is uneven: both ends get half the share of the others; None if it is small."""
    size = round((numbers.high - numbers.low) / (numbers.step or 1)) + 1
    off = 1 / size - 1 / (2 * (size - 1))
    return f"it gives both ends half the share of the other {size - 2} values" if off > MOST_OFF else None
