"""A hyperparameter class as people use it: a frozen mapping, from and to everything, with errors that help."""

from __future__ import annotations

import argparse
import copy
import json
import pickle
import re
import sys
from pathlib import Path
from typing import Annotated, Any, ClassVar, Generic, Literal, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf
from pydantic import BaseModel, Field, PositiveInt, computed_field, field_validator, model_validator
from pydantic.dataclasses import dataclass

from kftune import Choice, Conditional, Hparam, Hparams, LogUniform, Uniform
from kftune.domains import encoding
from kftune.errors import HparamsError, KftuneError, YamlError


class Optimizer(Hparams):
    """How weights change."""

    name: Literal["adam", "sgd"] = Hparam("adam", search=Choice("adam", "sgd"))
    lr: float = Hparam(1e-3, gt=0, search=LogUniform(1e-4, 1e-2), description="Step size")
    momentum: float = Hparam(0.9, ge=0, lt=1, search=Conditional(Uniform(0, 0.99), {"name": "sgd"}))
    kwargs: dict[str, Any] = Hparam(default_factory=dict)


class Model(Hparams):
    """A small model.

    Its second paragraph.
    """

    hidden_units: int = Hparam(128, ge=1)
    """Width of each layer, 100% of them."""
    optimizer: Optimizer = Optimizer(lr=0.5e-3)
    """The optimizer."""
    scheduler: Optimizer | None = None
    dropout: float | None = Hparam(None, ge=0, lt=1)
    layers: list[int] = Hparam(default_factory=lambda: [64])


class Small(Hparams):
    lr: float = 0.1
    learning_rate: float = 0.2
    flag: bool = False
    text: str = ""
    number: int = 1


# -- a mapping ---------------------------------------------------------------------------------------------------------


def test_an_instance_is_a_mapping_of_its_fields():
    made = Small(lr=0.3)
    assert made["lr"] == made.lr == 0.3
    assert list(made) == list(made.keys()) == ["lr", "learning_rate", "flag", "text", "number"]
    assert list(made.values()) == [0.3, 0.2, False, "", 1]
    assert dict(made.items()) == dict(made) == dict(**made) == {**made}
    assert len(made) == 5
    assert "lr" in made
    assert "lrr" not in made
    assert made.get("lr") == 0.3
    assert made.get("lrr", 7) == 7
    with pytest.raises(KeyError, match="lrr"):
        made["lrr"]
    with pytest.raises(KeyError):
        made["to_args"]


def test_it_unpacks_into_a_function_of_its_names():
    def train(*, lr, learning_rate, flag, text, number):
        return lr, number

    assert train(**Small(lr=0.3, number=4)) == (0.3, 4)


def test_values_are_frozen():
    made = Small()
    with pytest.raises(
        HparamsError, match=r"Small is frozen: lr cannot be changed; use hparams\.override\('lr=\.\.\.'\)"
    ):
        made.lr = 0.5  # type: ignore[misc]
    with pytest.raises(HparamsError, match="frozen"):
        del made.lr
    assert made.override("lr=0.5").lr == 0.5
    with pytest.raises(TypeError):
        made["lr"] = 0.5  # type: ignore[index]


def test_equal_values_have_equal_hashes():
    assert Small(lr=1) == Small(lr=1.0)
    assert len({Small(lr=1), Small(lr=1.0), Small(lr=2)}) == 2
    assert Small() != Model()


def test_instances_copy_and_pickle():
    made = Model(optimizer={"name": "sgd"}, layers=[1])  # type: ignore[arg-type]
    assert copy.copy(made) == copy.deepcopy(made) == made
    assert pickle.loads(pickle.dumps(made)) == made  # noqa: S301


def test_mutable_defaults_are_not_shared():
    one, other = Model(), Model()
    one.layers.append(3)
    one.optimizer.kwargs["a"] = 1
    assert other.layers == [64]
    assert Model().layers == [64]
    assert Optimizer().kwargs == {}


