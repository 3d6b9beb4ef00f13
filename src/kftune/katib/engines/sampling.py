"""The parameters of an Experiment as Katib's engines draw them, faults included: for `--as-katib`.

Lattices, bounds and distributions are the engine's. The values themselves are those of grid and sobol only: the other
engines depend on random generators of other libraries.

Source: katib v0.19.0, pkg/suggestion/v1beta1; recorded runs of the engines.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from kftune.domains import Choice, Domain, Ordinal, domain_from_spec
from kftune.errors import RunError
from kftune.katib.engines import ALGORITHMS, engine_of
from kftune.katib.engines.engine import Engine
from kftune.katib.engines.search import ParameterSpec, Problem, Search, search_of


class SearchedParameter(NamedTuple):
    """A parameter of an Experiment that is searched here."""

    name: str
    domain: Domain
    text: Callable[[Any], str]
    """Makes the text that a trial gets of a value."""
    late: bool = False
    """Whether it has a condition in the study; such names are drawn last."""


@dataclass(frozen=True, eq=False)
class Drawn(Domain):
    """What an engine draws, as a function from a number in 0..1 to a value."""

    draw: Callable[[float], float]

    def quantile(self, u: float) -> float:
        """Returns the value for a number in 0..1."""
        return self.draw(u)

    def contains(self, value: object) -> bool:
        """Returns True: engines leave their own bounds."""
        return True


def engine_parameters(spec: Mapping[str, Any], algorithm: str) -> list[SearchedParameter]:
    """Returns the parameters of an Experiment as an algorithm's engine draws them.

    Args:
        spec: The decoded spec, with the webhook's defaults.
        algorithm: The algorithm.

    Raises:
        RunError: The Experiment would fail or hang on Katib, or kftune does not know what the engine draws.
    """
    engine = engine_of(algorithm)
    if not engine.shown:
        known = [name for name in ALGORITHMS if engine_of(name).shown]
        raise RunError(f"--as-katib works with {', '.join(known)}, but not with {algorithm}; run without it")
    search = search_of({"parallelTrialCount": 1, **spec}, "0.19")._replace(algorithm=algorithm)
    return [_searched(search, parameter, engine) for parameter in search.parameters]


def _searched(search: Search, parameter: ParameterSpec, engine: Engine) -> SearchedParameter:
    for problem in engine.parameter_problems(search, parameter):
        if problem.outcome in ("fails", "hangs"):
            raise _no_trials(problem)
    if parameter.is_list:
        texts = parameter.items
        if engine.orderless:
            # A value that is listed twice is drawn twice as often.
            return SearchedParameter(parameter.name, Ordinal(*range(len(texts))), lambda index: texts[int(index)])
        return SearchedParameter(parameter.name, Choice(*dict.fromkeys(texts)), str)
    found = engine.read(search, parameter)
    if isinstance(found, Problem):
        raise _no_trials(found)
    draw = engine.draw(found)
    domain = Drawn(draw) if callable(draw) else domain_from_spec(draw)
    if found.whole:
        return SearchedParameter(parameter.name, domain, lambda value: str(int(value)))
    return SearchedParameter(parameter.name, domain, lambda value: engine.text(float(value)))


def _no_trials(problem: Problem) -> RunError:
    return RunError(f"Katib cannot run this Experiment: {problem.message}; run without --as-katib")
