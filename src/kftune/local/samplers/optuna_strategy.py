"""Strategies that learn from results, with Optuna's ask and tell."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple

from kftune.domains import Choice, Domain, IntUniform, LogUniform, QUniform, Uniform
from kftune.domains.listed import Listed
from kftune.domains.shares import index_of, share_of
from kftune.errors import MissingExtraError, RunError
from kftune.local.samplers.space import Point, Space
from kftune.local.samplers.strategy import Setup, Strategy, numbered_rng, optional_module
from kftune.results import Score
from kftune.study.algorithms import POPULATION

try:
    import optuna
    from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
    from optuna.samplers import BaseSampler, CmaEsSampler, GPSampler, NSGAIISampler, TPESampler
    from optuna.samplers.nsgaii import (
        BaseCrossover,
        BLXAlphaCrossover,
        SBXCrossover,
        SPXCrossover,
        UNDXCrossover,
        UniformCrossover,
        VSBXCrossover,
    )
    from optuna.study import StudyDirection
    from optuna.trial import TrialState
except ImportError as error:
    raise MissingExtraError("local", "optuna", "search without it: algorithm: {name: random}") from error

if TYPE_CHECKING:
    from optuna.trial import Trial


_Numbers = frozenset[tuple[str, Any]]
"""Optuna's number of each name."""


class Coordinate(NamedTuple):
    """How Optuna represents one domain."""

    distribution: BaseDistribution
    value: Callable[[Any], Any]
    """Converts Optuna's number to a value."""
    number: Callable[[Any], Any]
    """Converts a value to Optuna's number."""


class OptunaStrategy(Strategy):
    """One of Optuna's samplers, with its own study in memory.

    Args:
        setup: What it searches.
        sampler: Optuna's sampler.
        stateful: Whether the sampler has its own state. Earlier results then go through it one by one, every name gets
            a number, active or not, and it searches shares of each range, from 0 to 1.
        several_objectives: Whether the sampler takes more than one.
        asking: Makes the context in which the sampler is asked.
        notes: Notes for the user.
    """

    patience = 5
    # Each takes milliseconds, and those for one trial are near each other.
    most_refused = 10
    learns_from_past = True

    def __init__(
        self,
        setup: Setup,
        sampler: BaseSampler,
        *,
        stateful: bool = False,
        several_objectives: bool = True,
        asking: Callable[[], AbstractContextManager[None]] = nullcontext,
        notes: Iterable[str] = (),
    ) -> None:
        super().__init__(setup)
        self.notes = list(notes)
        self._stateful = stateful
        self.several_objectives = several_objectives
        self._asking = asking
        self._coordinates = coordinates(self._space, shares=stateful)
        # It warns about its own optimization, such as "Study already converged"; a user can do nothing about that.
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        directions = (setup.direction, *(other.direction for other in setup.others))
        self._study = optuna.create_study(
            sampler=sampler, directions=[StudyDirection[direction.upper()] for direction in directions]
        )
        self._running: dict[int, Trial] = {}
        self._proposed: tuple[Point, Trial] | None = None
        self._scores: dict[_Numbers, Score] = {}

    def proposals(self, number: int) -> Iterator[Point]:
        """Yields what the sampler suggests."""
        while True:
            self._drop_proposed()
            with self._quietly():
                trial = self._study.ask()
                point = self._suggested(trial)
            self._proposed = (point, trial)
            yield point

    def accept(self, number: int, point: Point) -> None:
        # The sampler's own trial if it proposed this point, otherwise a trial with these values.
        if self._proposed is not None and self._proposed[0] is point:
            self._running[number] = self._proposed[1]
            self._proposed = None
            return
        self._drop_proposed()
        self._running[number] = self._enqueued(point)

    def tell(self, number: int, value: float | None) -> None:
        self.tell_score(number, None if value is None else (value,))

    def tell_score(self, number: int, score: Score | None) -> None:
        trial = self._running.pop(number)
        if score is not None:
            self._scores[frozenset(trial.params.items())] = score
        self._end(trial, score)

    def learn_scores(self, results: Iterable[tuple[Point, Score]]) -> None:
        """Adds earlier results as trials of the study."""
        results = list(results)
        self._scores |= {frozenset(self._numbers(point).items()): score for point, score in results}
        if self._stateful:
            for point, score in results:
                self._study.tell(self._enqueued(point), score)
            return
        self._study.add_trials(
            [
                optuna.create_trial(
                    params=self._numbers(point),
                    distributions={
                        name: coordinate.distribution for name, coordinate in self._coordinates.items() if name in point
                    },
                    values=score,
                )
                for point, score in results
            ]
        )

    def _drop_proposed(self) -> None:
        """Ends a trial that does not run, because its point was tried already.

        The sampler hears the value of that point again, as it would if the point ran twice. In a small space it finds
        better points that way than if the trial just failed.
        """
        if self._proposed is not None:
            _, trial = self._proposed
            self._proposed = None
            self._end(trial, self._scores.get(frozenset(trial.params.items())))

    def _end(self, trial: Trial, score: Score | None) -> None:
        if score is None:
            self._study.tell(trial, state=TrialState.FAIL)
        else:
            self._study.tell(trial, score)

    def _enqueued(self, point: Point) -> Trial:
        self._study.enqueue_trial(self._numbers(point))
        with self._quietly():
            trial = self._study.ask()
            if self._stateful:
                # Without this the sampler does not see a trial whose values are all given: it counts no generation.
                trial.relative_params  # noqa: B018  # it is computed when it is read
            self._suggested(trial)
        return trial

    @contextmanager
    def _quietly(self) -> Iterator[None]:
        """Asks the sampler without its warnings, such as numpy's about an overflow for objectives of 1e300."""
        with warnings.catch_warnings(action="ignore"), self._asking():
            yield

    def _numbers(self, point: Point) -> dict[str, Any]:
        return {name: one.number(point[name]) for name, one in self._coordinates.items() if name in point}

    def _suggested(self, trial: Trial) -> Point:
        point: Point = {}
        for name, domain in self._space.domains.items():
            active = self._space.is_active(name, point)
            coordinate = self._coordinates.get(name)
            if not active and not self._stateful:
                continue
            value = (
                domain.quantile(0.5)
                if coordinate is None
                else coordinate.value(_suggest(trial, name, coordinate.distribution))
            )
            if active:
                point[name] = value
        return point


