"""The fields of a class: what a declaration may be, and what is refused when the class is made."""

from __future__ import annotations

import argparse
import re
import uuid
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, Optional

import pytest
from hparams_examples import Level
from pydantic import BaseModel, Field, PlainSerializer, SecretStr, StringConstraints, model_validator
from typing_extensions import TypedDict

from kftune import (
    Choice,
    Conditional,
    Constant,
    Discrete,
    Hparam,
    Hparams,
    IntUniform,
    LogNormal,
    LogUniform,
    Normal,
    Ordinal,
    QNormal,
    QUniform,
    Uniform,
)
from kftune.domains import Domain
from kftune.errors import DomainError, HparamsError
from kftune.hparams.fields import Leaf
from kftune.hparams.fields.form import in_order
from kftune.hparams.fields.nested import get, put, remove


def made(annotation: Any, default: Any, **more: Any) -> type[Hparams]:
    """A class with one field called `value`, and further ones as (annotation, default)."""
    fields = {"value": (annotation, default), **more}
    namespace = {name: default for name, (_, default) in fields.items() if default is not ...}
    annotations = {name: annotation for name, (annotation, _) in fields.items()}
    metaclass: Any = type(Hparams)
    found: type[Hparams] = metaclass(
        "Made", (Hparams,), {**namespace, "__annotations__": annotations, "__module__": __name__}
    )
    return found


def leaf(annotation: Any, default: Any = ..., **options: Any) -> Leaf:
    return made(annotation, Hparam(*(() if default is ... else (default,)), **options)).leaf("value")


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Number(Enum):
    ONE = 1


class Row(TypedDict):
    width: int


# -- how values are written --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("annotation", "form"),
    [
        (str, "text"),
        (Annotated[str, StringConstraints(min_length=0)], "text"),
        (Literal["a", "b"], "text"),
        (Colour, "text"),
        (Path, "text"),
        (datetime, "text"),
        (uuid.UUID, "text"),
        (Decimal, "text"),
        (str | Path, "text"),
        (Optional[str], "text or null"),  # noqa: UP045  # people write both
        (str | None, "text or null"),
        (Literal["a", None], "text or null"),
        (Colour | None, "text or null"),
        (Annotated[Path | None, Field()], "text or null"),
        (bool, "scalar"),
        (int, "scalar"),
        (float, "scalar"),
        (Annotated[int, Field(gt=0)], "scalar"),
        (int | None, "scalar or null"),
        (float | None, "scalar or null"),
        (Literal[1, 2], "json"),
        (Literal["1", 1], "json"),
        (Number, "json"),
        (int | str, "json"),
        (int | float, "json"),
        (list[str], "json"),
        (list[str] | None, "json"),
        (dict[str, int], "json"),
        (tuple[int, ...], "json"),
        (set[int], "json"),
        (Row, "json"),
        (Any, "json"),
        (object, "json"),
        (None, "json"),
    ],
    ids=str,
)
def test_each_type_has_its_form(annotation, form):
    assert leaf(annotation).form == form


@pytest.mark.parametrize(
    ("annotation", "value", "text"),
    [
        (str, "null", "null"),
        (str, '"a"', '"a"'),
        (str, "kftune:x", "kftune:text:kftune%3Ax"),
        (str | None, None, "null"),
        (str | None, "null", '"null"'),
        (str | None, '"a"', '"\\"a\\""'),
        (str | None, "a", "a"),
        (bool, True, "true"),
        (int, 10**30, "1" + "0" * 30),
        (int, 1.0, "1"),
        (float, 1.0, "1.0"),
        (float, 1e-5, "1e-05"),
        (float, 1, "1"),
        (float | None, None, "null"),
        (int | str, "1", '"1"'),
        (list[str], ["é"], '["é"]'),
        (Path, Path("a"), "a"),
        (Colour, Colour.RED, "red"),
    ],
)
def test_values_are_written_so_that_they_come_back(annotation, value, text):
    field = leaf(annotation)
    assert field.encode(value) == text
    assert field.validated(field.decode(text)) == field.validated(value)