# -- mistakes in values ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        lambda: Model(hiden_units=3),  # type: ignore[call-arg]
        lambda: Model.from_dict({"hiden_units": 3}),
        lambda: Model.from_config(OmegaConf.create({"hiden_units": 3})),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_name(make):
    with pytest.raises(
        HparamsError, match=r"^hiden_units: Model has no key 'hiden_units'; did you mean 'hidden_units'\?$"
    ):
        make()


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (["--hiden_units=3"], "Model has no hyperparameter 'hiden_units'; did you mean 'hidden_units'?"),
        (["--optimizer.lrr=3"], "Model has no hyperparameter 'optimizer.lrr'; did you mean 'optimizer.lr'"),
        (
            ["--hidden_units=x"],
            "hidden_units: must be a valid integer, unable to parse string as an integer, but got 'x'",
        ),
        (["--hidden_units="], "hidden_units: must be a valid integer"),
        (["--hidden_units=1.5"], "hidden_units: must be a valid integer"),
        (["--hidden_units=0"], "hidden_units: must be greater than or equal to 1, but got '0'"),
        (["--optimizer.name=adm"], "optimizer.name: must be 'adam' or 'sgd', but got 'adm'; did you mean 'adam'?"),
        (["--optimizer.lr=0"], "optimizer.lr: must be greater than 0, but got '0'"),
        (["--optimizer.lr=nan"], "optimizer.lr: must be a finite number, but got 'nan'"),
        (["--optimizer.lr=1e999"], "optimizer.lr: must be a finite number, but got '1e999'"),
        (["--optimizer.lr=null"], "optimizer.lr: must be a valid number"),
        (["--layers=1,2"], "layers: the value must be JSON, for example [1, 2] or null, but got '1,2'"),
        (["--layers=[NaN]"], "layers: the value must be JSON"),
        (["--layers=3"], "layers: must be a list, but got 3"),
        (['--layers=["x"]'], "layers.0: must be a valid integer"),
        (["--optimizer.kwargs=[]"], "optimizer.kwargs: must be a mapping, but got []"),
        (["--optimizer={"], "optimizer: the value must be JSON"),
        (["--optimizer=3"], "optimizer: must be a mapping, but got 3"),
        (["--scheduler=3"], "scheduler: must be a mapping, but got 3"),
        (["lr=3"], "Model has no hyperparameter 'lr'"),
        (["-x", "3"], "arguments are --name=value, or name=value, but got '-x'"),
        (["--hidden_units"], "--hidden_units needs a value: --hidden_units=VALUE"),
        (["--"], "-- needs a value"),
        (
            ["--dropout", "--layers=[1]"],
            "--dropout needs a value: --dropout=VALUE, but the next argument is '--layers=[1]'",
        ),
        (["--dropout", "--hidden-units", "3"], "but the next argument is '--hidden-units'"),
        (["--dropout", "--optimizer.kwargs.a=1"], "but the next argument is '--optimizer.kwargs.a=1'"),
        (["--=3"], "Model has no hyperparameter ''"),
        (["--hidden_units=kftune:txt:a"], "an encoded value is kftune:text"),
    ],
)
def test_a_wrong_command_line_says_what_must_hold_and_what_was_given(argv, text):
    with pytest.raises(KftuneError) as caught:
        Model.from_args(argv)
    assert text in str(caught.value)


def test_all_mistakes_are_reported_together():
    with pytest.raises(HparamsError) as caught:
        Model(hidden_units=0, dropout=1, unknown=3)  # type: ignore[call-arg]
    assert str(caught.value).splitlines() == [
        "unknown: Model has no key 'unknown'; known: dropout, hidden_units, layers, optimizer, scheduler",
        "hidden_units: must be greater than or equal to 1, but got 0",
        "dropout: must be less than 1, but got 1",
    ]


@pytest.mark.parametrize("values", [None, 3, "lr", [("lr", 1)]], ids=repr)
def test_only_a_mapping_makes_an_instance(values):
    with pytest.raises(HparamsError, match="Small is made from a mapping of names to values, but got"):
        Small.from_dict(values)


def test_a_missing_value_is_named():
    class Needy(Hparams):
        lr: float
        units: int = Hparam(ge=1)

    with pytest.raises(HparamsError) as caught:
        Needy.from_args([])
    assert "lr: Needy needs 'lr', which has no default" in str(caught.value)
    assert "units: Needy needs 'units', which has no default" in str(caught.value)


def test_errors_are_also_value_errors():
    with pytest.raises(ValueError, match="hidden_units"):
        Model(hidden_units=0)


class Ordered(Hparams):
    low: int = 1
    high: int = 2

    @field_validator("low")
    @classmethod
    def _small(cls, value: int) -> int:
        if value > 100:
            raise ValueError("low must be at most 100; choose a smaller one")
        return value

    @model_validator(mode="after")
    def _in_order(self) -> Ordered:
        if self.low > self.high:
            raise ValueError(f"low must be at most high, but low={self.low} and high={self.high}")
        return self


class Around(Hparams):
    inner: Ordered = Ordered()
    count: int = Hparam(1, gt=0)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Ordered(low=3), "low must be at most high, but low=3 and high=2"),
        (lambda: Ordered.from_args(["--low=3"]), "low must be at most high, but low=3 and high=2"),
        (lambda: Ordered().override("low=3"), "low must be at most high, but low=3 and high=2"),
        (lambda: Ordered.from_args(["--low=300"]), "low: low must be at most 100; choose a smaller one"),
        (lambda: Around.from_args(["--inner.low=3"]), "inner: low must be at most high, but low=3 and high=2"),
        (lambda: Around(inner={"low": 3}), "inner: low must be at most high, but low=3 and high=2"),  # type: ignore[arg-type]
        (
            lambda: Around.from_args(["--inner.low=300", "--count=0"]),
            "inner.low: low must be at most 100; choose a smaller one\ncount: must be greater than 0, but got '0'",
        ),
    ],
)
def test_messages_of_a_classs_own_validators_are_unchanged(make, text):
    with pytest.raises(HparamsError) as caught:
        make()
    assert str(caught.value) == text


