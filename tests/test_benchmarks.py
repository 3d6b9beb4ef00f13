"""The benchmarks: each module imports, and the problems of the search benchmarks are what their sources say."""

from __future__ import annotations

import importlib
import itertools
import math
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks import i_search, j_stopping
from benchmarks.curves import picture
from benchmarks.epochs import simulate
from benchmarks.i_ours import Ours
from benchmarks.measure import Comparison, Search, Skipped
from benchmarks.page import page
from benchmarks.problems import FUNCTIONS, Choice, Range, problems, table
from benchmarks.search import regrets
from benchmarks.tables.record import EPOCHS

FOLDER = Path(__file__).parent.parent / "benchmarks"
# The others import a peer that is in an environment of its own.
MODULES = sorted(
    f"benchmarks.{path.stem}"
    for path in FOLDER.glob("*.py")
    if "_peer_" not in path.name or path.stem in ("c_peer_optuna", "e_peer_optuna", "f_peer_argparse", "i_peer_optuna")
)
SPACES = {"lstm": "record_lstm", "digits": "record_digits"}

OPTIMA = {
    "Branin": {"x1": math.pi, "x2": 2.275},
    "Hartmann, 6 numbers": dict(
        zip(
            ["x1", "x2", "x3", "x4", "x5", "x6"],
            [0.20168952, 0.15001069, 0.47687398, 0.27533243, 0.31165162, 0.65730053],
            strict=True,
        )
    ),
    "Rosenbrock, 4 numbers": dict.fromkeys(["x1", "x2", "x3", "x4"], 1.0),
    "Ackley, 5 numbers": dict.fromkeys(["x1", "x2", "x3", "x4", "x5"], 0.0),
    "Levy, 5 numbers": dict.fromkeys(["x1", "x2", "x3", "x4", "x5"], 1.0),
    "Styblinski-Tang, 5 numbers": dict.fromkeys(["x1", "x2", "x3", "x4", "x5"], -2.90353403),
    "Goldstein-Price, logarithmic": {"x1": 1.0, "x2": 0.1},
    "Griewank, 5 integers": dict.fromkeys(["x1", "x2", "x3", "x4", "x5"], 0),
    "Func-2C, mixed": {"first": "camel", "second": "camel", "x1": 0.0898420 / 2, "x2": -0.7126564 / 2},
    "Jenatton, conditional": {"a": "0", "b": "0", "x4": 0.0, "r8": 0.0},
    "quadratic with noise, 5 numbers": {"x1": 1.2, "x2": -0.7, "x3": 0.4, "x4": -1.6, "x5": 0.9},
    "like a network: mixed, log, conditional": {
        "optimizer": "adam",
        "learning_rate": 1e-3,
        "weight_decay": 1e-4,
        "units": 128,
        "layers": 3,
        "dropout": 0.1,
    },
}


@pytest.mark.parametrize("name", MODULES)
def test_each_module_imports(name):
    assert importlib.import_module(name).__doc__


@pytest.mark.parametrize("problem", FUNCTIONS, ids=lambda each: each.name)
def test_a_function_has_its_published_optimum(problem):
    assert problem.value(OPTIMA[problem.name]) == pytest.approx(problem.optimum, abs=1e-6)


def _values(one: Range) -> list[str]:
    return list(one.options) if isinstance(one, Choice) else [str(n) for n in range(int(one.low), int(one.high) + 1)]


@pytest.mark.parametrize("name", SPACES)
def test_a_table_has_the_losses_of_every_point_that_its_recorder_trains(name):
    recorded = importlib.import_module(f"benchmarks.tables.{SPACES[name]}").VALUES
    space = table(name).space
    assert {each: _values(one) for each, one in space.items()} == {
        each: [str(value) for value in values] for each, values in recorded.items()
    }
    assert set(table(name).curves) == set(itertools.product(*map(_values, space.values())))
    assert {len(curve) for curve in table(name).curves.values()} == {EPOCHS}


@pytest.mark.parametrize("problem", problems().values(), ids=lambda each: each.name)
def test_our_default_searches_every_problem(problem):
    found = regrets(problem, Ours(problem, "multivariate-tpe", 1), 3, 1)
    assert len(found) == 3
    assert min(found) >= -1e-6


def test_the_noise_of_a_trial_does_not_depend_on_the_point():
    noisy = next(each for each in FUNCTIONS if each.noise)
    assert noisy.told(1.0, 7, 1) - 1.0 == pytest.approx(noisy.told(5.0, 7, 1) - 5.0)
    assert noisy.told(1.0, 7, 1) != noisy.told(1.0, 8, 1) != noisy.told(1.0, 8, 2)


class _StopsAfterTwo(Ours):
    """Stops every trial after two epochs."""

    def report(self, number, epoch, loss):
        return epoch == 2

    def end(self, number, losses):
        self.tell(number, min(losses))


@pytest.mark.parametrize("workers", [1, 4])
def test_the_simulator_counts_every_epoch(workers):
    problem = table("lstm")
    tuner = _StopsAfterTwo(problem, "random", 1)
    found = simulate(problem, tuner, seed=1, workers=workers, trials=6)
    assert (found.epochs, found.stopped) == (12, 6)
    assert found.regret > 0


def test_the_simulator_ends_with_its_epochs():
    problem = table("lstm")
    assert simulate(problem, _StopsAfterTwo(problem, "random", 1), seed=1, workers=4, epochs=9).epochs == 9


def test_a_side_that_always_finds_less_wins_every_pair():
    better, equal = Search("it", {"ours": [1.0] * 20, "a": [2.0] * 20}), Search("it", {"ours": [1.0], "a": [1.0]})
    assert (better.wins, better.passed) == ({"a": 1.0}, True)
    assert equal.wins == {"a": 0.5}


def test_a_side_that_is_worse_beyond_noise_misses_the_goal():
    values = [float(number) for number in range(20)]
    assert not Search("it", {"ours": [value + 7 for value in values], "a": values}).passed
    assert Search("it", {"ours": [value + 1 for value in values], "a": values}).passed


def test_the_row_of_rules_compares_epochs_and_what_is_found(monkeypatch, tmp_path):
    monkeypatch.setattr(j_stopping, "TABLES", ("lstm",))
    monkeypatch.setattr(j_stopping, "WORKERS", (4,))
    monkeypatch.setattr(j_stopping, "SYNE_TUNE", SimpleNamespace(missing="Syne Tune is not installed"))
    epochs, found, skipped = j_stopping.measure(1, tmp_path, trials=12)
    assert isinstance(epochs, Comparison)
    assert epochs.ratio < 1
    assert isinstance(found, Search)
    assert list(found.sides) == [j_stopping.RULE_NAME, "no rule"]
    assert skipped == Skipped(j_stopping.ASHA_NAME, "Syne Tune's ASHA", "Syne Tune is not installed")


def test_the_page_shows_a_search_with_its_picture():
    sides = {"ours": [1.0, 2.0, 3.0], "Other": [2.0, 3.0, 4.0]}
    line = {
        "row": "i",
        "what": "a < b",
        "sides": sides,
        "curves": {"ours": [4.0, 2.0], "Other": [4.0, 3.0]},
        "wins": {"Other": 0.78},
        "least": 0.3,
        "passed": True,
    }
    text = page({"machine": "here", "rounds": 1, "rows": [line], "versions": {}}, {"i": i_search.TITLE})
    assert "| a < b | 2 [1.5 .. 2.5] | 3 [2.5 .. 3.5]: **0.78** | ≥ 0.30 met |" in text
    assert "a &lt; b" in picture([line])