def test_a_value_becomes_the_fields_own_and_its_json_form():
    assert leaf(Path).validated("a") == Path("a")
    assert leaf(float).jsonable(1) == 1.0
    assert leaf(tuple[int, ...]).jsonable((1, 2)) == [1, 2]
    assert leaf(Colour).jsonable(Colour.RED) == "red"
    assert leaf(set[int]).jsonable({30, 4, 100}) == [4, 30, 100]
    assert leaf(Row).jsonable({"width": 1}) == {"width": 1}
    with pytest.raises(HparamsError, match="value: must be a valid integer"):
        leaf(int).validated("x")
    with pytest.raises(HparamsError, match="value: must be greater than 0, but got 0"):
        leaf(int, gt=0).validated(0)
    with pytest.raises(HparamsError, match="value: must be a finite number"):
        leaf(float).validated(float("nan"))


def test_members_of_sets_are_written_in_one_order_at_any_depth():
    class Holder(BaseModel):
        members: set[str] = {"b", "a"}

    value: dict[str, Any] = {
        "a": [{3, 20, 1}],
        "b": (Holder(),),
        "c": {(2, 1), (1, 2)},
        "d": {"10", "9", 1, True is None},
    }
    dumped = {
        "a": [list({3, 20, 1})],
        "b": [{"members": ["b", "a"]}],
        "c": [[2, 1], [1, 2]],
        "d": ["10", "9", 1, False],
    }
    held = value["b"][0].members
    dumped["b"] = [{"members": list(held)}]
    dumped["c"] = [list(pair) for pair in value["c"]]
    dumped["d"] = list(value["d"])
    assert in_order(dumped, value) == {
        "a": [[1, 3, 20]],
        "b": [{"members": ["a", "b"]}],
        "c": [[1, 2], [2, 1]],
        "d": [False, 1, "10", "9"],
    }


def test_nested_dicts_are_set_got_and_emptied_by_path():
    data: dict[str, Any] = {"a": 1}
    put(data, ("b", "c"), 2)
    put(data, ("a", "d"), 3)
    assert data == {"a": {"d": 3}, "b": {"c": 2}}
    assert get(data, ("b", "c")) == (True, 2)
    assert get(data, ("b", "c", "d")) == (False, None)
    remove(data, ("b", "c"))
    remove(data, ("a", "x"))
    remove(data, ("x", "y"))
    assert data == {"a": {"d": 3}}