# -- groups ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        lambda: Model.from_args(["--optimizer.name=sgd"]),
        lambda: Model.from_args(['--optimizer={"name": "sgd"}']),
        lambda: Model.from_dict({"optimizer": {"name": "sgd"}}),
        lambda: Model(optimizer={"name": "sgd"}),  # type: ignore[arg-type]
        lambda: Model().override("optimizer.name=sgd"),
    ],
)
def test_a_group_given_in_part_keeps_the_enclosing_classs_defaults_for_the_rest(make):
    assert make() == Model(optimizer=Optimizer(name="sgd", lr=0.5e-3))


def test_a_group_given_whole_is_taken_as_it_is():
    assert Model(optimizer=Optimizer(name="sgd")).optimizer.lr == 1e-3


def test_an_optional_group_starts_from_its_own_defaults():
    assert Model.from_args(["--scheduler.name=sgd"]).scheduler == Optimizer(name="sgd")
    assert Model.from_args(["--scheduler.name=sgd", "--scheduler=null"]).scheduler is None
    assert Model.from_args(["--scheduler=null", "--scheduler.name=sgd"]).scheduler == Optimizer(name="sgd")


class Deep(Hparams):
    model: Model = Model(optimizer=Optimizer(name="sgd", momentum=0.5), scheduler=Optimizer(lr=5e-3))


def test_defaults_of_the_outermost_class_reach_all_the_way_down():
    made = Deep.from_args(["--model.optimizer.lr=1", "--model.scheduler.name=sgd"])
    assert made.model.optimizer == Optimizer(name="sgd", momentum=0.5, lr=1)
    assert made.model.scheduler == Optimizer(name="sgd", lr=5e-3)
    assert Deep(model={"optimizer": {"lr": 1}, "scheduler": {"name": "sgd"}}) == made  # type: ignore[arg-type]
    assert Deep.leaf("model.optimizer.momentum").default == 0.5
    assert Deep.leaf("model.scheduler.lr").default == 5e-3
    assert Model.leaf("optimizer.lr").default == 0.5e-3


def test_a_group_without_a_default_is_made_from_its_fields_defaults():
    class Needy(Hparams):
        optimizer: Optimizer

    assert Needy.from_args([]).optimizer == Optimizer()
    assert Needy.from_dict({}).optimizer == Optimizer()
    assert Needy.from_args(["--optimizer.lr=2"]).optimizer == Optimizer(lr=2)


def test_a_group_that_needs_a_value_says_which():
    class Inner(Hparams):
        units: int

    class Outer(Hparams):
        inner: Inner

    with pytest.raises(HparamsError, match=r"inner\.units: Inner needs 'units', which has no default"):
        Outer.from_args([])


def test_what_is_in_a_dict_has_a_dotted_name():
    made = Model.from_args(
        ["--optimizer.kwargs.nesterov=true", "--optimizer.kwargs.name=sgd", "--optimizer.kwargs.a.b=1"]
    )
    assert made.optimizer.kwargs == {"nesterov": True, "name": "sgd", "a": {"b": 1}}
    assert Model.from_args(['--optimizer.kwargs={"a": 1}', "--optimizer.kwargs.b=2"]).optimizer.kwargs == {
        "a": 1,
        "b": 2,
    }


def test_groups_may_be_plain_pydantic_models_and_other_typed_things():
    class Plain(BaseModel):
        units: int = 1
        layers: list[int] = Field(default_factory=list)

    @dataclass
    class Data:
        rows: int = 1

    class Holder(Hparams):
        plain: Plain = Plain(units=4)
        data: Data = Data()
        either: Small | Ordered = Ordered(low=2)

    made = Holder.from_args(["--plain.layers=[1]", '--data={"rows": 3}', '--either={"lr": 0.5}'])
    assert made == Holder(plain=Plain(units=4, layers=[1]), data=Data(3), either=Small(lr=0.5))
    assert Holder.from_args(made.to_args()) == made
    assert list(Holder.leaves()) == ["plain.units", "plain.layers", "data", "either"]


def test_a_class_may_hold_itself_as_one_value():
    made = Tree(left=Tree(name="leaf"))
    assert list(Tree.leaves()) == ["left", "name"]
    assert Tree.from_args(made.to_args()) == made
    assert Tree.from_args(['--left={"name": "leaf"}']) == made


class Tree(Hparams):
    left: Tree | None = None
    name: str = "root"


