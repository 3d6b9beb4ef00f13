"""Every algorithm keeps one contract, whatever the space; and what is special to each."""

from __future__ import annotations

import math
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

import optuna
import pytest
from local_study import Branches, Tiny, run, study, trials_in
from places import SUPPORT

from kftune import (
    Choice,
    Conditional,
    Discrete,
    Domain,
    Hparam,
    Hparams,
    IntUniform,
    LogNormal,
    LogUniform,
    Normal,
    Ordinal,
    QLogNormal,
    QLogUniform,
    QNormal,
    QUniform,
    ReverseLogUniform,
    Uniform,
)
from kftune.errors import MissingExtraError, RunError
from kftune.local.samplers import Sampler, Space, Suggestion, numbered_rng
from kftune.local.samplers import make_sampler as sampler_of
from kftune.local.samplers.optuna_strategy import OptunaStrategy, coordinates
from kftune.local.samplers.strategy import Setup
from kftune.results import Trial
from kftune.study import Algorithm, Study

ALL = ("random", "grid", "sobol", "tpe", "multivariate-tpe", "cmaes", "bayesianoptimization", "nsga2")
DOMAINS: dict[str, Domain] = {
    "uniform": Uniform(-1, 1),
    "log": LogUniform(1e-5, 1e-1),
    "reverse": ReverseLogUniform(0.5, 0.999),
    "quniform": QUniform(0, 1, 0.1),
    "qlog": QLogUniform(1, 100, 0.5),
    "normal": Normal(0, 1),
    "cut": Normal(0, 1, low=0.5, high=2),
    "lognormal": LogNormal(0, 1),
    "qnormal": QNormal(0, 10, 0.5),
    "qlognormal": QLogNormal(1, 1, 0.25),
    "integer": IntUniform(-3, 40),
    "stepped": IntUniform(1, 30, step=4),
    "logged": IntUniform(1, 1000, log=True),
    "logged_steps": IntUniform(1, 1000, step=3, log=True),
    "whole": QUniform(16, 512, 16),
    "whole_log": QLogUniform(16, 512, 16),
    "whole_normal": QNormal(64, 16, 8, low=8),
    "whole_lognormal": QLogNormal(3, 1, 4),
    "choice": Choice("a", "b", "c"),
    "weighted": Choice("a", "b", "c", weights=(1, 2, 3)),
    "mixed": Choice("x", None, 1, True, [1, 2], {"k": 1}),
    "ordinal": Ordinal("small", "medium", "large"),
    "discrete": Discrete(1, 10, 2.5),
    "one": Choice("only"),
}


class Every(Hparams):
    """A field for every kind of domain; one matters only for some values of another."""

    uniform: float = Hparam(0.0, search=DOMAINS["uniform"])
    log: float = Hparam(1e-3, search=DOMAINS["log"])
    reverse: float = Hparam(0.9, search=DOMAINS["reverse"])
    quniform: float = Hparam(0.5, search=DOMAINS["quniform"])
    qlog: float = Hparam(1.0, search=DOMAINS["qlog"])
    normal: float = Hparam(0.0, search=DOMAINS["normal"])
    cut: float = Hparam(1.0, search=DOMAINS["cut"])
    lognormal: float = Hparam(1.0, search=DOMAINS["lognormal"])
    qnormal: float = Hparam(0.0, search=DOMAINS["qnormal"])
    qlognormal: float = Hparam(1.0, search=DOMAINS["qlognormal"])
    integer: int = Hparam(0, search=DOMAINS["integer"])
    stepped: int = Hparam(1, search=DOMAINS["stepped"])
    logged: int = Hparam(10, search=DOMAINS["logged"])
    logged_steps: int = Hparam(1, search=DOMAINS["logged_steps"])
    whole: int = Hparam(64, search=DOMAINS["whole"])
    whole_log: int = Hparam(64, search=DOMAINS["whole_log"])
    whole_normal: int = Hparam(64, search=DOMAINS["whole_normal"])
    whole_lognormal: int = Hparam(64, search=DOMAINS["whole_lognormal"])
    choice: str = Hparam("a", search=DOMAINS["choice"])
    weighted: str = Hparam("a", search=DOMAINS["weighted"])
    mixed: Any = Hparam("x", search=DOMAINS["mixed"])
    ordinal: str = Hparam("small", search=DOMAINS["ordinal"])
    discrete: float = Hparam(1, search=DOMAINS["discrete"])
    one: str = Hparam("only", search=DOMAINS["one"])
    conditional: float = Hparam(0.5, search=Conditional(Uniform(0, 1), when={"choice": ("a", "b")}))


