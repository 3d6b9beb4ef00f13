"""The search of an Experiment as the engines are told of it, and what can be wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from kftune.katib.admission.defaults import KatibVersion
from kftune.katib.go.types import Path

Outcome = Literal["fails", "hangs", "wrong", "advice"]

# So many trials tell one distribution from another; below, nobody can.
TELLING_TRIALS = 100


class Problem(NamedTuple):
    """Something that an engine will do with this search."""

    code: str
    outcome: Outcome
    path: Path
    message: str


class Parameter(NamedTuple):
    """One parameter, all texts as given."""

    position: int
    name: str
    kind: str
    low: str
    high: str
    step: str
    items: tuple[str, ...]
    distribution: str

    @property
    def path(self) -> Path:
        """Where it stands."""
        return ("spec", "parameters", self.position)

    def at(self, *field: str) -> Path:
        """Where a field of its feasible space stands."""
        return (*self.path, "feasibleSpace", *field)

    @property
    def is_number(self) -> bool:
        """Whether it has bounds."""
        return self.kind in ("int", "double")

    @property
    def is_list(self) -> bool:
        """Whether it has a list."""
        return self.kind in ("categorical", "discrete")


class Search(NamedTuple):
    """Everything that decides what an engine does."""

    algorithm: str
    settings: tuple[tuple[str, str], ...]
    parameters: tuple[Parameter, ...]
    parallel: int
    most: int | None
    version: KatibVersion = "0.19"

    @property
    def draws(self) -> int:
        """How many suggestions there will be; without a maximum, as many as show what happens."""
        return self.most if self.most is not None else max(self.parallel, 12)

    @property
    def comes_back(self) -> bool:
        """Whether the engine is asked again after results."""
        return self.most is None or self.most > self.parallel

    def setting(self, name: str) -> str | None:
        """The last value of a setting."""
        return dict(self.settings).get(name)

    def setting_path(self, name: str) -> Path:
        """Where the last setting of the name stands; the settings when there is none."""
        path: Path = ("spec", "algorithm", "algorithmSettings")
        for index in range(len(self.settings) - 1, -1, -1):
            if self.settings[index][0] == name:
                return (*path, index, "value")
        return path


def search_of(spec: Mapping[str, Any], version: KatibVersion) -> Search:
    """The search in a decoded spec with its defaults."""
    algorithm = spec.get("algorithm") or {}
    settings = tuple(
        (setting.get("name", ""), setting.get("value", "")) for setting in algorithm.get("algorithmSettings", ())
    )
    return Search(
        algorithm.get("algorithmName", ""),
        settings,
        tuple(parameters_of(spec.get("parameters", ()))),
        spec["parallelTrialCount"],
        spec.get("maxTrialCount"),
        version,
    )


def parameters_of(given: Sequence[Mapping[str, Any]]) -> Iterator[Parameter]:
    """The parameters of a decoded spec."""
    for index, each in enumerate(given):
        space = each.get("feasibleSpace", {})
        yield Parameter(
            index,
            each.get("name", ""),
            each.get("parameterType", ""),
            space.get("min", ""),
            space.get("max", ""),
            space.get("step", ""),
            tuple(space.get("list", ())),
            space.get("distribution") or "uniform",
        )


def doubled_names(parameters: Sequence[Parameter]) -> Iterator[tuple[Parameter, Parameter]]:
    """Each parameter whose name came before, with the one before."""
    seen: dict[str, Parameter] = {}
    for parameter in parameters:
        if parameter.name in seen:
            yield parameter, seen[parameter.name]
        seen.setdefault(parameter.name, parameter)