def test_what_an_optional_group_needs_is_needed_only_when_the_group_is_there():
    class Inner(Hparams):
        units: int

    class Holder(Hparams):
        inner: Inner | None = None

    assert Holder.from_args([]).inner is None
    assert Holder.from_namespace(parsed(Holder, [])).inner is None
    assert Holder.from_args(["--inner.units=3"]).inner == Inner(units=3)
    assert "  --inner.units\n        (required in inner)\n" in Holder.help_text()


# -- from and to other forms -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["--learning_rate", "-3e-4"], {"learning_rate": -3e-4}),
        (["--text", "--other=3"], {"text": "--other=3"}),
        (["--text=", "--flag=true"], {"text": "", "flag": True}),
        (["--text=a=b=c"], {"text": "a=b=c"}),
        (["--number=1", "--number=2"], {"number": 2}),
        ([], {}),
    ],
)
def test_command_lines_in_every_spelling(argv, expected):
    assert Small.from_args(argv) == Small(**expected)


def test_a_yaml_file_may_hold_the_values_or_hold_them_under_a_key(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("models:\n  small: {lr: 1e-4, flag: true}\n  7: {number: 2}\nlist: [1]\nempty:\n", encoding="utf-8")
    assert Small.from_yaml(path, key="models.small") == Small(lr=1e-4, flag=True)
    assert Small.from_yaml(str(path), key="models.7") == Small(number=2)
    path.write_text("lr: 0.5", encoding="utf-8")
    assert Small.from_yaml(path) == Small(lr=0.5)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("model", "no key 'model' ('model' not found); did you mean 'models'?"),
        ("models.smal", "no key 'models.smal' ('smal' not found); did you mean 'small'?"),
        ("models.small.lr.x", "no key 'models.small.lr.x' ('x' not found); there are none"),
        ("", "no key '' ('' not found); known: empty, list, models"),
        ("list", "key 'list' must hold a mapping of hyperparameters, but holds [1]"),
        ("empty", "key 'empty' must hold a mapping of hyperparameters, but holds None"),
        (None, "models: Small has no key 'models'"),
        ("models", "key models: small: Small has no key 'small'"),
    ],
)
def test_a_missing_key_is_an_error_and_never_silent_defaults(tmp_path, key, text):
    path = tmp_path / "config.yaml"
    path.write_text("models:\n  small: {lr: 1e-4}\nlist: [1]\nempty:\n", encoding="utf-8")
    with pytest.raises(HparamsError) as caught:
        Small.from_yaml(path, key=key)
    assert text in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("name", ["config.yaml", "none.yaml"])
def test_a_file_that_is_missing_or_not_yaml_is_an_error(tmp_path, name):
    (tmp_path / "config.yaml").write_text("a: [1", encoding="utf-8")
    with pytest.raises(YamlError, match=name):
        Small.from_yaml(tmp_path / name)


def test_an_empty_file_is_an_error(tmp_path):
    (tmp_path / "config.yaml").write_text("", encoding="utf-8")
    with pytest.raises(HparamsError, match="the file must hold a mapping of hyperparameters, but holds None"):
        Small.from_yaml(tmp_path / "config.yaml")


def test_an_omegaconf_config_is_resolved_all_the_way_down(monkeypatch):
    monkeypatch.setenv("WIDTH", "7")
    config = OmegaConf.create(
        {
            "hidden_units": "${oc.env:WIDTH}",
            "optimizer": {"lr": "${dropout}", "kwargs": {"list": ["${hidden_units}"]}},
            "dropout": 0.25,
        }
    )
    made = Model.from_config(config)
    assert made == Model(hidden_units=7, dropout=0.25, optimizer={"lr": 0.25, "kwargs": {"list": ["7"]}})  # type: ignore[arg-type]
    assert type(made.optimizer.kwargs["list"]) is list
    assert Model.from_config({"hidden_units": 7}) == Model(hidden_units=7)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"hidden_units": "${missing}"},
            "hidden_units: the config cannot be read: Interpolation key 'missing' not found",
        ),
        ({"hidden_units": "???"}, "hidden_units: a value must be given, but the config has ??? there"),
        (
            {"optimizer": {"lr": "???", "name": "???"}},
            "optimizer.lr, optimizer.name: a value must be given, but the config has ??? there",
        ),
    ],
)
def test_what_a_config_cannot_give_is_an_error(config, message):
    with pytest.raises(HparamsError, match=re.escape(message)):
        Model.from_config(OmegaConf.create(config))


