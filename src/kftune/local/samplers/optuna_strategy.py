"""Strategies that learn from results, through Optuna's ask and tell. The only module that imports Optuna."""

from __future__ import annotations

import importlib
import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple

from kftune.domains import (
    Choice,
    Domain,
    IntUniform,
    LogUniform,
    QUniform,
    Uniform,
)
from kftune.domains.listed import Listed
from kftune.errors import MissingExtraError, RunError
from kftune.local.samplers.shares import index_of, share_of
from kftune.local.samplers.space import Point, Space
from kftune.study.objective import Direction

try:
    import optuna
    from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
    from optuna.samplers import BaseSampler, CmaEsSampler, GPSampler, TPESampler
    from optuna.trial import TrialState
except ImportError as error:
    raise MissingExtraError("local", "optuna") from error

if TYPE_CHECKING:
    from optuna.trial import Trial


class Coordinate(NamedTuple):
    """How Optuna sees one domain."""

    distribution: BaseDistribution
    value: Callable[[Any], Any]
    """The value at Optuna's number."""
    number: Callable[[Any], Any]
    """Optuna's number for a value."""


class OptunaStrategy:
    """One of Optuna's samplers, with an in-memory study of its own.

    Args:
        space: What is searched.
        sampler: Optuna's sampler.
        direction: minimize or maximize.
        replays: Whether earlier results must go through the sampler one by one, since it keeps a state of its own.
        always_all: Whether the sampler needs a number for every name, active or not.
        shares: Whether it searches shares of each range, from 0 to 1.
        asking: Makes what surrounds each question to the sampler.
        notes: What the user should know.
    """

    patience: int | None = 5
    only_its_own = False

    def __init__(
        self,
        space: Space,
        sampler: BaseSampler,
        direction: Direction,
        *,
        replays: bool = False,
        always_all: bool = False,
        shares: bool = False,
        asking: Callable[[], AbstractContextManager[None]] = nullcontext,
        notes: Iterable[str] = (),
    ) -> None:
        self.notes = list(notes)
        self._space = space
        self._replays = replays
        self._always_all = always_all
        self._asking = asking
        self._coordinates = coordinates(space, shares=shares)
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._study = optuna.create_study(sampler=sampler, direction=direction)
        self._running: dict[int, Trial] = {}
        self._proposed: tuple[Point, Trial] | None = None

    def proposals(self, number: int) -> Iterator[Point]:
        """What the sampler asks for, again and again."""
        while True:
            self._drop_proposed()
            with self._asking():
                trial = self._study.ask()
                point = self._suggested(trial)
            self._proposed = (point, trial)
            yield point

    def accept(self, number: int, point: Point) -> None:
        """The sampler's own trial where it proposed the point, else one with these values."""
        if self._proposed is not None and self._proposed[0] is point:
            self._running[number] = self._proposed[1]
            self._proposed = None
            return
        self._drop_proposed()
        self._running[number] = self._enqueued(point)

    def tell(self, number: int, value: float | None) -> None:
        """The objective, or that there is none."""
        trial = self._running.pop(number)
        if value is None:
            self._study.tell(trial, state=TrialState.FAIL)
        else:
            self._study.tell(trial, value)

    def parent_of(self, number: int) -> int | None:
        """None: every trial begins anew."""
        return None

    def learn(self, results: Iterable[tuple[Point, float]]) -> None:
        """Earlier results as trials of the study."""
        if self._replays:
            for point, value in results:
                self._study.tell(self._enqueued(point), value)
            return
        self._study.add_trials(
            [
                optuna.create_trial(
                    params=self._numbers(point),
                    distributions={
                        name: coordinate.distribution for name, coordinate in self._coordinates.items() if name in point
                    },
                    value=value,
                )
                for point, value in results
            ]
        )

    def _drop_proposed(self) -> None:
        if self._proposed is not None:
            self._study.tell(self._proposed[1], state=TrialState.FAIL)
            self._proposed = None

    def _enqueued(self, point: Point) -> Trial:
        self._study.enqueue_trial(self._numbers(point))
        with self._asking():
            trial = self._study.ask()
            self._suggested(trial)
        return trial

    def _numbers(self, point: Point) -> dict[str, Any]:
        return {name: one.number(point[name]) for name, one in self._coordinates.items() if name in point}

    def _suggested(self, trial: Trial) -> Point:
        point: Point = {}
        for name, domain in self._space.domains.items():
            active = self._space.is_active(name, point)
            coordinate = self._coordinates.get(name)
            if not active and not self._always_all:
                continue
            value = (
                domain.quantile(0.5)
                if coordinate is None
                else coordinate.value(_suggest(trial, name, coordinate.distribution))
            )
            if active:
                point[name] = value
        return point


def optuna_strategy(
    name: str, space: Space, seed: int, direction: Direction, settings: Mapping[str, Any], parallel: int
) -> OptunaStrategy:
    """The strategy of an algorithm with Katib's name and settings.

    Args:
        name: tpe, multivariate-tpe, cmaes or bayesianoptimization.
        space: What is searched.
        seed: Makes the choices repeatable.
        direction: minimize or maximize.
        settings: The algorithm's settings by Katib's names.
        parallel: How many trials run at once.

    Raises:
        RunError: The algorithm cannot search this space.
        MissingExtraError: A package that it needs is not installed.
    """
    make = {"tpe": _tpe, "multivariate-tpe": _multivariate_tpe, "cmaes": _cmaes, "bayesianoptimization": _gp}[name]
    with warnings.catch_warnings():
        # What Optuna calls experimental is what the user asked for.
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        # Optuna 6 will drop gamma, prior_weight and sigma0; Katib's users have them.
        warnings.simplefilter("ignore", FutureWarning)
        return make(space, seed, direction, settings, parallel)


