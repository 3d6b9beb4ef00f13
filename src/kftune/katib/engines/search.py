"""The search of an Experiment as Katib passes it to a suggestion service, and the problems that it can have there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:  # a study is checked without the admission code
    from kftune.katib.admission.defaults import KatibVersion
    from kftune.katib.go.types import Path

Outcome = Literal["fails", "hangs", "wrong", "advice"]

# A search without a maximum is predicted for at least this many suggestions.
_FEWEST_DRAWS = 12


class Problem(NamedTuple):
    """Something that goes wrong with a search."""

    code: str
    outcome: Outcome
    path: Path
    message: str


class ParameterSpec(NamedTuple):
    """One item of spec.parameters. All texts are as given."""

    path: Path
    name: str
    kind: str
    low: str
    high: str
    step: str
    items: tuple[str, ...]
    distribution: str

    def at(self, *field: str) -> Path:
        """Returns the path of a field of the feasibleSpace."""
        return (*self.path, "feasibleSpace", *field)

    @property
    def is_number(self) -> bool:
        """Whether it has bounds."""
        return self.kind in ("int", "double")

    @property
    def is_list(self) -> bool:
        """Whether it has a list of values."""
        return self.kind in ("categorical", "discrete")


class Search(NamedTuple):
    """Everything that decides what an engine does.

    Attributes:
        settings: Name and value of each setting, in order.
        parallel: How many suggestions are requested together.
        most: maxTrialCount; None for no maximum.
    """

    algorithm: str
    settings: tuple[tuple[str, str], ...]
    parameters: tuple[ParameterSpec, ...]
    parallel: int
    most: int | None
    version: KatibVersion = "0.19"

    @property
    def draws(self) -> int:
        """The number of suggestions."""
        return self.most if self.most is not None else max(self.parallel, _FEWEST_DRAWS)

    @property
    def comes_back(self) -> bool:
        """Whether the engine is asked again after results."""
        return self.most is None or self.most > self.parallel

    def shows(self, share: float) -> bool:
        """Returns whether something that a share of the draws has is more likely than not to be seen."""
        return share > 0 and (share >= 1 or 1 - (1 - share) ** self.draws > 0.5)

    def setting(self, name: str) -> str | None:
        """Returns the last value of a setting; None if it is not given."""
        return dict(self.settings).get(name)

    def setting_path(self, name: str) -> Path:
        """Returns the path of the last value of a setting, or of all settings if it is not given."""
        path: Path = ("spec", "algorithm", "algorithmSettings")
        places = [index for index, (given, _) in enumerate(self.settings) if given == name]
        return (*path, places[-1], "value") if places else path


class Range(NamedTuple):
    """The bounds and the step of an int or a double, as an engine reads them."""

    search: Search
    parameter: ParameterSpec
    low: float
    high: float
    step: float | None

    @property
    def whole(self) -> bool:
        """Whether it is an int."""
        return self.parameter.kind == "int"

    @property
    def distribution(self) -> str:
        """The declared distribution."""
        return self.parameter.distribution

    @property
    def is_log(self) -> bool:
        """Whether logarithms are to be drawn."""
        return self.distribution in ("logUniform", "logNormal")

    @property
    def is_normal(self) -> bool:
        """Whether values, or their logarithms, are to be normally distributed."""
        return self.distribution in ("normal", "logNormal")


def search_of(spec: Mapping[str, Any], version: KatibVersion) -> Search:
    """Returns the search of an Experiment.

    Args:
        spec: The decoded spec, with the webhook's defaults.
        version: The version of Katib.
    """
    algorithm = spec.get("algorithm") or {}
    return Search(
        algorithm=algorithm.get("algorithmName", ""),
        settings=tuple(
            (setting.get("name", ""), setting.get("value", "")) for setting in algorithm.get("algorithmSettings", ())
        ),
        parameters=tuple(parameters_of(spec.get("parameters", ()))),
        parallel=spec["parallelTrialCount"],
        most=spec.get("maxTrialCount"),
        version=version,
    )


def parameters_of(given: Sequence[Mapping[str, Any]]) -> Iterator[ParameterSpec]:
    """Yields the items of a decoded spec.parameters."""
    for position, each in enumerate(given):
        name, kind = each.get("name", ""), each.get("parameterType", "")
        yield parameter_of(position, name, kind, each.get("feasibleSpace", {}))


def parameter_of(position: int, name: str, kind: str, space: Mapping[str, Any]) -> ParameterSpec:
    """Returns an item of a decoded spec.parameters.

    Args:
        position: Its position in the list, from 0.
        name: Its name.
        kind: Its parameterType.
        space: Its feasibleSpace.
    """
    bounds = (space.get("min", ""), space.get("max", ""), space.get("step", ""))
    items, distribution = tuple(space.get("list", ())), space.get("distribution") or "uniform"
    return ParameterSpec(("spec", "parameters", position), name, kind, *bounds, items, distribution)


def doubled_names(parameters: Sequence[ParameterSpec]) -> Iterator[tuple[ParameterSpec, ParameterSpec]]:
    """Yields each parameter with the name of an earlier one, and the first of that name."""
    seen: dict[str, ParameterSpec] = {}
    for parameter in parameters:
        if parameter.name in seen:
            yield parameter, seen[parameter.name]
        seen.setdefault(parameter.name, parameter)