def test_a_dict_and_yaml_are_nested_and_plain():
    made = Model(optimizer={"name": "sgd", "kwargs": {"a": 1}})  # type: ignore[arg-type]
    assert made.to_dict() == {
        "hidden_units": 128,
        "optimizer": {"name": "sgd", "lr": 0.0005, "momentum": 0.9, "kwargs": {"a": 1}},
        "scheduler": None,
        "dropout": None,
        "layers": [64],
    }
    assert json.loads(json.dumps(made.to_dict())) == made.to_dict()
    assert made.to_yaml().startswith("hidden_units: 128\noptimizer:\n  name: sgd\n  lr: 0.0005\n")


def test_flat_values_leave_out_an_optional_group_that_is_there_and_keep_one_that_is_none():
    assert Model().to_flat()["scheduler"] is None
    assert "scheduler.lr" not in Model().to_flat()
    flat = Model(scheduler=Optimizer()).to_flat()
    assert "scheduler" not in flat
    assert flat["scheduler.lr"] == 1e-3


def test_a_diff_names_what_differs_and_both_values():
    assert Model().diff(Model()) == {}
    assert Model().diff(Model(optimizer={"lr": 1}, dropout=0.5)) == {  # type: ignore[arg-type]
        "dropout": (None, 0.5),
        "optimizer.lr": (0.0005, 1.0),
    }
    assert Model().diff(Model(scheduler=Optimizer()))["scheduler.lr"] == (None, 1e-3)
    assert Small().diff(Around()) == {
        **{name: (value, None) for name, value in Small().items()},
        "inner.low": (None, 1),
        "inner.high": (None, 2),
        "count": (None, 1),
    }


def test_the_content_hash_is_pinned_and_does_not_depend_on_the_order_of_fields():
    class One(Hparams):
        a: int = 1
        b: float = 2.0

    class Other(Hparams):
        b: float = 2.0
        a: int = 1

    pinned = "17c703882212720d88b50e3874609918ca5f11b1d1b2a5d3063181a1891de49f"  # of {"a":1,"b":2.0}
    assert One().content_hash() == Other().content_hash() == pinned
    assert One().content_hash() != One(a=2).content_hash()


def test_a_default_of_another_number_type_does_not_change_the_hash():
    class Loose(Hparams):
        epochs: float = 10
        row: tuple[int, ...] = Hparam(default_factory=list)

    assert (
        Loose().content_hash() == Loose.from_args(Loose().to_args()).content_hash() == Loose(epochs=10.0).content_hash()
    )
    assert Loose().to_args() == ["--epochs=10.0", "--row=[]"]


# -- overrides ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["hidden_units=3"], {"hidden_units": 3}),
        (["optimizer.lr=2", "optimizer.name=sgd"], {"optimizer": {"lr": 2, "name": "sgd"}}),
        (["dropout=0.5", "~dropout"], {}),
        (["optimizer.lr=2", "~optimizer.lr"], {}),
        (["optimizer.lr=2", "~optimizer"], {}),
        (["scheduler.lr=2"], {"scheduler": {"lr": 2}}),
        (["scheduler.lr=2", "~scheduler"], {}),
        (["scheduler.lr=2", "scheduler=null"], {}),
        (['optimizer={"name": "sgd"}'], {"optimizer": {"name": "sgd"}}),
        (["optimizer.kwargs.a=1", "+optimizer.kwargs.b=x"], {"optimizer": {"kwargs": {"a": 1, "b": "x"}}}),
        (["optimizer.kwargs.a=1", "~optimizer.kwargs.a"], {}),
        (["layers=[1, 2]"], {"layers": [1, 2]}),
        ([], {}),
    ],
    ids=repr,
)
def test_overrides_in_hydras_syntax(overrides, expected):
    original = Model()
    assert original.override(*overrides) == Model.from_dict(expected)
    assert original == Model()


@pytest.mark.parametrize(
    ("override", "text"),
    [
        ("hidden_units", "an override is name=value, +name=value or ~name, but got 'hidden_units'"),
        ("hiden_units=3", "Model has no hyperparameter 'hiden_units'; did you mean 'hidden_units'?"),
        ("hidden_units=x", "hidden_units: must be a valid integer"),
        ("+hidden_units=3", "+hidden_units adds a name, but Model already has it; write hidden_units=3"),
        ("+new=1", "Model allows no further names, but got +new; known: "),
        ("+optimizer.new=1", "Model has no hyperparameter 'optimizer.new'"),
        ("~new", "Model has no hyperparameter 'new'"),
        ("~optimizer.kwargs.a", "Model has no hyperparameter 'optimizer.kwargs.a'"),
        ("~", "Model has no hyperparameter ''"),
        ("=3", "Model has no hyperparameter ''"),
    ],
)
def test_an_override_with_a_mistake_is_refused(override, text):
    with pytest.raises(HparamsError) as caught:
        Model().override(override)
    assert text in str(caught.value)


def test_dropping_a_value_without_a_default_is_refused():
    class Needy(Hparams):
        lr: float

    with pytest.raises(HparamsError, match="~lr restores the default, but field lr: float has none"):
        Needy(lr=1).override("~lr")


