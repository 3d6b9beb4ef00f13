"""What a study with an algorithm of its own, with constraints, or with a class that refuses points is on Katib."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import field_validator, model_validator
from study_examples import toy

from kftune import Choice, Hparam, Hparams, IntUniform, LogUniform
from kftune.errors import RenderError, StudyError
from kftune.hparams.fields import checks_combinations
from kftune.lint.study_refusals import refusal_findings
from kftune.render import render
from kftune.study import Study


class Checked(Hparams):
    """Refuses about a third of its points."""

    units: int = Hparam(1, search=IntUniform(1, 9))
    kind: str = Hparam("a", search=Choice("a", "b", "c"))

    @model_validator(mode="after")
    def _fits(self) -> Checked:
        if self.kind == "c" and self.units > 1:
            raise ValueError("c has one unit")
        return self


class Single(Hparams):
    """Checks each field by itself."""

    rate: float = Hparam(0.1, search=LogUniform(0.01, 1))

    @field_validator("rate")
    @classmethod
    def _above(cls, value: float) -> float:
        return value


class Outer(Hparams):
    """Has a group that checks its fields."""

    inner: Checked = Checked()
    rate: float = Hparam(0.1, search=LogUniform(0.01, 1))


class After(Hparams):
    """Checks its fields without a decorator."""

    rate: float = Hparam(0.1, search=LogUniform(0.01, 1))

    def model_post_init(self, context: Any, /) -> None:
        """Accepts everything."""


def spec_of(study: Study) -> dict[str, Any]:
    spec: dict[str, Any] = render(study).documents[0]["spec"]
    return spec


def test_the_algorithm_on_katib_is_the_one_that_the_study_names_for_it():
    study = toy(
        algorithm={"name": "tpe", "seed": 4, "settings": {"gamma": 0.3}},
        targets={"katib": {"algorithm": {"name": "multivariate-tpe", "settings": {"n_startup_trials": 5}}}},
    )
    rendering = render(study)
    assert rendering.documents[0]["spec"]["algorithm"] == {
        "algorithmName": "multivariate-tpe",
        "algorithmSettings": [
            {"name": "n_startup_trials", "value": "5"},
            {"name": "random_state", "value": "4"},
        ],
    }
    assert rendering.notes[0] == "Katib runs multivariate-tpe in place of tpe"


def test_the_algorithm_on_katib_decides_how_domains_are_written():
    search = {"units": {"quniform": [8, 64], "q": 8}, "optimizer.lr": None, "momentum": None}
    direct = toy(algorithm={"name": "grid"}, search=search, budget={"max_trials": 32})
    other = toy(
        algorithm={"name": "random"},
        targets={"katib": {"algorithm": "grid"}},
        search=search,
        budget={"max_trials": 32},
    )
    assert spec_of(other)["parameters"] == spec_of(direct)["parameters"]


def test_the_algorithm_on_katib_must_be_able_to_search_the_space():
    with pytest.raises(
        RenderError, match=r"targets\.katib\.algorithm: a grid needs a finite number of points"
    ) as refused:
        render(toy(targets={"katib": {"algorithm": "grid"}}))
    assert refused.value.places == (("targets", "katib", "algorithm"),)


def test_an_algorithm_that_runs_here_only_is_refused_with_what_to_do():
    with pytest.raises(
        RenderError, match=r"runs on this machine only; .* targets\.katib\.algorithm: random"
    ) as refused:
        render(toy(algorithm={"name": "own_sampler:Own"}))
    assert refused.value.places == (("algorithm", "name"),)


def test_constraints_are_refused_with_what_to_do():
    with pytest.raises(
        RenderError, match=r"cannot keep the constraint optimizer\.lr \* 2 < 1; run the study"
    ) as refused:
        render(toy(constraints=["optimizer.lr * 2 < 1", "units < 100"]))
    assert refused.value.places == (("constraints",),)


@pytest.mark.parametrize("given", [{"algorithm": "randm"}, {"algorithm": {"name": "tpe", "seed": 3}}, {"algorithm": 3}])
def test_what_katib_does_not_have_cannot_be_named_for_it(given: dict[str, Any]):
    with pytest.raises(StudyError, match=r"targets\.katib\.algorithm"):
        toy(targets={"katib": given})


@pytest.mark.parametrize(("hparams", "checks"), [(Checked, True), (Outer, True), (After, True), (Single, False)])
def test_a_note_says_that_a_class_may_refuse_combinations(hparams: type[Hparams], checks: bool):
    study = toy(hparams=hparams)
    assert checks_combinations(hparams) is checks
    assert any("combinations that a validator of" in note for note in render(study).notes) is checks


def test_a_grid_on_katib_needs_room_for_the_points_that_the_class_refuses():
    study = toy(hparams=Checked, algorithm={"name": "grid"}, budget={"max_trials": 19})
    with pytest.raises(RenderError, match="it has 27, but max_trials=19") as refused:
        render(study)
    assert refused.value.places == (("budget", "max_trials"),)
    assert spec_of(study.replace(budget={"max_trials": 27}))["maxTrialCount"] == 27


def test_lint_counts_the_points_that_a_class_refuses():
    (found,) = refusal_findings(toy(hparams=Checked, budget={"max_trials": 20}))
    assert (found.code, found.severity, found.path) == ("KT409", "fails", ("hparams",))
    refused = int(found.message.split()[2])
    assert 40 <= refused <= 80  # 8 of 27 points
    assert "c has one unit" in found.message


def test_lint_is_calm_about_a_class_that_refuses_little():
    (found,) = refusal_findings(toy(hparams=Checked, budget={"max_trials": 3, "max_failed": 3}))
    assert found.severity == "wrong"


@pytest.mark.parametrize("hparams", [Single, After])
def test_lint_says_nothing_about_a_class_that_accepts_everything(hparams: type[Hparams]):
    assert list(refusal_findings(toy(hparams=hparams))) == []