# -- domains that do not fit -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("annotation", "default", "options", "names"),
    [
        (
            int,
            5,
            {"ge": 1, "le": 10, "search": IntUniform(0, 10)},
            ("value: int (ge=1, le=10)", "default 5", "IntUniform"),
        ),
        (
            int,
            5,
            {"ge": 1, "le": 10, "search": IntUniform(1, 1000)},
            ("(ge=1, le=10)", "refuses 1000", "with default 5"),
        ),
        (
            int,
            5,
            {"lt": 10, "search": Choice(5, 10)},
            ("value: int (lt=10)", "refuses 10 of Choice(5, 10)", "default 5"),
        ),
        (
            float,
            0.5,
            {"gt": 0, "search": Uniform(0, 1)},
            ("value: float (gt=0)", "refuses 0.0", "Uniform(low=0.0, high=1.0)"),
        ),
        (float, 0.5, {"gt": 0, "search": Normal(0.5, 0.1)}, ("(gt=0)", "with default 0.5", "Normal(mean=0.5")),
        (float, 0.5, {"lt": 1, "search": LogNormal(0, 1, high=2)}, ("(lt=1)", "refuses 2.0", "LogNormal(")),
        (int, 1, {"search": Choice("a", "b")}, ("value: int with default 1", "refuses 'a' of Choice('a', 'b')")),
        (int, 1, {"search": Choice("1", "2")}, ("refuses '1'", "it would become 1")),
        (int, 1, {"search": Uniform(0, 2)}, ("refuses 0.0", "it would become 0; for whole numbers use IntUniform,")),
        (int, 1, {"search": QUniform(0, 10, 0.5)}, ("refuses 0.5", "must be a valid integer")),
        (int, 1, {"search": QUniform(0, 1000, 0.5)}, ("refuses 0.0", "or a whole step, for example QLogUniform")),
        (int, 1, {"search": QUniform(1.5, 1001.5, 1)}, ("refuses 1.5", "QUniform(low=1.5, high=1001.5, q=1.0)")),
        (int, 1, {"search": QNormal(64, 16, 0.5)}, ("refuses -", "of QNormal(mean=64.0, std=16.0, q=0.5")),
        (int, 0, {"search": QUniform(0, 2**64, 2**62)}, ("refuses 9.223372036854776e+18", "exceeded maximum size")),
        (int, 1, {"search": QUniform(0, 1e300, 1e290)}, ("refuses 0.0", "it would become 0")),
        (int, 1, {"search": Choice(*range(300), "a")}, ("refuses 'a'",)),
        (Literal[1, 2], 1, {"search": QUniform(1, 2, 1)}, ("refuses 1.0", "it would become 1")),
        (int, 1, {"search": Discrete(1.5, 2)}, ("refuses 1.5",)),
        (bool, True, {"search": Choice(0, 1)}, ("value: bool with default True", "refuses 0", "it would become False")),
        (bool, True, {"search": IntUniform(0, 1)}, ("refuses 0",)),
        (str, "a", {"search": Choice(1, 2)}, ("value: str with default 'a'", "refuses 1", "must be text")),
        (
            Literal["x", "y"],
            "x",
            {"search": Choice("x", "z")},
            ("Literal['x', 'y']", "refuses 'z'", "must be 'x' or 'y'"),
        ),
        (Colour, Colour.RED, {"search": Ordinal("red", "green")}, ("Colour with default 'red'", "refuses 'green'")),
        (tuple[int, int], (1, 2), {"search": Choice((1, 2), (1, 2, 3))}, ("refuses [1, 2, 3]",)),
        (list[int], [1], {"search": Constant(["a"])}, ("refuses ['a']",)),
        (Path, Path("a"), {"search": Choice("a", 1)}, ("refuses 1",)),
    ],
)
def test_a_domain_must_fit_its_field_else_the_error_names_field_constraints_domain_and_default(
    annotation, default, options, names
):
    with pytest.raises(HparamsError) as caught:
        leaf(annotation, default, **options)
    assert str(caught.value).startswith("a field must take every value of its search domain, but field value: ")
    assert [name for name in names if name not in str(caught.value)] == []