class Two(Hparams):
    """Two numbers."""

    x: float = Hparam(0.0, search=Uniform(-5, 5))
    """Best near 1."""
    y: float = Hparam(1.0, search=LogUniform(0.1, 10))
    """Best near 2."""


class Points(Hparams):
    """Sixty points."""

    a: int = Hparam(1, search=IntUniform(1, 10))
    b: bool = Hparam(False, search=Choice(False, True))
    c: float = Hparam(1, search=Discrete(1, 2.5, 100))


def study_of(algorithm: str, hparams: type[Hparams], seed: int | None = 3, trials: int = 100) -> Study:
    settings: dict[str, Any] = {}
    if algorithm == "bayesianoptimization":
        settings = {"n_initial_points": 5}  # so that a few trials reach the model
    return study(hparams=hparams, trials=trials, algorithm={"name": algorithm, "seed": seed, "settings": settings})


def make_sampler(a_study: Study, seed: int, parallel: int = 1, earlier: Sequence[Trial] = ()) -> Sampler:
    return sampler_of(a_study, a_study.algorithm, a_study.objective.direction, seed, parallel=parallel, trials=earlier)


def draw(a_study: Study, count: int, *, parallel: int = 1, seed: int = 3) -> list[Suggestion]:
    """Asks and tells; every fifth trial fails, and up to `parallel` run at once."""
    sampler = make_sampler(a_study, seed, parallel)
    drawn: list[Suggestion] = []
    running: list[tuple[int, Suggestion]] = []
    for number in range(1, count + 1):
        suggestion = sampler.ask(number)
        if suggestion is None:
            break
        drawn.append(suggestion)
        running.append((number, suggestion))
        if len(running) == parallel:
            ended, its = running.pop(0)
            sampler.tell(ended, None if ended % 5 == 0 else float(len(str(its.point))))
    return drawn


def length(algorithm: str) -> int:
    return 7 if algorithm == "bayesianoptimization" else 40


@pytest.mark.parametrize("algorithm", [name for name in ALL if name != "grid"])
def test_values_lie_in_their_domains_and_only_active_ones_are_there(algorithm):
    a_study = study_of(algorithm, Every)
    for suggestion in draw(a_study, length(algorithm), parallel=2):
        active = suggestion.point["choice"] in ("a", "b")
        assert set(suggestion.point) == set(a_study.space) - (set() if active else {"conditional"})
        for name, value in suggestion.point.items():
            assert a_study.space[name].contains(value), (name, value)
        assert Every.from_assignments(suggestion.assignment).to_dict()["integer"] == suggestion.point["integer"]


@pytest.mark.parametrize("algorithm", ALL)
def test_the_seed_decides(algorithm):
    hparams = Points
    first, second = (draw(study_of(algorithm, hparams), length(algorithm)) for _ in range(2))
    assert first == second
    assert draw(study_of(algorithm, hparams), length(algorithm), seed=4) != first


@pytest.mark.parametrize("algorithm", ALL)
def test_no_point_comes_twice_while_the_space_has_others(algorithm):
    drawn = draw(study_of(algorithm, Points), 10 if algorithm == "bayesianoptimization" else 60, parallel=4)
    assert len({suggestion.key for suggestion in drawn}) == len(drawn) >= 10


@pytest.mark.parametrize("algorithm", [name for name in ALL if name not in ("cmaes", "bayesianoptimization")])
@pytest.mark.parametrize(("hparams", "count"), [(Tiny, 6), (Branches, 4)])
def test_every_point_of_a_small_space_is_tried_once(algorithm, hparams, count):
    drawn = draw(study_of(algorithm, hparams), 50)
    assert len(drawn) == len({suggestion.key for suggestion in drawn}) == count


