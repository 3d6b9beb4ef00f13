"""`Strategy`: how an algorithm chooses points. Each algorithm is a subclass."""

from __future__ import annotations

import importlib
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from kftune.errors import MissingExtraError
from kftune.local.samplers.space import Point, Space
from kftune.results import Score, TrackedObjective, Trial
from kftune.study.algorithm import Algorithm
from kftune.study.objective import Direction

MOST_REFUSED = 20_000
"""How many drawn points a study may refuse before the search for one that it accepts ends."""


class Setup(NamedTuple):
    """What a strategy is made from."""

    space: Space
    algorithm: Algorithm
    direction: Direction
    """Of the objective, the first one of several."""
    seed: int
    """Makes the choices repeatable."""
    parallel: int = 1
    """How many trials run at the same time."""
    earlier: Sequence[Trial] = ()
    """The trials of earlier runs."""
    others: Sequence[TrackedObjective] = ()
    """The further objectives, of several."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """The settings of the algorithm."""
        return self.algorithm.settings


class Strategy:
    """How an algorithm chooses. All methods but `proposals` suit a strategy that ignores results.

    Args:
        setup: What it searches, and how.

    Attributes:
        patience: How many of its proposals may have been tried already before other points are used; None: no limit.
        most_refused: How many of its proposals for one trial may be refused by the study before other points are used;
            None: no limit.
        size: How many points it proposes at all; None if it has no end, or the end is not known.
        exclusive: Whether only its proposals may be tried; it may have none until running trials have ended.
        several_objectives: Whether it takes more than one objective, or needs none.
        learns_from_past: Whether it also learns from the trials of past studies (`start_from`), which `learn` gets in
            front of those of earlier runs.
        notes: Notes for the user.
    """

    patience: int | None = None
    most_refused: int | None = MOST_REFUSED
    size: int | None = None
    exclusive = False
    several_objectives = False
    learns_from_past = False

    def __init__(self, setup: Setup) -> None:
        self.notes: list[str] = []
        self._space = setup.space
        self._seed = setup.seed
        self._sign = 1 if setup.direction == "minimize" else -1

    def proposals(self, number: int) -> Iterator[Point]:
        """Yields points for trial `number`, the best first; taking another point rejects the one before."""
        raise NotImplementedError

    def accept(self, number: int, point: Point) -> None:
        """Notes that a trial runs with a point.

        Args:
            number: The trial.
            point: Its point, which may come from elsewhere.
        """

    def tell(self, number: int, value: float | None) -> None:
        """Notes that a trial has ended.

        Args:
            number: The trial.
            value: Its objective; None when it has none.
        """

    def tell_score(self, number: int, score: Score | None) -> None:
        """Notes that a trial has ended, which may have several objectives.

        Args:
            number: The trial.
            score: Its value of each objective; None when it has none.
        """
        self.tell(number, None if score is None else score[0])

    def parent_of(self, number: int) -> int | None:
        """Returns the trial that trial `number` resumes from; None to start from scratch."""
        return None

    def learn(self, results: Iterable[tuple[Point, float]]) -> None:
        """Takes points and objectives of earlier runs, in the order of their numbers; called first."""

    def learn_scores(self, results: Iterable[tuple[Point, Score]]) -> None:
        """Does the same with results that may have several objectives."""
        self.learn([(point, score[0]) for point, score in results])


def numbered_rng(seed: int, number: int) -> random.Random:
    """Returns random numbers that depend only on their arguments.

    Args:
        seed: The seed of the study.
        number: The number of a trial.
    """
    return random.Random(f"kftune:{seed}:{number}")


def optional_module(name: str, extra: str = "local") -> Any:
    """Imports a module of a package that an algorithm needs.

    Args:
        name: The module.
        extra: The extra of kftune that installs it.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingExtraError(extra, name.partition(".")[0]) from error
