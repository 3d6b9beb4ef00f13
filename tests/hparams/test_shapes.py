"""Classes of unusual shapes read back their own command line, or are refused when they are made."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from enum import Enum, IntFlag
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypeVar

import pytest
from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Json,
    PlainSerializer,
    RootModel,
    Tag,
    WrapSerializer,
    computed_field,
    field_serializer,
    field_validator,
    model_serializer,
    model_validator,
)

from kftune import Choice, Conditional, Hparam, Hparams, IntUniform, Uniform
from kftune.errors import HparamsError

T = TypeVar("T")


class Adam(Hparams):
    kind: Literal["adam"] = "adam"
    beta: float = 0.9


class Sgd(Hparams):
    kind: Literal["sgd"] = "sgd"
    momentum: float = 0.5
    inner: Adam = Adam()


class Searched(Hparams):
    kind: Literal["searched"] = "searched"
    rate: float = Hparam(0.5, search=Uniform(0, 1))


class Of(Hparams, Generic[T]):
    value: T
    n: int = 1


class Colours(IntFlag):
    RED = 1
    BLUE = 2


class Odd(Enum):
    TEXT = "1"
    NUMBER = 1
    MAPPING = {"a": 1}  # noqa: RUF012
    NOTHING = None


class Numbers(RootModel[list[int]]):
    pass


class Pair(NamedTuple):
    a: int = 1
    b: str = "x"


class Unions(Hparams):
    group: Adam | Sgd = Adam()
    marked: Annotated[Adam | Sgd, Field(discriminator="kind")] = Adam()
    tagged: Annotated[
        Annotated[Adam, Tag("adam")] | Annotated[Sgd, Tag("sgd")],
        Discriminator(lambda value: value["kind"] if isinstance(value, dict) else value.kind),
    ] = Adam()
    maybe: Annotated[Adam | Sgd, Field(discriminator="kind")] | None = None
    number: Adam | float = 0.5
    text: Adam | str = "auto"


class Containers(Hparams):
    by_name: dict[str, Adam] = Hparam(default_factory=lambda: {"a": Adam()})
    listed: list[Adam | Sgd] = Hparam(default_factory=lambda: [Adam(), Sgd()])
    both: tuple[Adam, Sgd] = (Adam(), Sgd())
    root: Numbers = Numbers([1])
    pair: Pair = Pair()


class Optional(Hparams):
    class Middle(Hparams):
        inner: Adam | None = Adam(beta=0.1)
        n: int = 1

    middle: Middle | None = Middle(inner=None)
    other: Middle | None = None


class Values(Hparams):
    mixed: Literal["a", 1, True, None, "1", "null"] = "a"
    odd: Odd = Odd.TEXT
    maybe: Colours | None = None
    colours: Colours = Colours.RED
    frozen: int = Field(1, frozen=True)
    anything: Any = None
    loose: bool | str = "auto"


class Computing(Hparams):
    gpus: int = 1
    cpus: int = 0
    twice: int = Hparam(default_factory=lambda data: data["gpus"] * 2)
    name: str = "A"

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, data: Any) -> Any:
        return {"cpus": int(data.get("gpus", 1)) * 4, **data}

    @field_validator("name")
    @classmethod
    def _lower(cls, value: str) -> str:
        return value.lower()

    @computed_field  # type: ignore[prop-decorator]
    @property
    def total(self) -> int:
        return self.gpus + self.cpus


class StrictOne(Hparams, strict=True):
    pair: tuple[int, int] = (1, 2)
    path: Path = Path("a")
    n: int = 1


class Parent(Hparams):
    rate: float = Hparam(0.5, search=Uniform(0, 1))
    n: int = 1


class Child(Parent):
    rate: float = Hparam(5, search=Uniform(1, 10))


INSTANCES = [
    Unions(),
    Unions(group=Sgd(momentum=0.1), marked=Sgd(), tagged=Sgd(), maybe=Sgd(), number=Adam(), text=Adam()),
    Unions(number=2, text="null"),
    Containers(),
    Containers(by_name={}, listed=[Sgd()], root=Numbers([4]), pair=Pair(4, "y")),
    Optional(),
    Optional(middle=None, other=Optional.Middle()),
    Optional(middle=Optional.Middle(inner=Adam(beta=0.3))),
    *(Values(mixed=value) for value in ("a", 1, True, None, "1", "null")),
    *(Values(odd=member) for member in Odd),
    Values(maybe=Colours.BLUE),
    Values(colours=Colours.RED | Colours.BLUE, frozen=3, anything={"a": [1, "kftune:x"]}, loose="true"),
    Values(loose=True),
    Computing(),
    Computing(gpus=4, name="B"),
    Computing(gpus=4, cpus=1, twice=0),
    StrictOne(),
    StrictOne(pair=(3, 4), path=Path("b")),
    Child(rate=2.5),
    Of[int](value=3),
    Of[list[int]](value=[1, 2]),
    Of[Adam](value=Adam(beta=0.1)),
]


@pytest.mark.parametrize("made", INSTANCES, ids=lambda made: type(made).__name__)
def test_an_instance_of_any_shape_is_read_back(made):
    cls = type(made)
    again = cls.from_args(made.to_args())
    assert again == made
    assert again.content_hash() == made.content_hash()
    assert cls.from_dict(made.to_dict()) == made
    assert cls.from_assignments(made.to_assignments()) == made
    parser = argparse.ArgumentParser()
    cls.add_to_argparse(parser)
    assert cls.from_namespace(parser.parse_args(made.to_args())) == made


def test_a_strict_class_still_refuses_other_types():
    with pytest.raises(HparamsError, match="n: must be a valid integer"):
        StrictOne.from_dict({"n": "1"})


def test_a_domain_may_annotate_the_type():
    class Annotating(Hparams):
        rate: Annotated[float, Uniform(0, 1)] = 0.5
        n: Annotated[int, Hparam(search=IntUniform(1, 3), ge=1)] = 1

    assert Annotating.space() == {"rate": Uniform(0, 1), "n": IntUniform(1, 3)}
    assert Annotating.leaf("rate").declaration == "field rate: float"


def test_a_child_class_replaces_a_domain_or_drops_it():
    class Without(Parent):
        rate: float = 5

    assert Child.space() == {"rate": Uniform(1, 10)}
    assert Without.space() == {}


def two_domains():
    class Made(Hparams):
        rate: Annotated[float, Uniform(0, 1)] = Hparam(0.5, search=Uniform(0, 2))


def domain_outside():
    class Made(Hparams):
        rate: Annotated[float, Uniform(0, 1)] = 2


def domain_as_default():
    class Made(Hparams):
        rate: float = Uniform(0, 1)  # type: ignore[assignment]


def domain_in_a_union():
    class Made(Hparams):
        group: Searched | Adam = Adam()


def domain_in_a_list():
    class Made(Hparams):
        groups: list[Searched] = Hparam(default_factory=list)


def condition_on_nothing():
    class Made(Hparams):
        kind: str = Hparam("a", search=Choice("a", "b"))
        rate: float = Hparam(1.0, search=Conditional(Uniform(0, 1), when={"knd": "a"}))


def validator_that_adds():
    class Made(Hparams):
        n: int = 1

        @field_validator("n")
        @classmethod
        def _more(cls, value: int) -> int:
            return value + 1


def validator_that_adds_to_a_required_field():
    class Made(Hparams):
        n: int

        @field_validator("n")
        @classmethod
        def _more(cls, value: int) -> int:
            return value + 1


def validator_of_a_group_that_adds():
    class Group(BaseModel):
        n: int = 1

        @field_validator("n")
        @classmethod
        def _more(cls, value: int) -> int:
            return value + 1

    class Made(Hparams):
        group: Group = Group(n=1)


def serializer_of_a_field():
    class Made(Hparams):
        n: int = 3

        @field_serializer("n")
        def _text(self, value: int) -> str:
            return f"{value} px"


def serializer_of_the_class():
    class Made(Hparams):
        n: int = 3

        @model_serializer
        def _other(self) -> dict[str, int]:
            return {"m": self.n}


def serializer_in_the_type():
    class Made(Hparams):
        n: Annotated[int, PlainSerializer(lambda value: f"{value} px", return_type=str)] = 3


def serializer_that_doubles():
    class Made(Hparams):
        n: Annotated[float, WrapSerializer(lambda value, handler: handler(value) * 2)] = 3.0


def enum_of_tuples():
    class Shape(Enum):
        WIDE = (1, 2)

    class Made(Hparams):
        shape: Shape = Shape.WIDE


def enum_with_none_that_may_be_none():
    class Made(Hparams):
        odd: Odd | None = None


def enum_of_objects():
    class Shape(Enum):
        WIDE = object()

    class Made(Hparams):
        shape: Shape = Shape.WIDE


def literal_of_enum_members():
    class Made(Hparams):
        odd: Literal[Odd.TEXT] = Odd.TEXT


def literal_of_bytes():
    class Made(Hparams):
        word: Literal[b"x"] = b"x"


def any_with_a_tuple():
    class Made(Hparams):
        size: Any = (1, 2)


def any_with_a_date():
    class Made(Hparams):
        day: Any = date(2026, 1, 1)


def keys_that_are_tuples():
    class Made(Hparams):
        table: dict[tuple[int, int], int] = Hparam(default_factory=lambda: {(1, 2): 3})


def a_function():
    class Made(Hparams):
        activation: Callable[[int], int] = abs


def json_in_text():
    class Made(Hparams):
        numbers: Json[list[int]] = "[1]"  # type: ignore[assignment]


def alias():
    class Made(Hparams):
        n: int = Field(1, alias="m")


def alias_of_all():
    class Made(Hparams):
        model_config = ConfigDict(alias_generator=str.upper)
        n: int = 1  # type: ignore[pydantic-alias]


def numbers_without_end():
    class Made(Hparams):
        model_config = ConfigDict(allow_inf_nan=True)
        n: float = 1.0


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (two_domains, r"one search domain, but got Uniform\(low=0.0, high=1.0\) and .*; remove one"),
        (domain_outside, "the default must be a value of the domain"),
        (domain_as_default, r"field rate: a domain is no default; write Hparam\(DEFAULT, search=Uniform"),
        (domain_in_a_union, "the search domain of Searched.rate would not be searched; declare one group"),
        (domain_in_a_list, "the search domain of Searched.rate would not be searched"),
        (condition_on_nothing, "g?rate depends on 'knd'; did you mean 'kind'"),
        (validator_that_adds, r"Made\(n=2\) is not: it is read as Made\(n=3\); a validator must leave"),
        (validator_that_adds_to_a_required_field, r"Made\(n=2\) is not: it is read as Made\(n=3\)"),
        (validator_of_a_group_that_adds, "it is read as Made"),
        (serializer_of_a_field, "unable to parse string as an integer.*a serializer must write what the field takes"),
        (serializer_of_the_class, "Made is written field by field; remove its model_serializer"),
        (serializer_in_the_type, "which it does not take; use another type, another value or another serializer"),
        (serializer_that_doubles, "which is read back as 2.0"),
        (enum_of_tuples, "as '\\[1, 2\\]', which it does not take"),
        (enum_with_none_that_may_be_none, "as 'null', which is read back as None"),
        (enum_of_objects, "must be a value that JSON can write, but got"),
        (literal_of_enum_members, "which it does not take"),
        (literal_of_bytes, "which it does not take"),
        (any_with_a_tuple, r"writes \(1, 2\) as '\[1, 2\]', which is read back as \[1, 2\]"),
        (any_with_a_date, "which is read back as '2026-01-01'"),
        (keys_that_are_tuples, "which it does not take"),
        (a_function, "must be a value that JSON can write, but got"),
        (json_in_text, "which it does not take"),
        (alias, "one name everywhere; remove its alias"),
        (alias_of_all, "one name everywhere; remove its alias"),
        (numbers_without_end, "Made: numbers are finite on every command line; remove allow_inf_nan"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_shape_that_cannot_be_read_back_is_refused_with_a_remedy(make, problem):
    with pytest.raises(HparamsError, match=problem):
        make()


def test_a_mistake_in_a_class_statement_has_its_file_and_line(tmp_path):
    code = "from kftune import Hparams\n\n\nclass H(Hparams):\n    n = 1\n"
    (tmp_path / "shapes_of_test.py").write_text(code)
    line = [sys.executable, "-m", "kftune", "registry", "show", "shapes_of_test:H"]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "shapes_of_test.py:4: " in done.stderr
    assert "require a type annotation" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