@pytest.mark.parametrize("algorithm", [name for name in ALL if name != "cmaes"])
@pytest.mark.parametrize(
    ("hparams", "budget", "total"), [(Tiny, 50, 6), (Tiny, 5, 5), (Branches, 5, 4), (Every, 50, 50)]
)
def test_the_total_is_the_budget_or_the_points_of_a_smaller_space(algorithm, hparams, budget, total):
    a_study = study_of("random" if hparams is Every and algorithm == "grid" else algorithm, hparams)
    assert make_sampler(a_study, 3).total(budget) == total


@pytest.mark.parametrize("algorithm", ALL)
def test_an_algorithm_continues_with_the_results_of_another(tmp_path, algorithm):
    run(study(hparams=Points, trials=12, budget={"parallel": 3}), tmp_path)
    a_study = study_of(algorithm, Points, trials=60)
    earlier = trials_in(tmp_path)
    sampler = make_sampler(a_study, 3, 1, earlier)
    later = [sampler.ask(number) for number in range(13, 17)]
    assert all(later)
    tried = [tuple(trial.assignment.items()) for trial in earlier]
    assert not {suggestion.key for suggestion in later if suggestion} & set(tried)


@pytest.mark.parametrize("algorithm", ALL)
def test_a_trial_that_was_cut_short_can_run_again(algorithm):
    sampler = make_sampler(study_of(algorithm, Points), 3)
    sampler.repeat(1, {"a": 4, "b": True, "c": 2.5})
    sampler.tell(1, 0.5)
    assert sampler.ask(2) is not None


@pytest.mark.parametrize("algorithm", ["tpe", "multivariate-tpe", "cmaes"])
def test_what_learns_finds_better_values_than_chance(algorithm):
    def best(name: str, seed: int) -> float:
        sampler = make_sampler(study_of(name, Two), seed)
        values: list[float] = []
        for number in range(1, 81):
            suggestion = sampler.ask(number)
            assert suggestion is not None
            values.append((suggestion.point["x"] - 1) ** 2 + (suggestion.point["y"] - 2) ** 2)
            sampler.tell(number, values[-1])
        return sum(sorted(values)[:10])

    assert sum(best(algorithm, seed) < best("random", seed) for seed in (1, 2, 3)) >= 2


def test_random_draws_depend_on_seed_and_number_alone():
    a_study = study_of("random", Every)
    ordered = draw(a_study, 20)
    assert draw(a_study, 20, parallel=7) == ordered
    sampler = make_sampler(a_study, 3)
    assert sampler.ask(13) == ordered[12]


def test_random_draws_follow_the_domains():
    drawn = draw(study_of("random", Every), 400)
    weights = [sum(one.point["weighted"] == option for one in drawn) for option in ("a", "b", "c")]
    assert weights[0] < weights[1] < weights[2]
    below = sum(one.point["log"] < 1e-3 for one in drawn)
    assert 150 < below < 250


def test_a_point_of_equal_texts_counts_as_the_same():
    class Alike(Hparams):
        """Two fields, four points."""

        a: int = Hparam(1, search=Choice(1, 2))
        b: float = Hparam(1.0, search=Discrete(1, 2))

    assert len(draw(study_of("random", Alike), 20)) == 4


def test_a_condition_on_a_field_that_is_declared_later_holds():
    for suggestion in draw(study_of("random", Branches), 4):
        assert ("momentum" in suggestion.assignment) == (suggestion.assignment["optimizer"] == "sgd")


def test_a_chain_of_conditions_holds():
    class Chain(Hparams):
        """c needs b, which needs a."""

        b: bool = Hparam(False, search=Conditional(Choice(False, True), when={"a": (True,)}))
        c: int = Hparam(0, search=Conditional(IntUniform(0, 3), when={"b": (True,)}))
        a: bool = Hparam(False, search=Choice(False, True))

    drawn = draw(study_of("random", Chain), 50)
    assert sorted(tuple(one.assignment.items()) for one in drawn) == sorted(
        [(("a", "false"),), (("b", "false"), ("a", "true"))]
        + [(("b", "true"), ("c", str(c)), ("a", "true")) for c in range(4)]
    )


