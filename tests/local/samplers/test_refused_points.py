"""No algorithm proposes a point that a constraint or the class of the study refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from local_study import finished, run, sh, study, trials_in
from pydantic import field_validator, model_validator

from kftune import Choice, Conditional, Hparam, Hparams, IntUniform, LogUniform, Uniform
from kftune.errors import RunError, StudyError
from kftune.local.samplers import Sampler, check_allowed, make_sampler
from kftune.study import Study

SETTINGS: dict[str, dict[str, Any]] = {
    "random": {},
    "sobol": {},
    "tpe": {},
    "multivariate-tpe": {},
    "cmaes": {},
    "bayesianoptimization": {"n_initial_points": 4},
    "hyperband": {"resource_name": "epochs", "r_l": 9},
}


class Net(Hparams):
    """Some values do not fit together."""

    hidden: int = Hparam(32, ge=1, search=IntUniform(1, 512, log=True))
    layers: int = Hparam(2, ge=1, search=IntUniform(1, 12))
    kind: str = Hparam("adam", search=Choice("adam", "sgd"))
    lr: float = Hparam(0.01, search=LogUniform(1e-4, 1))
    momentum: float = Hparam(0.9, search=Conditional(Uniform(0, 0.99), {"kind": "sgd"}))
    epochs: int = Hparam(1, search=IntUniform(1, 9))

    @model_validator(mode="after")
    def _converges(self) -> Net:
        if self.kind == "sgd" and self.lr * self.momentum > 0.3:
            raise ValueError("sgd diverges")
        return self


class Even(Hparams):
    """Half of the points of a grid are refused, one with an error that is not a finding."""

    a: int = Hparam(2, search=IntUniform(1, 10))
    b: int = Hparam(1, search=Choice(1, 2, 3))

    @model_validator(mode="after")
    def _even(self) -> Even:
        if self.a % 2:
            raise LookupError("odd")
        return self


class Multiples(Hparams):
    """The ends of the domain are allowed, most values between them are not."""

    units: int = Hparam(8, search=IntUniform(8, 4096))
    rate: float = Hparam(0.5, search=Uniform(0, 1))

    @field_validator("units")
    @classmethod
    def _eight(cls, value: int) -> int:
        if value % 8:
            raise ValueError("a multiple of 8")
        return value


CONSTRAINTS = ("hidden * layers <= 512", "momentum + lr < 1", "epochs * hidden <= 1024")


def sampler(a_study: Study, seed: int = 3) -> Sampler:
    return make_sampler(a_study, a_study.algorithm, "minimize", seed)


def asked(a_study: Study, count: int, seed: int = 3) -> list[dict[str, Any]]:
    """Returns the points of a run in which smaller networks are better."""
    made, points = sampler(a_study, seed), []
    for number in range(1, count + 1):
        suggestion = made.ask(number)
        if suggestion is None:
            break
        points.append(suggestion.point)
        made.tell(number, float(sum(value for value in suggestion.point.values() if not isinstance(value, str))))
    return points


@pytest.mark.parametrize("algorithm", SETTINGS)
@settings(max_examples=3, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_every_proposed_point_meets_the_constraints_and_is_accepted_by_the_class(algorithm, seed):
    chosen = {"name": algorithm, "settings": SETTINGS[algorithm]}
    a_study = study(hparams=Net, algorithm=chosen, constraints=CONSTRAINTS, trials=100)
    points = asked(a_study, 8 if algorithm == "bayesianoptimization" else 40, seed)
    assert len(points) >= 8
    for point in points:
        assert point["hidden"] * point["layers"] <= 512
        assert "momentum" not in point or point["momentum"] + point["lr"] < 1
        assert point["epochs"] * point["hidden"] <= 1024
        Net.from_assignments(a_study.assignment(point))


@pytest.mark.parametrize("algorithm", ["random", "tpe", "sobol", "bayesianoptimization"])
def test_values_between_the_ends_of_a_domain_are_refused_by_a_field_validator(algorithm):
    a_study = study(hparams=Multiples, algorithm={"name": algorithm, "settings": SETTINGS[algorithm]}, trials=20)
    points = asked(a_study, 8)
    assert [point["units"] % 8 for point in points] == [0] * 8


def test_a_grid_passes_over_points_that_are_refused_and_knows_how_many_are_left():
    a_study = study(hparams=Even, algorithm={"name": "grid"}, constraints=["a + b > 3"], trials=14)
    points = asked(a_study, 30)
    wanted = {(a, b) for a in (2, 4, 6, 8, 10) for b in (1, 2, 3) if a + b > 3}
    assert {(point["a"], point["b"]) for point in points} == wanted
    assert len(points) == len(wanted) == sampler(a_study).total(30)


def test_a_grid_must_have_room_for_the_points_that_are_allowed():
    with pytest.raises(StudyError, match="it has 15 and max_trials=14"):
        study(hparams=Even, algorithm={"name": "grid"}, trials=14)


@pytest.mark.parametrize("algorithm", ["random", "tpe", "multivariate-tpe", "sobol"])
def test_every_allowed_point_of_a_finite_space_is_tried_once(algorithm):
    a_study = study(hparams=Even, algorithm={"name": algorithm}, trials=40)
    points = asked(a_study, 40)
    assert len(points) == len({tuple(point.values()) for point in points}) == 15 == sampler(a_study).total(40)


def test_hyperband_compares_points_that_are_allowed_with_the_resource_of_their_rung():
    a_study = study(
        hparams=Net,
        algorithm={"name": "hyperband", "settings": {"resource_name": "epochs", "r_l": 9}},
        constraints=["epochs * hidden <= 64"],
        trials=60,
    )
    points = asked(a_study, 60)
    assert {point["epochs"] for point in points} == {1, 3, 9}
    assert max(point["epochs"] * point["hidden"] for point in points) <= 64


def test_hyperband_leaves_out_brackets_without_an_allowed_point():
    chosen = {"name": "hyperband", "settings": SETTINGS["hyperband"]}
    points = asked(study(hparams=Net, algorithm=chosen, constraints=["epochs >= 5"], trials=30), 30)
    assert [point["epochs"] for point in points] == [9] * 30


def test_a_study_that_allows_nothing_says_which_rules_refuse_how_much():
    with pytest.raises(RunError) as refused:
        check_allowed(study(hparams=Net, constraints=["lr > 0.5", "lr < 0.4 or hidden < 1"]))
    text = str(refused.value)
    assert "of 20000 drawn points none is" in text
    assert "lr > 0.5 refuses" in text
    assert "lr < 0.4 or hidden < 1 refuses" in text


def test_the_one_allowed_point_of_a_finite_space_is_found():
    a_study = study(hparams=Even, constraints=["a == 4 and b == 2"])
    check_allowed(a_study)
    assert asked(a_study, 9) == [{"a": 4, "b": 2}]


def test_a_run_passes_over_points_and_ends_when_none_is_left(tmp_path: Path):
    a_study = study(sh("echo loss=0.5"), hparams=Even, constraints=["a > 6"], trials=30)
    outcome, events = run(a_study, tmp_path)
    assert len(finished(events)) == 6
    assert outcome.message.startswith("no further point was found that the constraints and the class accept, after 6")
    assert {trial.point["a"] for trial in trials_in(tmp_path)} == {8, 10}


def test_results_belong_to_the_constraints_under_which_they_were_found(tmp_path: Path):
    run(study(hparams=Even, constraints=["a > 6"]), tmp_path)
    with pytest.raises(Exception, match=r'constraints: was \["a > 6"\], is \[\]'):
        run(study(hparams=Even), tmp_path)


def test_a_class_without_validators_is_not_asked():
    assert not study().restricted
    assert study(constraints=["units < 64"]).restricted
