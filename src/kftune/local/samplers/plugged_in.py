"""A sampler of one's own: its points are checked, and its errors become one message."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from kftune.errors import KftuneError, RunError
from kftune.local.samplers.space import Point
from kftune.local.samplers.strategy import Setup, Strategy
from kftune.results import Score

# A strategy without a limit that proposes one point for ever would hang the run.
_MOST_PROPOSALS = 10_000


class PluggedIn(Strategy):
    """Runs a strategy that is not kftune's.

    Args:
        make: Makes the strategy.
        setup: What it searches, and how.

    Raises:
        RunError: It cannot be made, or is not a strategy.
    """

    def __init__(self, make: Callable[[Setup], Any], setup: Setup) -> None:
        super().__init__(setup)
        self._name = setup.algorithm.name
        with self._named():
            strategy = make(setup)
        if not isinstance(strategy, Strategy):
            raise RunError(
                f"the sampler {self._name} must make a kftune.local.samplers.Strategy, but made {strategy!r}"
            )
        self._own = strategy
        self.size, self.exclusive = strategy.size, strategy.exclusive
        self.several_objectives = strategy.several_objectives
        self.learns_from_past = strategy.learns_from_past
        self.patience = _MOST_PROPOSALS if strategy.patience is None else strategy.patience
        self.most_refused = strategy.most_refused
        # A strategy that does not call the constructor of its base has none.
        self.notes = list(getattr(strategy, "notes", ()))

    def proposals(self, number: int) -> Iterator[Point]:
        """Yields the strategy's points, each checked against the domains.

        Raises:
            RunError: It fails, or a point is not in the space.
        """
        with self._named():
            points = iter(self._own.proposals(number))
        while True:
            with self._named():
                point = next(points, None)
            if point is None:
                return
            self._check(point)
            yield point

    def accept(self, number: int, point: Point) -> None:
        with self._named():
            self._own.accept(number, point)

    def tell(self, number: int, value: float | None) -> None:
        with self._named():
            self._own.tell(number, value)

    def tell_score(self, number: int, score: Score | None) -> None:
        with self._named():
            self._own.tell_score(number, score)

    def parent_of(self, number: int) -> int | None:
        with self._named():
            return self._own.parent_of(number)

    def learn(self, results: Iterable[tuple[Point, float]]) -> None:
        with self._named():
            self._own.learn(results)

    def learn_scores(self, results: Iterable[tuple[Point, Score]]) -> None:
        with self._named():
            self._own.learn_scores(results)

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Turns any error of the strategy into one that names it."""
        try:
            yield
        except KftuneError:
            raise
        except Exception as error:  # code of the user
            raise RunError(f"the sampler {self._name} has failed: {_place(error)}{_text(error)}") from error

    def _check(self, point: Any) -> None:
        domains = self._space.domains
        if not isinstance(point, dict):
            raise RunError(f"the sampler {self._name} must propose a dict of values by dotted name, but gave {point!r}")
        unknown = [name for name in point if name not in domains]
        active = [name for name in domains if self._space.is_active(name, point)]
        missing = [name for name in active if name not in point]
        if unknown or missing:
            problem = f"{unknown[0]!r}, which is not searched" if unknown else f"no value of {missing[0]}"
            raise RunError(f"the sampler {self._name} must propose a value for {', '.join(active)}, but gave {problem}")
        for name in point:
            if name not in active:
                raise RunError(
                    f"the sampler {self._name} must leave out values that their condition excludes, but gave {name}; "
                    f"use Space.reduced(point)"
                )
            if not domains[name].contains(point[name]):
                raise RunError(
                    f"the sampler {self._name} must stay in the domains, but proposed {name}={point[name]!r} of "
                    f"{domains[name]!r}"
                )


def _place(error: Exception) -> str:
    """Returns file and line of the innermost statement that raised an error."""
    step = error.__traceback__
    while step is not None and step.tb_next is not None:
        step = step.tb_next
    return "" if step is None else f"{step.tb_frame.f_code.co_filename}:{step.tb_lineno}: "


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