def _tpe(space: Space, seed: int, direction: Direction, settings: Mapping[str, Any], parallel: int) -> OptunaStrategy:
    arguments: dict[str, Any] = {}
    if "gamma" in settings:
        gamma = float(settings["gamma"])
        # Source: hyperopt's tpe.py, which Katib runs: the best gamma * sqrt(n) trials, at most 25.
        arguments["gamma"] = lambda trials: min(math.ceil(gamma * math.sqrt(trials)), 25)
    if "prior_weight" in settings:
        arguments["prior_weight"] = float(settings["prior_weight"])
    if "n_EI_candidates" in settings:
        arguments["n_ei_candidates"] = settings["n_EI_candidates"]
    sampler = TPESampler(seed=seed, multivariate=False, constant_liar=parallel > 1, **arguments)
    return OptunaStrategy(space, sampler, direction)


def _multivariate_tpe(
    space: Space, seed: int, direction: Direction, settings: Mapping[str, Any], parallel: int
) -> OptunaStrategy:
    grouped = bool(space.conditional)
    sampler = TPESampler(seed=seed, multivariate=True, group=grouped, constant_liar=parallel > 1, **settings)
    return OptunaStrategy(space, sampler, direction)


def _cmaes(space: Space, seed: int, direction: Direction, settings: Mapping[str, Any], parallel: int) -> OptunaStrategy:
    _need("cmaes", "local")
    found = coordinates(space)
    numbers = [name for name, one in found.items() if not isinstance(one.distribution, CategoricalDistribution)]
    if len(numbers) < 2:
        raise RunError(
            f"cmaes needs two or more numbers to search, but this study has {', '.join(numbers) or 'none'}; take the "
            f"algorithm tpe or random"
        )
    notes = []
    others = [name for name in found if name not in numbers]
    if others:
        notes.append(f"cmaes draws {', '.join(others)} at random: a choice has no order")
    if settings.get("restart_strategy", "none") != "none":
        notes.append(_no_counterpart("restart_strategy", "cmaes", "Optuna's sampler does not restart"))
    sampler = CmaEsSampler(seed=seed, sigma0=settings.get("sigma"), warn_independent_sampling=False)
    # The sampler itself scales every range to a share. With our own shares the numbers are the same in a study, and in
    # the Experiment rendered from it, where they stand for the values.
    return OptunaStrategy(space, sampler, direction, replays=True, always_all=True, shares=True, notes=notes)


def _gp(space: Space, seed: int, direction: Direction, settings: Mapping[str, Any], parallel: int) -> OptunaStrategy:
    _need("scipy", "local")
    torch = _need("torch", "train")
    estimator = settings.get("base_estimator", "GP")
    notes = []
    if estimator != "GP":
        notes.append(
            _no_counterpart("base_estimator", "bayesianoptimization", f"it is a Gaussian process, no {estimator}")
        )
    for name in ("acq_func", "acq_optimizer"):
        if name in settings:
            notes.append(_no_counterpart(name, "bayesianoptimization", "Optuna's sampler takes log EI and L-BFGS"))
    arguments = {"n_startup_trials": settings["n_initial_points"]} if "n_initial_points" in settings else {}
    sampler = GPSampler(seed=seed, warn_independent_sampling=False, **arguments)
    return OptunaStrategy(space, sampler, direction, asking=lambda: _one_thread(torch), notes=notes)


@contextmanager
def _one_thread(torch: Any) -> Iterator[None]:
    """Keeps the Gaussian process to one core: its matrices are small, and the others belong to trials.

    With as many threads as cores, beside trials that use these too, a question takes some 20 times as long.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _no_counterpart(setting: str, algorithm: str, why: str) -> str:
    return f"the setting {setting} of {algorithm} has no effect here, only on Katib: {why}"


def _need(package: str, extra: str) -> Any:
    """A package that Optuna will import; by name here, since no part of kftune but the trainer is written for it."""
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise MissingExtraError(extra, package) from error


def coordinates(space: Space, *, shares: bool = False) -> dict[str, Coordinate]:
    """How Optuna sees each name; those with a single value are left out.

    Args:
        space: What is searched.
        shares: Whether each range is searched by shares of it, from 0 to 1.
    """
    return {name: _coordinate(domain, shares) for name, domain in space.domains.items() if domain.size > 1}


def _coordinate(domain: Domain, shares: bool) -> Coordinate:
    """Optuna's own distribution where it is the same one, else a share from 0 to 1 of ours."""
    if isinstance(domain, Listed):
        return _indexed(domain) if getattr(domain, "weights", None) is None else _shared(domain)
    return _shared(domain) if shares else _ranged(domain)


def _ranged(domain: Domain) -> Coordinate:
    if isinstance(domain, Uniform | LogUniform):
        log = isinstance(domain, LogUniform)
        return Coordinate(FloatDistribution(domain.low, domain.high, log=log), float, float)
    if isinstance(domain, IntUniform) and (domain.step == 1 or not domain.log):
        high = domain.low + (int(domain.size) - 1) * domain.step
        return Coordinate(IntDistribution(domain.low, high, log=domain.log, step=domain.step), int, int)
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