class Open(Hparams, extra="allow"):
    known: int = 1


class Outer(Hparams):
    inner: Open = Open()


def test_further_names_are_taken_only_where_the_class_allows_them():
    made = Open().override("+new=1", "+text=abc", '+quoted="1"')
    assert made.to_dict() == {"known": 1, "new": 1, "text": "abc", "quoted": "1"}
    assert made["new"] == 1
    assert "new" in made
    assert len(made) == 4
    assert list(made) == ["known", "new", "text", "quoted"]
    assert made.override("~new").to_dict() == {"known": 1, "text": "abc", "quoted": "1"}
    assert Open.from_args(["--new=1", "--a.b=2"]) == Open(**{"new": 1, "a.b": 2})
    assert Outer.from_args(["--inner.new=1"]).inner == Open(new=1)  # type: ignore[call-arg]


# -- what a class declares ---------------------------------------------------------------------------------------------


def test_docstrings_of_fields_become_descriptions_and_help():
    assert Model.leaf("hidden_units").description == "Width of each layer, 100% of them."
    assert Model.leaf("optimizer.lr").description == "Step size"
    shown = Model.help_text()
    assert shown.startswith(
        "A small model.\n\nIts second paragraph.\n\nhyperparameters (--name=value):\n  --hidden_units\n"
    )
    assert "  --hidden_units\n        Width of each layer, 100% of them. (default 128)\n" in shown
    assert '        Step size (default 0.0005; searched {"loguniform": [0.0001, 0.01]})\n' in shown
    assert "  --scheduler\n        (default null)\n" in shown


def test_help_goes_to_stdout_and_exits_with_0(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["train.py", "--lr=1", "--help"])
    with pytest.raises(SystemExit) as caught:
        Small.from_args()
    assert caught.value.code == 0
    assert capsys.readouterr() == (Small.help_text(), "")


def test_the_processs_own_arguments_are_the_default(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["train.py", "--lr=7"])
    assert Small.from_args().lr == 7