@pytest.mark.parametrize(
    ("annotation", "default", "options", "text"),
    [
        (
            int,
            50,
            {"ge": 1, "search": IntUniform(1, 10)},
            "field value: int (ge=1) has default 50 and search domain IntUnif",
        ),
        (float, 0.3, {"search": QUniform(0, 1, 0.25)}, "has default 0.3 and search domain QUniform"),
        (str, "c", {"search": Choice("a", "b")}, "has default 'c' and search domain Choice('a', 'b')"),
        (
            int | None,
            None,
            {"search": IntUniform(1, 2)},
            "field value: int | None has default None and search domain IntU",
        ),
        (bool, True, {"search": Constant(False)}, "has default True and search domain Constant(False)"),
    ],
)
def test_a_default_must_be_a_value_of_its_domain(annotation, default, options, text):
    with pytest.raises(HparamsError) as caught:
        leaf(annotation, default, **options)
    assert str(caught.value).startswith("the default must be a value of the domain, but ")
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("annotation", "default", "options", "text"),
    [
        (
            int,
            50,
            {"ge": 100},
            "field value: int (ge=100) has default 50: must be greater than or equal to 100, but got 50",
        ),
        (int, "x", {}, "field value: int has default 'x': must be a valid integer"),
        (str, 3, {}, "field value: str has default 3: must be text"),
        (float, float("nan"), {}, "field value: float has default nan: must be a finite number"),
        (Literal["a"], "b", {}, "field value: Literal['a'] has default 'b': must be 'a'"),
        (list[int], ["x"], {}, "field value: list[int] has default ['x']: must be a valid integer"),
        (int, None, {}, "field value: int has default None: must be a whole number, but there is no value"),
    ],
)
def test_a_default_must_be_a_value_of_its_field(annotation, default, options, text):
    with pytest.raises(HparamsError) as caught:
        leaf(annotation, default, **options)
    assert str(caught.value).startswith("the default must be a value of the field, but ")
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("annotation", "default", "search"),
    [
        (int, 1, IntUniform(1, 10**6)),
        (float, 1, IntUniform(1, 10)),
        (float, 1, Choice(1, 2.5)),
        (float, 1e-3, LogUniform(1e-4, 1e-2)),
        (int | None, None, Choice(None, 1)),
        (bool, True, Choice(True, False)),
        (str, "", Choice("", " ", "é")),
        (Colour, Colour.RED, Choice("red", "blue")),
        (Colour, Colour.RED, Choice(Colour.RED, Colour.BLUE)),
        (tuple[float, float], (0.9, 0.99), Choice((0.9, 0.99), (0.5, 0.6))),
        (Path, Path("a"), Choice("a", "b/c")),
        (dict[str, int], {"a": 1}, Choice({"a": 1}, {"b": 2})),
        (Any, None, Choice(1, "1", None)),
    ],
    ids=repr,
)
def test_a_domain_that_fits_is_taken_as_it_is(annotation, default, search):
    field = leaf(annotation, default, search=search)
    assert field.domain == search
    assert field.domain is not None
    assert field.domain.contains(field.default)
    points = [search.quantile(u / 8) for u in range(9)]
    assert [field.jsonable(field.validated(field.decode(field.encode(point)))) for point in points] == points


def test_a_required_field_may_have_a_domain():
    field = leaf(int, search=IntUniform(1, 2))
    assert not field.has_default
    assert field.domain == IntUniform(1, 2)


@pytest.mark.parametrize("search", ["loguniform", {"int": [1, 2]}, (1, 2), Uniform], ids=repr)
def test_only_a_domain_says_what_to_search(search):
    with pytest.raises(HparamsError, match="search takes a domain, for example LogUniform"):
        Hparam(1, search=search)


def test_an_invalid_domain_is_refused_where_it_is_declared():
    with pytest.raises(DomainError, match="LogUniform: 0 < low"):
        Hparam(1.0, search=LogUniform(0, 1))


# -- conditions --------------------------------------------------------------------------------------------------------

ADAM = Literal["adam", "sgd"]


def conditional(when: dict[str, Any], domain: Domain | None = None, **fields: Any) -> type[Hparams]:
    condition = Conditional(domain or Uniform(0, 0.9), when)
    return made(
        ADAM, Hparam("adam", search=Choice("adam", "sgd")), momentum=(float, Hparam(0.5, search=condition)), **fields
    )


@pytest.mark.parametrize(
    ("when", "text"),
    [
        (
            {"valeu": "sgd"},
            "a condition must name a hyperparameter, but momentum depends on 'valeu'; did you mean 'value'?",
        ),
        ({"momentum": 0.5}, "momentum depends on momentum, which is conditional too and is not declared above it"),
        ({"value": "lion"}, "momentum depends on value='lion', which is impossible: value has search domain Choice"),
        ({"value": ["sgd", "lion"]}, "momentum depends on value='lion', which is impossible"),
        ({"value": 3}, "momentum depends on value=3, which is impossible"),
        ({"flag": 1}, "momentum depends on flag=1, which is impossible: flag has field flag: bool"),
        ({"later": 1}, "momentum depends on later, which is conditional too and is not declared above it"),
    ],
)
def test_a_condition_must_be_decidable_and_possible(when, text):
    later = (int, Hparam(1, search=Conditional(Choice(1, 2), {"value": "sgd"})))
    with pytest.raises(HparamsError) as caught:
        conditional(when, flag=(bool, True), later=later)
    assert text in str(caught.value)


