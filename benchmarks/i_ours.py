"""kftune's samplers, through the class that a local run uses.

python -m benchmarks.i_ours ALGORITHM TRIALS SEEDS [PROBLEM ...]
"""

from __future__ import annotations

from typing import Any

from benchmarks import problems
from benchmarks.problems import Point, Problem, Range
from benchmarks.search import main
from kftune import Choice, Conditional, Hparam, Hparams, IntUniform, LogUniform, Study, Uniform
from kftune.domains import Domain
from kftune.local.samplers import make_sampler
from kftune.study import Algorithm, Budget, Objective, Step


def study(problem: Problem) -> Study:
    """Returns a study with a class that declares the problem's space."""
    types = {problems.Float: float, problems.Int: int, problems.Choice: str}
    fields: dict[str, Any] = {"__annotations__": {}, "__module__": __name__}
    for name, one in problem.space.items():
        domain = _domain(one)
        if name in problem.when:
            parent, values = problem.when[name]
            domain = Conditional(domain, when={parent: values})
        fields["__annotations__"][name] = types[type(one)]
        fields[name] = Hparam(_first(one), search=domain)
    return Study(
        name="bench",
        hparams=type("Searched", (Hparams,), fields),
        objective=Objective(metric="loss", direction="minimize"),
        budget=Budget(max_trials=1),
        step=Step(command=("true",)),
    )


def _domain(one: Range) -> Domain:
    if isinstance(one, problems.Choice):
        return Choice(*one.options)
    if isinstance(one, problems.Int):
        return IntUniform(one.low, one.high, log=one.log)
    return LogUniform(one.low, one.high) if one.log else Uniform(one.low, one.high)


def _first(one: Range) -> Any:
    return one.options[0] if isinstance(one, problems.Choice) else type(one.low)(one.low)


class Ours:
    def __init__(self, problem: Problem, algorithm: str, seed: int) -> None:
        self._sampler = make_sampler(study(problem), Algorithm(name=algorithm), "minimize", seed)

    def ask(self, number: int) -> Point:
        suggestion = self._sampler.ask(number)
        assert suggestion is not None
        return suggestion.point

    def tell(self, number: int, value: float) -> None:
        self._sampler.tell(number, value)


if __name__ == "__main__":
    main(Ours)