def _without_warnings(make: Callable[[Setup], OptunaStrategy]) -> Callable[[Setup], OptunaStrategy]:
    """Hides Optuna's warnings, and gives a resumed run other random numbers than the first one."""

    @wraps(make)
    def made(setup: Setup) -> OptunaStrategy:
        if setup.earlier:
            setup = setup._replace(seed=numbered_rng(setup.seed, len(setup.earlier) + 1).getrandbits(32))
        with warnings.catch_warnings():
            # The user asked for what Optuna calls experimental.
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            # Optuna 6 will remove gamma, prior_weight and sigma0; Katib has them.
            warnings.simplefilter("ignore", FutureWarning)
            return make(setup)

    return made


@_without_warnings
def tpe(setup: Setup) -> OptunaStrategy:
    """Returns the strategy of Katib's tpe, with its settings gamma, prior_weight and n_EI_candidates."""
    settings = setup.settings
    arguments: dict[str, Any] = {}
    if "gamma" in settings:
        gamma = float(settings["gamma"])
        # Source: hyperopt's tpe.py, which Katib runs: the best gamma * sqrt(n) trials, at most 25.
        arguments["gamma"] = lambda trials: min(math.ceil(gamma * math.sqrt(trials)), 25)
    if "prior_weight" in settings:
        arguments["prior_weight"] = float(settings["prior_weight"])
    if "n_EI_candidates" in settings:
        arguments["n_ei_candidates"] = settings["n_EI_candidates"]
    sampler = TPESampler(seed=setup.seed, multivariate=False, constant_liar=setup.parallel > 1, **arguments)
    return OptunaStrategy(setup, sampler)


@_without_warnings
def multivariate_tpe(setup: Setup) -> OptunaStrategy:
    """Returns the strategy of Katib's multivariate-tpe; its settings are Optuna's."""
    sampler = TPESampler(
        seed=setup.seed,
        multivariate=True,
        group=bool(setup.space.conditional),
        constant_liar=setup.parallel > 1,
        **setup.settings,
    )
    return OptunaStrategy(setup, sampler)


@_without_warnings
def cmaes(setup: Setup) -> OptunaStrategy:
    """Returns the strategy of Katib's cmaes, with its setting sigma.

    Raises:
        RunError: Fewer than two numbers are searched.
    """
    optional_module("cmaes")
    settings, found = setup.settings, coordinates(setup.space)
    numbers = [name for name, one in found.items() if not isinstance(one.distribution, CategoricalDistribution)]
    if len(numbers) < 2:
        raise RunError(
            f"cmaes needs two or more numbers to search, but this study has {', '.join(numbers) or 'none'}; use the "
            f"algorithm tpe or random"
        )
    notes = []
    others = [name for name in found if name not in numbers]
    if others:
        notes.append(f"cmaes draws {', '.join(others)} at random: a choice has no order")
    if settings.get("restart_strategy", "none") != "none":
        notes.append(_no_effect("restart_strategy", "cmaes", "Optuna's sampler does not restart"))
    sampler = CmaEsSampler(seed=setup.seed, sigma0=settings.get("sigma"), warn_independent_sampling=False)
    # The sampler scales every range to a share. With our own shares the numbers are the same in a study and in the
    # Experiment rendered from it, where they encode the values.
    return OptunaStrategy(setup, sampler, stateful=True, several_objectives=False, notes=notes)