def test_a_condition_may_name_a_later_field_that_is_not_conditional():
    assert conditional({"flag": True}, flag=(bool, True)).space()["momentum"].active({"flag": True})  # type: ignore[attr-defined]


def test_a_conditional_field_needs_a_default_which_may_be_outside_its_domain():
    made(ADAM, "adam", x=(float | None, Hparam(None, search=Conditional(Uniform(0, 1), {"value": "sgd"}))))
    with pytest.raises(HparamsError, match="a conditional field must have a default, but field x: float has none"):
        made(ADAM, "adam", x=(float, Hparam(search=Conditional(Uniform(0, 1), {"value": "sgd"}))))


class Inner(Hparams):
    kind: Literal["a", "b"] = "a"
    size: int = Hparam(1, search=Conditional(IntUniform(1, 9), {"kind": "b"}))
    rate: float = Hparam(0.5, search=Uniform(0, 1))


def test_a_condition_on_a_group_goes_to_every_field_in_it():
    group = Hparam(Inner(), search=Conditional(None, {"value": "sgd"}))
    space = made(ADAM, "adam", inner=(Inner, group)).space()
    assert space["inner.rate"] == Conditional(Uniform(0, 1), {"value": "sgd"})
    assert space["inner.size"] == Conditional(IntUniform(1, 9), {"value": "sgd", "inner.kind": "b"})


def test_a_condition_on_an_optional_group_goes_to_its_fields_and_not_to_the_group():
    group = Hparam(None, search=Conditional(None, {"value": "sgd"}))
    holder = made(ADAM, "adam", inner=(Inner | None, group))
    assert "inner" not in holder.space()
    assert holder.leaf("inner").is_group
    assert holder.space()["inner.rate"] == Conditional(Uniform(0, 1), {"value": "sgd"})


@pytest.mark.parametrize("search", [Choice(None, {"rate": 0.5}), Conditional(Uniform(0, 1), {"kind": "a"})], ids=repr)
@pytest.mark.parametrize("annotation", [Inner, Inner | None])
def test_a_group_has_a_condition_and_its_fields_have_the_domains(annotation, search):
    with pytest.raises(HparamsError, match="field value: a group has a condition, and its fields have the domains"):
        made(annotation, Hparam(Inner(), search=search), kind=(Literal["a"], "a"))


def test_a_field_needs_a_domain_with_its_condition():
    with pytest.raises(HparamsError, match="field value: a field needs a domain, but search is Conditional"):
        made(int, Hparam(1, search=Conditional(None, {"kind": "a"})), kind=(Literal["a"], "a"))


# -- invalid declarations ----------------------------------------------------------------------------------------------

METHODS = [
    "keys",
    "items",
    "values",
    "get",
    "to_args",
    "from_args",
    "leaves",
    "diff",
    "copy",
    "json",
    "model_dump",
    "help",
]


@pytest.mark.parametrize("name", METHODS)
def test_a_field_cannot_hide_what_every_class_has(name):
    with pytest.raises(HparamsError, match=f"Made: a field cannot be called '{name}': every hyperparameter"):
        made(int, 1, **{name: (int, 1)})


@pytest.mark.parametrize("name", ["alias", "validation_alias", "serialization_alias"])
def test_a_field_has_one_name(name):
    with pytest.raises(HparamsError, match="field value: a hyperparameter has one name everywhere; remove its alias"):
        made(int, Field(1, **{name: "other"}))  # type: ignore[call-overload]