def test_the_json_schema_has_bounds_descriptions_and_search_domains():
    schema = Model.model_json_schema()
    optimizer = schema["$defs"]["Optimizer"]["properties"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["hidden_units"] == {
        "default": 128,
        "description": "Width of each layer, 100% of them.",
        "minimum": 1,
        "title": "Hidden Units",
        "type": "integer",
    }
    assert optimizer["lr"]["search"] == {"loguniform": [1e-4, 1e-2]}
    assert optimizer["lr"]["exclusiveMinimum"] == 0
    assert optimizer["momentum"]["search"] == {"uniform": [0, 0.99], "when": {"name": ["sgd"]}}
    json.dumps(schema)


def test_the_space_of_a_class_names_groups_by_dots_and_conditions_from_the_top():
    space = Model.space()
    assert list(space) == [
        f"{group}.{name}" for group in ("optimizer", "scheduler") for name in ("name", "lr", "momentum")
    ]
    assert space["optimizer.momentum"] == Conditional(Uniform(0, 0.99), {"optimizer.name": "sgd"})


def test_a_subclass_keeps_fields_and_may_change_them():
    class Sub(Small):
        lr: float = Hparam(0.7, search=Uniform(0, 1))
        added: str = "x"

    assert list(Sub.leaves()) == ["lr", "learning_rate", "flag", "text", "number", "added"]
    assert Sub.space() == {"lr": Uniform(0, 1)}
    assert Small.space() == {}
    assert Sub.from_args(["--number=3", "--added=y"]) == Sub(number=3, added="y")

    class Quiet(Sub):
        lr: float = 0.9

    assert Quiet.space() == {}
    assert Quiet().lr == 0.9


def test_a_subclass_inherits_domains_and_descriptions_it_does_not_change():
    class Sub(Optimizer):
        weight_decay: float = 0.0

    assert Sub.space() == Optimizer.space()
    assert Sub.leaf("lr").description == "Step size"


def test_classes_made_in_a_function_find_each_other():
    class Inner(Hparams):
        units: int = 1

    class Holder(Hparams):
        inner: Inner = Inner()
        more: list[Inner] = Hparam(default_factory=list)

    expected = Holder(inner=Inner(units=3), more=[Inner(units=4)])
    assert Holder.from_args(["--inner.units=3", '--more=[{"units": 4}]']) == expected


T = TypeVar("T")


def test_a_generic_class_has_the_fields_of_its_type():
    class Box(Hparams, Generic[T]):
        value: T

    assert Box[int].from_args(["--value=3"]).value == 3
    assert Box[str].from_args(["--value=3"]).value == "3"


def test_fields_may_be_declared_in_any_of_pydantics_ways():
    class Ways(Hparams):
        field: int = Field(1, ge=0, description="A field")
        annotated: Annotated[int, Field(ge=0)] = 2
        named: PositiveInt = 3
        both: Annotated[float, Field(gt=0)] = Hparam(1.0, lt=5, search=Uniform(0.5, 4))
        constant: ClassVar[int] = 4

        @computed_field
        def twice(self) -> int:
            return 2 * self.field

    assert list(Ways.leaves()) == ["field", "annotated", "named", "both"]
    assert Ways.from_args(Ways(field=7).to_args()) == Ways(field=7)
    assert Ways(field=7).override("named=4").to_dict() == {"field": 7, "annotated": 2, "named": 4, "both": 1.0}
    assert Ways.leaf("field").description == "A field"
    with pytest.raises(HparamsError) as caught:
        Ways.from_args(["--field=-1", "--annotated=-1", "--named=0", "--both=5"])
    assert [line.partition(":")[0] for line in str(caught.value).splitlines()] == [*Ways.leaves()]
    with pytest.raises(HparamsError, match="both: must be greater than 0"):
        Ways.from_args(["--both=0"])


def test_fields_may_have_names_that_others_use_too():
    class Names(Hparams):
        self: int = 1
        cls: int = 2
        model_name: str = "a"
        model_type: str = "b"
        dest: str = "c"
        prog: str = "d"
        h: int = 3
        name: str = "e"
        args: int = 4
        kwargs: int = 5
        data: int = 6

    made = Names(self=7, cls=8, args=9, kwargs=10, data=11)
    assert Names.from_args(made.to_args()) == made
    assert dict(**made)["self"] == 7
    parser = argparse.ArgumentParser()
    Names.add_to_argparse(parser)
    assert Names.from_namespace(parser.parse_args(made.to_args())) == made


def test_a_class_that_is_strict_still_reads_texts():
    class Strict(Hparams, strict=True):
        number: int = 1
        real: float = 1.0
        flag: bool = False
        path: Path = Path()
        row: tuple[int, ...] = ()

    made = Strict(number=2, real=2.5, flag=True, path=Path("a"), row=(1,))
    assert Strict.from_args(made.to_args()) == made
    assert made.override("number=3").number == 3
    with pytest.raises(HparamsError, match="number: must be a valid integer, but got '2'"):
        Strict(number="2")  # type: ignore[arg-type]


# -- a hand-written parser ---------------------------------------------------------------------------------------------


def parsed(hparams: type[Hparams], argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="train.py")
    hparams.add_to_argparse(parser)
    parser.add_argument("--output", default="out")
    return parser.parse_args(argv)


def test_a_parser_shows_defaults_as_they_are_given():
    parser = argparse.ArgumentParser()

    class Switches(Hparams):
        """Switches."""

        on: bool = False
        """Whether it is on."""
        rate: float | None = None
        kind: Literal["a", "b"] = "a"

    Switches.add_to_argparse(parser)
    shown = " ".join(parser.format_help().split())
    assert "Whether it is on. (default: false)" in shown
    assert "(default: null)" in shown
    assert "(default: a)" in shown


def test_a_hand_written_parser_gets_typed_options_and_keeps_its_own():
    namespace = parsed(Model, ["--hidden-units", "3", "--optimizer.lr=1e-2", "--output=x", "--layers=[1]"])
    assert namespace.hidden_units == 3
    assert vars(namespace)["optimizer.lr"] == 1e-2
    assert vars(namespace)["optimizer.name"] == "adam"
    assert namespace.layers == [1]
    assert namespace.output == "x"
    assert Model.from_namespace(namespace) == Model(hidden_units=3, optimizer={"lr": 1e-2}, layers=[1])  # type: ignore[arg-type]
    assert Model.from_namespace(parsed(Model, [])) == Model()


def test_the_values_of_a_namespace_count_wherever_they_come_from():
    parser = argparse.ArgumentParser()
    Model.add_to_argparse(parser)
    parser.set_defaults(hidden_units=5, layers="[1, 2]", **{"optimizer.lr": 0.5})
    namespace = parser.parse_args(["--dropout=0.5", "--optimizer.momentum=0.1"])
    namespace.dropout = None
    assert Model.from_namespace(namespace) == Model(
        hidden_units=5,
        layers=[1, 2],
        optimizer={"lr": 0.5, "momentum": 0.1},  # type: ignore[arg-type]
    )
    namespace = parsed(Model, ["--layers=[1]", "--scheduler.lr=0.5"])
    namespace.layers.append(3)
    assert Model.from_namespace(namespace) == Model(layers=[1, 3], scheduler=Optimizer(lr=0.5))


def test_a_hand_made_namespace_counts_too():
    namespace = argparse.Namespace(lr=0.5, number="3", text="null", other=1)
    assert Small.from_namespace(namespace) == Small(lr=0.5, number=3, text="null")
    groups = argparse.Namespace(optimizer={"lr": 0.5}, scheduler=Optimizer(name="sgd"), layers=[2])
    assert Model.from_namespace(groups) == Model(
        optimizer={"lr": 0.5},  # type: ignore[arg-type]
        scheduler=Optimizer(name="sgd"),
        layers=[2],
    )
    with pytest.raises(HparamsError, match="number: must be a valid integer"):
        Small.from_namespace(argparse.Namespace(number="three"))


def test_a_hand_written_parser_reports_mistakes_as_its_own(capsys):
    with pytest.raises(SystemExit) as caught:
        parsed(Model, ["--hidden_units=0"])
    assert caught.value.code == 2
    assert "train.py: error: hidden_units: must be greater than or equal to 1, but got '0'" in capsys.readouterr().err


def test_a_hand_written_parser_shows_descriptions_and_requires_what_has_no_default(capsys):
    class Needy(Model):
        needed: int

    with pytest.raises(SystemExit):
        parsed(Needy, ["--help"])
    shown = capsys.readouterr().out
    assert "Width of each layer, 100% of them. (default: 128)" in " ".join(shown.split())
    with pytest.raises(SystemExit):
        parsed(Needy, [])
    assert "the following arguments are required: --needed" in capsys.readouterr().err


# -- encoded values ----------------------------------------------------------------------------------------------------


@given(st.floats(0, 1))
def test_an_encoded_conditional_value_counts_only_while_its_condition_holds(u):
    domain = Model.space()["optimizer.momentum"]
    text = encoding.encode_value("quantile", domain, repr(u))
    active, inactive = (
        Model.from_args([f"--optimizer.momentum={text}", f"--optimizer.name={name}"]).optimizer
        for name in ("sgd", "adam")
    )
    assert (active.name, active.momentum) == ("sgd", domain.quantile(u))
    assert (inactive.name, inactive.momentum) == ("adam", 0.9)


def test_an_inactive_encoded_value_does_not_create_its_optional_group():
    class Chosen(Hparams):
        use: Literal["none", "warm"] = "none"
        warmup: Optimizer | None = None

    text = encoding.encode_value("quantile", Conditional(LogUniform(1e-4, 1e-2), {"use": "warm"}), "0.5")
    assert Chosen.from_args([f"--warmup.lr={text}"]) == Chosen()
    warm = Chosen.from_args([f"--warmup.lr={text}", "--use=warm"])
    assert warm.warmup is not None
    assert warm.warmup.lr == pytest.approx(1e-3)


def test_a_condition_on_a_conditional_field_is_evaluated_after_it():
    class Chain(Hparams):
        first: Literal["a", "b"] = "a"
        second: int = Hparam(1, search=Conditional(Choice(1, 2), {"first": "b"}))
        third: int = Hparam(5, search=Conditional(Choice(5, 6), {"second": 2}))

    space = Chain.space()
    second = encoding.encode_value("index", space["second"], "1")
    third = encoding.encode_value("index", space["third"], "1")
    argv = [f"--third={third}", f"--second={second}"]
    assert Chain.from_args(argv) == Chain()
    assert Chain.from_args([*argv, "--first=b"]) == Chain(first="b", second=2, third=6)


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        (encoding.encode_text("a b\0"), "text", "a b\0"),
        (encoding.encode_text("kftune:x"), "text", "kftune:x"),
        (encoding.encode_text("7"), "number", 7),
        (encoding.encode_text("true"), "flag", True),
        (encoding.encode_value("quantile", Uniform(1, 3), "0.5"), "lr", 2.0),
        (encoding.encode_value("index", Choice(3, 9), "1"), "number", 9),
        (encoding.encode_value("index", Choice("x", ""), "1"), "text", ""),
    ],
)
def test_encoded_values_are_decoded_for_every_field(text, field, value):
    assert Small.from_args([f"--{field}={text}"]) == Small(**{field: value})


def test_an_encoded_value_outside_the_field_is_refused():
    with pytest.raises(HparamsError, match="hidden_units: must be greater than or equal to 1, but got 0"):
        Model.from_args([f"--hidden_units={encoding.encode_value('index', Choice(0, 1), '0')}"])


def test_overrides_are_yaml_as_in_a_study():
    made = Model().override("optimizer.kwargs={lr: 0.0005, nesterov: true}", "layers=[1, 2]")
    assert made.optimizer.kwargs == {"lr": 0.0005, "nesterov": True}
    assert made.layers == [1, 2]
    with pytest.raises(HparamsError, match=r"optimizer\.kwargs: the value must be YAML"):
        Model().override("optimizer.kwargs={lr: ")
    assert Model().override("optimizer={name: sgd}").optimizer.name == "sgd"
    assert Model().override("optimizer.kwargs.betas={a: [0.9]}").optimizer.kwargs["betas"] == {"a": [0.9]}