def test_a_domain_of_one_value_is_not_given_to_optuna():
    assert "one" not in coordinates(Space(study_of("random", Every)))


@pytest.mark.parametrize("name", [name for name in DOMAINS if name != "one"])
def test_optuna_s_numbers_and_our_values_convert_both_ways(name):
    domain = DOMAINS[name]
    coordinate, rng = coordinates(Space(study_of("random", Every)))[name], random.Random(1)
    for _ in range(50):
        value = domain.sample(rng)
        back = coordinate.value(coordinate.number(value))
        assert domain.contains(back)
        assert back == pytest.approx(value) if isinstance(value, float) else back == value


# -- settings -----------------------------------------------------------------------------------------------------


def notes_of(name: str, settings: dict[str, Any], hparams: type[Hparams] = Two) -> list[str]:
    a_study = study(hparams=hparams, algorithm={"name": name, "settings": settings})
    return make_sampler(a_study, 3).notes


def test_settings_without_effect_are_noted():
    assert notes_of("tpe", {"gamma": 0.25, "n_EI_candidates": 10, "prior_weight": 2}) == []
    assert notes_of("cmaes", {"sigma": 0.2, "restart_strategy": "none"}) == []
    assert notes_of("bayesianoptimization", {"base_estimator": "RF", "n_initial_points": 3, "acq_func": "EI"}) == [
        "the setting base_estimator of bayesianoptimization has no effect here, only on Katib: it is a Gaussian "
        "process, not RF",
        "the setting acq_func of bayesianoptimization has no effect here, only on Katib: Optuna's sampler uses log EI "
        "and L-BFGS",
    ]
    assert notes_of("multivariate-tpe", {"n_startup_trials": 2, "n_ei_candidates": 5}) == []


@pytest.mark.parametrize(
    ("one", "other"), [({"gamma": 0.9}, {"gamma": 0.01}), ({"prior_weight": 10}, {}), ({"n_EI_candidates": 1}, {})]
)
def test_settings_of_tpe_change_what_it_chooses(one, other):
    def points(settings: dict[str, Any]) -> list[dict[str, Any]]:
        sampler = make_sampler(study(hparams=Two, algorithm={"name": "tpe", "settings": settings}), 3)
        drawn = []
        for number in range(1, 16):
            suggestion = sampler.ask(number)
            assert suggestion is not None
            drawn.append(suggestion.point)
            sampler.tell(number, abs(suggestion.point["x"]))
        return drawn

    assert points(one) != points(other)


def test_a_resumed_cmaes_goes_on_where_it_was(tmp_path):
    def distances(sampler: Sampler, numbers: range) -> list[tuple[dict[str, Any], float]]:
        found = []
        for number in numbers:
            suggestion = sampler.ask(number)
            assert suggestion is not None
            point = suggestion.point
            found.append((point, (point["x"] - 1) ** 2 + math.log(point["y"] / 2) ** 2))
            sampler.tell(number, found[-1][1])
        return found

    a_study = study_of("cmaes", Two)
    before = distances(make_sampler(a_study, 3), range(1, 101))
    blank: dict[str, Any] = {
        **dict.fromkeys(Trial._fields),
        **Trial._field_defaults,
        "state": "Succeeded",
        "metrics": {},
    }
    earlier = []
    for number, (point, value) in enumerate(before, 1):
        given = {"number": number, "point": point, "assignment": a_study.assignment(point), "objective": value}
        earlier.append(Trial(**{**blank, **given}))
    after = distances(make_sampler(a_study, 3, 1, earlier), range(101, 111))
    assert max(value for _, value in after) < min(1, *(value for _, value in before[:5]))


class Heard(optuna.samplers.RandomSampler):
    """Proposes at random, and keeps what it is told."""

    def __init__(self) -> None:
        super().__init__(seed=1)
        self.told: list[tuple[int, float | None]] = []

    def after_trial(self, study, trial, state, values):
        self.told.append((trial.params["x"], values and values[0]))