@_without_warnings
def bayesian(setup: Setup) -> OptunaStrategy:
    """Returns the strategy of Katib's bayesianoptimization, with its setting n_initial_points: a Gaussian process."""
    optional_module("scipy")
    torch = optional_module("torch", "train")
    settings, name = setup.settings, "bayesianoptimization"
    estimator = settings.get("base_estimator", "GP")
    notes = []
    if estimator != "GP":
        notes.append(_no_effect("base_estimator", name, f"it is a Gaussian process, not {estimator}"))
    for setting in ("acq_func", "acq_optimizer"):
        if setting in settings:
            notes.append(_no_effect(setting, name, "Optuna's sampler uses log EI and L-BFGS"))
    arguments = {"n_startup_trials": settings["n_initial_points"]} if "n_initial_points" in settings else {}
    sampler = GPSampler(seed=setup.seed, warn_independent_sampling=False, **arguments)
    return OptunaStrategy(setup, sampler, asking=lambda: _one_thread(torch), notes=notes)


@_without_warnings
def nsga2(setup: Setup) -> OptunaStrategy:
    """Returns the strategy of nsga2, whose settings are Optuna's; each value is a gene, active or not."""
    settings = {"population_size": POPULATION, **setup.settings}
    if "crossover" in settings:
        settings["crossover"] = _crossover(str(settings["crossover"]), settings.get("swapping_prob", 0.5))
    return OptunaStrategy(setup, NSGAIISampler(seed=setup.seed, **settings), stateful=True)


def _crossover(name: str, swapping_prob: Any) -> BaseCrossover:
    if name == "uniform":
        return UniformCrossover(swapping_prob)
    kinds = (BLXAlphaCrossover, SPXCrossover, SBXCrossover, VSBXCrossover, UNDXCrossover)
    crossover: BaseCrossover = next(kind for kind in kinds if kind.__name__.lower() == f"{name}crossover")()
    return crossover


@contextmanager
def _one_thread(torch: Any) -> Iterator[None]:
    """Limits the Gaussian process to one core: its matrices are small, and trials use the other cores.

    With one thread per core, while trials use the cores too, a suggestion takes about 20 times as long.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _no_effect(setting: str, algorithm: str, why: str) -> str:
    return f"the setting {setting} of {algorithm} has no effect here, only on Katib: {why}"


def coordinates(space: Space, *, shares: bool = False) -> dict[str, Coordinate]:
    """Returns how Optuna represents each name, without names that have a single value.

    Args:
        space: What is searched.
        shares: Whether each range is searched by shares of it, from 0 to 1.
    """
    return {name: _coordinate(domain, shares) for name, domain in space.domains.items() if domain.size > 1}


def _coordinate(domain: Domain, shares: bool) -> Coordinate:
    """Returns Optuna's own distribution if it is the same, otherwise our own share from 0 to 1."""
    if isinstance(domain, Listed):
        return _indexed(domain) if getattr(domain, "weights", None) is None else _shared(domain)
    return _shared(domain) if shares else _ranged(domain)


def range_of(domain: Domain) -> FloatDistribution | IntDistribution | None:
    """Returns the range of Optuna that has the same values and the same scale as a domain; None if there is none.

    Args:
        domain: The domain.
    """
    if isinstance(domain, Uniform | LogUniform):
        return FloatDistribution(domain.low, domain.high, log=isinstance(domain, LogUniform))
    if isinstance(domain, IntUniform) and (domain.step == 1 or not domain.log):
        high = domain.low + (int(domain.size) - 1) * domain.step
        return IntDistribution(domain.low, high, log=domain.log, step=domain.step)
    return None


def _ranged(domain: Domain) -> Coordinate:
    found = range_of(domain)
    if found is not None:
        kind = int if isinstance(found, IntDistribution) else float
        return Coordinate(found, kind, kind)
    return _indexed(domain) if isinstance(domain, QUniform) else _shared(domain)


def _shared(domain: Domain) -> Coordinate:
    return Coordinate(FloatDistribution(0, 1), domain.quantile, lambda value: share_of(domain, value))


def _indexed(domain: Domain) -> Coordinate:
    points = domain.grid()
    last = len(points) - 1
    distribution = CategoricalDistribution(range(last + 1)) if isinstance(domain, Choice) else IntDistribution(0, last)
    return Coordinate(distribution, points.__getitem__, lambda value: index_of(points, value))


def _suggest(trial: Trial, name: str, distribution: BaseDistribution) -> Any:
    if isinstance(distribution, CategoricalDistribution):
        return trial.suggest_categorical(name, distribution.choices)
    if isinstance(distribution, IntDistribution):
        return trial.suggest_int(
            name, distribution.low, distribution.high, step=distribution.step, log=distribution.log
        )
    if isinstance(distribution, FloatDistribution):
        return trial.suggest_float(name, distribution.low, distribution.high, log=distribution.log)
    raise TypeError(f"no coordinate has {distribution!r}")