def test_a_field_is_always_written():
    with pytest.raises(HparamsError, match="field value: a hyperparameter is always written"):
        made(int, Field(1, exclude=True))


@pytest.mark.parametrize("annotation", [SecretStr, SecretStr | None])
def test_a_field_is_never_secret(annotation):
    with pytest.raises(HparamsError, match="field value: a secret cannot be a hyperparameter"):
        made(annotation, None)


def test_types_must_be_defined_before_the_class():
    with pytest.raises(HparamsError, match="the types of the fields of Early must be defined above it"):

        class Early(Hparams):
            later: Later | None = None

    class Later(Hparams):
        x: int = 1


def test_an_unknown_field_of_a_class_is_named_with_its_near_ones():
    with pytest.raises(HparamsError, match="Inner has no hyperparameter 'siz'; did you mean 'size'"):
        Inner.leaf("siz")


# -- defaults that are computed, and values that are not read back -----------------------------------------------------


class Node(Hparams):
    gpus: int = 1
    cpus: int | None = None

    @model_validator(mode="before")
    @classmethod
    def fill(cls, data: dict[str, Any]) -> dict[str, Any]:
        return data if data.get("cpus") is not None else {**data, "cpus": 2 * int(data.get("gpus", 1))}


class Big(Hparams):
    """Groups with every kind of default."""

    plain: Node = Node()
    two: Node = Node(gpus=2)
    pinned: Node = Node(cpus=7)


def test_a_partly_given_group_computes_what_its_default_had_computed():
    given = Big.from_args(["--plain.gpus=4", "--two.gpus=4", "--pinned.gpus=4"])
    assert given == Big(plain=Node(gpus=4), two=Node(gpus=4), pinned=Node(gpus=4, cpus=7))
    assert Big.from_dict({"two": {"cpus": 3}}).two == Node(gpus=2, cpus=3)
    assert Big.from_args(given.to_args()) == given


def test_a_default_may_be_made_from_the_fields_above_it():
    class Wide(Hparams):
        depth: int
        width: int = 64
        inner: int = Hparam(default_factory=lambda data: 4 * data["width"])
        total: int = Hparam(default_factory=lambda data: data["depth"] * data["inner"])

    assert Wide.from_args(["--depth=2", "--width=1"]) == Wide(depth=2, width=1, inner=4, total=8)
    assert Wide.leaf("inner").default == 256
    assert not Wide.leaf("total").has_default
    assert not Wide.leaf("total").is_required
    assert "(computed)" in Wide.help_text()
    parser = argparse.ArgumentParser()
    Wide.add_to_argparse(parser)
    assert Wide.from_namespace(parser.parse_args(["--depth=2", "--width=1"])).total == 8


