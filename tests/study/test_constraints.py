"""Which points a study may try: what names mean in a constraint, and what a class refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator, Field, model_validator
from study_examples import toy

from kftune import Choice, Hparam, Hparams, IntUniform, LogUniform, load_study
from kftune.errors import StudyError
from kftune.hparams.fields import may_refuse

POINT = {"kind": "sgd", "momentum": 0.5, "optimizer.lr": 0.1}
WITHOUT_MOMENTUM = {"kind": "adam", "optimizer.lr": 0.1}


def refused(constraint: str, point: dict[str, Any] = POINT, **changes: Any) -> bool:
    return toy(constraints=[constraint], **changes).refusal(point) is not None


@pytest.mark.parametrize(
    ("constraint", "changes"),
    [
        ("optimizer.lr * units < 6.4", {}),
        ("optimizer.lr * units < 12.8", {"values": {"units": 128}}),
        ("optimizer.momentum + optimizer.lr < 1", {}),
        ("optimizer.lr < warmup.steps / 100", {"values": {"warmup": {"steps": 10, "needed": "x"}}}),
        ("kind != 'sgd'", {}),
        ("note != 'deep' or optimizer.lr < 0.1", {"values": {"note": "deep"}}),
    ],
)
def test_a_name_stands_for_the_value_that_the_trial_gets(constraint: str, changes: dict[str, Any]):
    assert refused(constraint, **changes)
    assert not refused(constraint.replace("<", "<=").replace("!=", "=="), **changes)


@pytest.mark.parametrize(
    ("constraint", "with_it", "without_it"),
    [
        ("momentum < 0.5", True, False),
        ("momentum != None", False, True),
        ("momentum == None or momentum > 0.5", True, False),
        ("warmup.steps < 1 and kind == 'adam'", True, False),
    ],
)
def test_a_value_that_is_not_there_decides_nothing(constraint: str, with_it: bool, without_it: bool):
    assert refused(constraint) is with_it
    assert refused(constraint, WITHOUT_MOMENTUM) is without_it


def test_a_searched_key_of_a_mapping_has_its_dotted_name():
    search = {"table.depth": {"int": [1, 9]}}
    assert refused("table.depth * optimizer.lr < 0.5", {**POINT, "table.depth": 5}, search=search)
    assert not refused("table.depth * optimizer.lr < 0.5", {**POINT, "table.depth": 4}, search=search)


def test_a_whole_step_is_an_integer_in_a_constraint():
    search = {"units": {"quniform": [8, 64], "q": 8}}
    assert not refused("units in [8, 16] and units // 3 == 5", {**POINT, "units": 16.0}, search=search)


def test_a_point_without_a_value_is_refused_and_says_why():
    study = toy(constraints=["optimizer.lr / (units - 64) < 1"])
    assert str(study.refusal(POINT)) == (
        "optimizer.lr / (units - 64) < 1: it divides by zero for optimizer.lr=0.1, units=64"
    )


@pytest.mark.parametrize(
    ("constraint", "problem"),
    [
        ("tags == 'a' or optimizer.lr < 1", "tags is a list or a mapping, which has no comparison"),
        ("warmup == None", "warmup is a group; name a field of it"),
        ("table.depth < 3", "table.depth (character 1) is not a hyperparameter"),
        ("optimizer.lr < units.x", "units.x (character 16) is not a hyperparameter; did you mean 'units'"),
        ("momentum < 'a'", "'a' (character 12) must be a number"),
        ("kind == 'adagrad'", "must be 'adam' or 'sgd', but got 'adagrad'"),
        ("units < 32", "units < 32: it does not hold for units=64, and none of its names is searched"),
    ],
)
def test_what_no_constraint_can_say_is_an_error(constraint: str, problem: str):
    with pytest.raises(StudyError) as error:
        toy(constraints=[constraint])
    assert str(error.value).startswith("constraints.0: ")
    assert problem in str(error.value)


def test_a_text_that_the_study_never_tries_is_an_error_and_one_of_the_class_is_not():
    search = {"note": {"choice": ["wide", "deep"]}}
    with pytest.raises(StudyError) as error:
        toy(constraints=["note == 'depe' or units > 1"], search=search)
    assert "'depe' (character 9) is never the value of note: the study tries 'wide', 'deep'; did you mean" in str(
        error.value
    )
    assert refused("kind != 'sgd'", search={"kind": {"choice": ["sgd"]}})
    assert not refused("kind != 'adam'", search={"kind": {"choice": ["sgd"]}})
    assert not refused("note == 'deep'", {**POINT, "note": "deep"}, search=search)


def test_a_constraint_of_fixed_values_that_holds_is_accepted():
    assert not refused("units <= 64 and note == ''")


# -- the class -----------------------------------------------------------------------------------------------------


class Plain(Hparams):
    rate: float = Hparam(0.1, gt=0, search=LogUniform(0.01, 1))
    folder: Path = Path("data")


class InAnnotation(Hparams):
    rate: Annotated[float, AfterValidator(lambda value: value)] = Hparam(0.1, search=LogUniform(0.01, 1))


class InItems(Hparams):
    rates: list[Annotated[float, AfterValidator(lambda value: value)]] = Hparam(default_factory=list)


class Multiple(Hparams):
    units: Annotated[int, Field(multiple_of=8)] = Hparam(8, search=IntUniform(8, 4096))


class InGroup(Hparams):
    inner: InAnnotation = InAnnotation()


class Checked(Hparams):
    a: int = Hparam(1, search=IntUniform(1, 9))
    b: str = Hparam("x", search=Choice("x", "y"))

    @model_validator(mode="after")
    def _fits(self) -> Checked:
        if self.b == "y" and self.a > 3:
            raise ValueError(f"y takes at most 3, but a is {self.a}")
        if self.a == 9:
            raise SystemExit(3)
        return self


@pytest.mark.parametrize(
    ("hparams", "may"),
    [(Plain, False), (InAnnotation, True), (InItems, True), (Multiple, True), (InGroup, True), (Checked, True)],
)
def test_what_a_class_checks_by_itself_is_found_in_whatever_form(hparams: type[Hparams], may: bool):
    assert may_refuse(hparams) is may


def test_a_value_between_the_ends_that_the_class_refuses_is_refused():
    study = toy(hparams=Multiple)
    assert study.refusal({"units": 16}) is None
    assert "multiple of 8" in str(study.refusal({"units": 17}))


@pytest.mark.parametrize(
    ("point", "why"),
    [
        ({"a": 4, "b": "y"}, "Checked: y takes at most 3, but a is 4"),
        ({"a": 9, "b": "x"}, "Checked: it raises SystemExit: 3"),
    ],
)
def test_whatever_a_validator_raises_refuses_the_point(point: dict[str, Any], why: str):
    assert str(toy(hparams=Checked).refusal(point)) == why


def test_a_first_point_that_the_class_refuses_is_an_error_with_its_line(tmp_path: Path):
    (tmp_path / "study.yaml").write_text(
        f"name: toy\nhparams: {__name__}:Checked\n"
        "objective: {metric: loss, direction: minimize}\n"
        "step: {command: [python, train.py]}\npoints:\n  - {a: 3, b: y}\n  - {a: 4, b: y}\n"
    )
    with pytest.raises(StudyError) as error:
        load_study(tmp_path / "study.yaml")
    assert str(error.value).startswith(f"{tmp_path / 'study.yaml'}:7:5: points.1: ")
    assert "y takes at most 3, but a is 4" in str(error.value)