class Coin(Hparams):
    """Two points."""

    x: str = Hparam("a", search=Choice("a", "b"))


def test_a_proposal_that_was_tried_already_is_told_its_value_again():
    heard = Heard()
    setup = Setup(space=Space(study_of("tpe", Coin)), algorithm=Algorithm(name="tpe"), direction="minimize", seed=1)
    strategy = OptunaStrategy(setup, heard)
    first = next(strategy.proposals(1))
    strategy.accept(1, first)
    strategy.tell(1, 0.5)
    proposals = strategy.proposals(2)
    rejected = [next(proposals) for _ in range(10)]
    strategy.accept(2, next(proposals))
    indices = {"a": 0, "b": 1}
    tried = indices[first["x"]]
    assert {point["x"] for point in rejected} == {"a", "b"}
    assert heard.told == [
        (tried, 0.5),
        *[(indices[point["x"]], 0.5 if indices[point["x"]] == tried else None) for point in rejected],
    ]


def test_cmaes_needs_two_numbers():
    with pytest.raises(RunError) as caught:
        make_sampler(study_of("cmaes", Branches), 3)
    assert str(caught.value) == (
        "cmaes needs two or more numbers to search, but this study has none; use the algorithm tpe or random"
    )


def test_a_missing_package_is_named_with_the_extra_that_brings_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    monkeypatch.delitem(sys.modules, "kftune.local.samplers.optuna_strategy", raising=False)
    with pytest.raises(MissingExtraError) as caught:
        make_sampler(study_of("tpe", Two), 3)
    assert str(caught.value) == (
        "this needs the package 'optuna'; install it with: pip install 'kftune[local]', or search without it: "
        "algorithm: {name: random}"
    )


def test_a_missing_torch_is_named_for_the_gaussian_process_alone(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match=r"'torch'; install it with: pip install 'kftune\[train\]'"):
        make_sampler(study_of("bayesianoptimization", Two), 3)
    make_sampler(study_of("tpe", Two), 3)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("algorithm", "hparams"),
    [
        ("tpe", Branches),
        ("multivariate-tpe", Branches),
        ("cmaes", Points),
        ("sobol", Branches),
        ("bayesianoptimization", Branches),
    ],
)
def test_no_algorithm_warns(algorithm, hparams):
    assert draw(study_of(algorithm, hparams), 3)


def test_a_gaussian_process_says_nothing_on_the_screen():
    script = f"""
import sys
sys.path.insert(0, {str(SUPPORT)!r})
sys.modules["greenlet"] = None  # as where it is not installed
from local_study import study
from kftune.local.samplers import make_sampler
for objective in (1.0, 1e308, 5e-324):
    a_study = study(algorithm={{"name": "bayesianoptimization", "settings": {{"n_initial_points": 2}}}})
    sampler = make_sampler(a_study, a_study.algorithm, "minimize", 3)
    for number in range(1, 6):
        assert sampler.ask(number) is not None
        sampler.tell(number, objective * (-1) ** number)
"""
    done = subprocess.run([sys.executable, "-W", "always", "-c", script], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# -- speed --------------------------------------------------------------------------------------------------------


def test_random_stays_as_quick_after_thousands_of_trials(tmp_path):
    sampler = make_sampler(study(trials=6000), 3)
    seconds = []
    for start in range(0, 6000, 1000):
        began = time.process_time()
        for number in range(start + 1, start + 1001):
            assert sampler.ask(number) is not None
        seconds.append(time.process_time() - began)
    assert min(seconds[3:]) < 3 * min(seconds[:3])


class Wide(Hparams):
    """Too many points to list them."""

    a: int = Hparam(1, search=IntUniform(1, 1_000_000))


def test_points_at_random_are_not_those_that_random_has_drawn_before():
    a_study = study_of("random", Wide)
    sampler, space, rng = sampler_of(a_study, a_study.algorithm, "minimize", 3), Space(a_study), numbered_rng(3, 1)
    assert all(sampler.claim(space.suggestion(space.draw(rng.random))) for _ in range(32))
    assert sampler.ask(1) is not None