def test_a_default_factory_that_fails_is_named():
    with pytest.raises(HparamsError, match="field value: its default_factory found no 'other'"):
        made(int, Hparam(default_factory=lambda data: data["other"]))
    with pytest.raises(HparamsError, match="field value: its default_factory must return a value, but raised ZeroDiv"):
        made(int, Hparam(default_factory=lambda: 1 // 0))


class Pair(Enum):
    ONE = (1, 2)


@pytest.mark.parametrize(
    ("annotation", "default"),
    [
        (Pair, ...),
        (Pair | None, None),
        (list[Pair], [Pair.ONE]),
        (Annotated[int, PlainSerializer(lambda value: f"{value}px")], 3),
        (Annotated[float, PlainSerializer(lambda value: 2 * value)], ...),
    ],
)
def test_a_value_is_read_back_from_its_own_text_or_the_class_is_refused(annotation, default):
    with pytest.raises(HparamsError, match="a value must be read back from its own text, but field value"):
        made(annotation, default)


def test_a_serializer_that_is_read_back_is_taken():
    assert made(Annotated[int, PlainSerializer(abs)], 3).from_args(["--value=4"])["value"] == 4


class Adam(Hparams):
    kind: Literal["adam"] = "adam"
    lr: float = Hparam(1e-3, search=LogUniform(1e-4, 1e-1))


class Sgd(Hparams):
    kind: Literal["sgd"] = "sgd"


@pytest.mark.parametrize("annotation", [Adam | Sgd, Annotated[Adam | Sgd, Field(discriminator="kind")], list[Adam]])
def test_domains_in_groups_that_are_one_value_are_refused(annotation):
    with pytest.raises(HparamsError, match=r"field value: it is one value, so the search domain of Adam\.lr would not"):
        made(annotation, ...)


# -- strictness --------------------------------------------------------------------------------------------------------


class Plain(BaseModel):
    n: int = 1


class Strict(Hparams):
    count: int = 1
    rate: float | None = 1.0
    either: float | str = 1.0
    betas: tuple[float, float] | None = None
    layers: list[int] = Hparam(default_factory=list)
    switch: bool | int = True
    text: str = ""
    level: Level = Level.LOW
    mixed: tuple[bool, int] = (True, 1)
    span: timedelta = timedelta(1)
    group: Plain = Plain()
    groups: list[Plain] = Hparam(default_factory=list)
    choice: Literal["a", 1] = "a"
    path: Path = Path("a")
    table: int | dict[str, int] = 1
    lists: list[int] | list[bool] = Hparam(default_factory=list)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"count": True}, "count: must be a number, not true or false, but got True"),
        ({"rate": False}, "rate: must be a number, not true or false, but got False"),
        ({"either": True}, "either: must be a number, not true or false, but got True"),
        ({"layers": [1, True]}, "layers: must be a number, not true or false, but got [1, True]"),
        ({"betas": [0.9]}, "betas: must have 2 entries, but got [0.9]"),
        ({"betas": []}, "betas: must have 2 entries, but got []"),
        ({"betas": [1, 2, 3]}, "betas: must have 2 entries, but got [1, 2, 3]"),
        ({"text": True}, "text: must be text (put quotes around it), but got True"),
        ({"level": True}, "level: must be a number, not true or false, but got True"),
        ({"mixed": [True, True]}, "mixed: must be a number, not true or false, but got [True, True]"),
        ({"span": True}, "span: must be a number, not true or false, but got True"),
        ({"choice": True}, "choice: must be a number, not true or false, but got True"),
        ({"groups": [{"n": True}]}, "groups: must be a number, not true or false, but got [{'n': True}]"),
        ({"table": {"a": True}}, "table: must be a number, not true or false, but got {'a': True}"),
        ({"path": 1}, "path: must be a path, written as text (put quotes around it), but got 1"),
    ],
)
def test_a_number_is_not_true_and_a_tuple_has_its_size(values, message):
    (name, value), *_ = values.items()
    with pytest.raises(HparamsError, match=re.escape(message)):
        Strict.from_dict(values)
    with pytest.raises(HparamsError, match=re.escape(message)):
        Strict.leaf(name).validated(value)


def test_a_number_in_a_group_of_another_class_is_not_true():
    with pytest.raises(HparamsError, match=r"group: must be a number, not true or false"):
        Strict.from_dict({"group": {"n": True}})


def test_true_stays_true_where_it_is_allowed():
    assert Strict(switch=False)["switch"] is False
    assert Strict(mixed=(False, 2))["mixed"] == (False, 2)
    assert Strict(lists=[True])["lists"] == [True]
    assert Strict.from_args(["--switch=true"])["switch"] is True


def test_a_text_that_is_not_json_is_a_text_where_texts_are_allowed():
    assert Strict.from_args(["--either=auto"])["either"] == "auto"
    assert Strict.from_args(["--either=0.5"])["either"] == 0.5
    assert "--either=auto" in Strict(either="auto").to_args()
    made_of_it = Strict(either="1")
    assert Strict.from_args(made_of_it.to_args()) == made_of_it
