"""A study as an object: what it derives, and what it refuses."""

from __future__ import annotations

import json
import math
import pickle
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from json_schema import problems
from places import ROOT
from pydantic import field_validator, model_validator
from study_examples import Optimizer, Toy, data, toy

from kftune import Choice, Conditional, Hparam, Hparams, IntUniform, LogUniform, Study, Uniform, load_study, yaml_text
from kftune.domains import domain_from_spec
from kftune.errors import StudyError
from kftune.spec.quantities import parse_duration, parse_quantity
from kftune.study import ALGORITHMS, Budget, Objective, Resources, Step, study_from_dict
from kftune.study.schema import study_schema

PIPELINES = ROOT / "pipelines"
SHIPPED = sorted(path for path in PIPELINES.rglob("*.yaml") if "objective:" in path.read_text(encoding="utf-8"))

FULL = data(
    description="One of everything",
    values={"units": 32, "optimizer": {"momentum": 0.5}, "tags": ["a"], "note": "two words"},
    search={
        "optimizer.lr": {"loguniform": [1e-4, 1e-2], "when": {"kind": ["adam"]}},
        "warmup.needed": {"choice": ["x", "y"], "weights": [1, 2]},
        "momentum": None,
    },
    objective={"metric": "val/loss", "direction": "maximize", "goal": 0.5, "reduce": "latest", "regex": "l=([0-9.]+)"},
    metrics=["train_loss", {"name": "yolo:mAP_0.5", "reduce": "max", "regex": "mAP ([0-9.]+)"}],
    algorithm={"name": "tpe", "seed": 7, "settings": {"gamma": 0.3, "n_EI_candidates": 20}},
    budget={"max_trials": 20, "parallel": 3, "max_failed": 2, "trial_timeout": "1h30m", "wall_clock": 1_728_000},
    step={
        "name": "train",
        "image": "registry.example:5000/team/toy:1@sha256:" + "0" * 64,
        "module": "toy.train",
        "args": ["--data", "/data"],
        "working_dir": "/work",
        "env": {"MODE": "fast", "DEPTH": 3, "QUIET": True},
        "secrets": {"TOKEN": {"name": "tokens", "key": "wandb"}},
        "resources": {"cpu": 2, "memory": "4Gi", "gpu": 2, "gpu_type": "A100", "nodes": 2, "procs_per_node": 2},
        "volumes": [
            {"name": "data", "mount": "/data", "claim": "circuits", "read_only": True},
            {"name": "scratch", "mount": "/scratch", "empty_dir": True, "size_limit": "1Gi"},
        ],
        "data": {"path": "data", "mount": "/data"},
        "node_selector": {"zone": "a"},
        "tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
        "service_account": "trainer",
        "grace_period": "5s",
    },
    points=[{"kind": "sgd", "optimizer.lr": 1e-3, "warmup.needed": "x"}, {"optimizer.lr": 1e-4, "warmup.needed": "y"}],
    targets={"katib": {"version": "0.18", "namespace": "team-a", "trial_kind": "PyTorchJob", "labels": {"team": "a"}}},
)


# -- one model for the file and the object -----------------------------------------------------------------------------


@pytest.mark.parametrize("whole", [data(), FULL], ids=["least", "most"])
def test_an_object_and_its_file_are_one_model(whole):
    made = study_from_dict(whole)
    again = study_from_dict(made.to_dict())
    assert again == made
    assert again.to_dict() == made.to_dict()
    assert again.identity() == made.identity()
    assert study_from_dict(yaml_text.load(yaml_text.dump(made.to_dict()))) == made  # type: ignore[arg-type]
    assert study_from_dict(json.loads(json.dumps(made.to_dict()))) == made


def test_an_object_leaves_out_what_is_at_its_default():
    assert toy().to_dict() == data()
    assert toy(budget={"max_trials": 10}).to_dict() == data()
    written = study_from_dict(FULL).to_dict()
    assert set(written) == set(FULL)
    assert written["values"] == FULL["values"]
    assert written["search"]["momentum"] is None
    assert written["budget"] == FULL["budget"] | {"trial_timeout": "5400s", "wall_clock": "1728000s"}
    assert written["step"]["secrets"] == {"TOKEN": {"name": "tokens", "key": "wandb"}}


def test_a_study_made_in_python_is_the_same_as_one_from_a_file():
    made = Study(
        name="toy",
        hparams=Toy,
        search={"optimizer.lr": LogUniform(1e-4, 1e-2)},
        objective=Objective(metric="val_loss", direction="minimize"),
        budget=Budget(max_trials=4),
        step=Step(command=("python", "train.py"), image="registry.example/toy:1", resources=Resources(cpu="2")),
    )
    written = data(
        search={"optimizer.lr": {"loguniform": [1e-4, 1e-2]}},
        budget={"max_trials": 4},
        step={"command": ["python", "train.py"], "image": "registry.example/toy:1", "resources": {"cpu": 2}},
    )
    assert made == study_from_dict(written)
    assert made.to_dict() == study_from_dict(written).to_dict()


def test_a_study_is_frozen_and_can_be_pickled():
    made = study_from_dict(FULL)
    with pytest.raises(StudyError, match=r"Study is frozen: name cannot be changed; use study\.replace\(name=\.\.\.\)"):
        made.name = "other"  # type: ignore[misc]
    assert made.replace(name="other").to_dict() == {**made.to_dict(), "name": "other"}
    with pytest.raises(StudyError, match="must be greater than or equal to 1"):
        made.budget.replace(parallel=0)
    assert pickle.loads(pickle.dumps(made)) == made  # noqa: S301  # our own bytes


@given(st.floats(1e-6, 1e12) | st.integers(1, 10**9).map(float))
def test_every_duration_comes_back_exactly(seconds):
    made = toy(budget={"wall_clock": seconds})
    assert study_from_dict(made.to_dict()).budget.wall_clock == seconds


# -- the published schema ----------------------------------------------------------------------------------------------


def test_there_are_shipped_studies():
    assert len(SHIPPED) >= 2


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: str(path.relative_to(PIPELINES)))
def test_the_schema_takes_every_shipped_study(path):
    written = yaml_text.load_file(path)
    assert list(problems(written, study_schema())) == []
    assert list(problems(load_study(path).to_dict(), study_schema())) == []


@pytest.mark.parametrize("whole", [data(), FULL], ids=["least", "most"])
def test_the_schema_takes_what_the_model_takes(whole):
    assert list(problems(whole, study_schema())) == []
    assert list(problems(study_from_dict(whole).to_dict(), study_schema())) == []


@pytest.mark.parametrize(
    "spec",
    [
        {"uniform": [0, 1]},
        {"uniform": {"low": 0, "high": 1}},
        {"quniform": [0, 1], "q": 0.5},
        {"quniform": {"low": 0, "high": 1}, "q": 0.5},
        {"quniform": {"low": 0, "high": 1, "q": 0.5}},
        {"normal": {"mean": 0, "std": 1, "low": 0}, "when": {"kind": ["sgd"]}},
        {"int": {"low": 1, "high": 9, "step": 2}},
        {"choice": [1, 2]},
        {"constant": {"a": 1}},
    ],
    ids=str,
)
def test_the_schema_takes_each_way_to_write_a_domain(spec):
    domain_from_spec(spec)
    assert list(problems(data(search={"units": spec}), study_schema())) == []


def test_a_group_in_the_search_is_answered_with_the_dotted_name_of_its_field():
    with pytest.raises(StudyError, match=r"search\.optimizer: .* dotted name, as one key: group\.lr: \{'uniform'"):
        toy(search={"optimizer": {"lr": {"uniform": [0, 1]}}})
    with pytest.raises(StudyError, match="did you mean 'uniform'"):
        toy(search={"optimizer.lr": {"unifrm": {"low": 0, "high": 1}}})


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"nam": "x"}, "$.nam: not a property"),
        ({"name": 3}, "$.name: type string"),
        ({"name": None}, "$: required"),
        ({"objective": {"metric": "a", "direction": "down"}}, "$.objective.direction: enum"),
        ({"objective": {"metric": "a"}}, "$.objective: required"),
        ({"budget": {"max_trials": 0}}, "$.budget.max_trials: minimum 1"),
        ({"budget": {"max_trails": 1}}, "$.budget.max_trails: not a property"),
        ({"budget": {"wall_clock": "soon"}}, "$.budget.wall_clock: fits no alternative"),
        ({"search": {"units": {"uniform": [0]}}}, "$.search.units: fits no alternative"),
        ({"search": {"units": {"unifrm": [0, 1]}}}, "$.search.units: fits no alternative"),
        ({"search": {"units": {"int": [0, 1.5]}}}, "$.search.units: fits no alternative"),
        ({"search": {"units": {"quniform": [0, 1]}}}, "$.search.units: fits no alternative"),
        ({"search": {"units": {"quniform": {"low": 0, "high": 1}}}}, "$.search.units: fits no alternative"),
        ({"search": {"units": {"uniform": {"low": 0}}}}, "$.search.units: fits no alternative"),
        ({"search": {"units": {"choice": {"a": 1}}}}, "$.search.units: fits no alternative"),
        ({"search": {"units": 3}}, "$.search.units: fits no alternative"),
        ({"step": {"command": "python train.py"}}, "$.step.command: type array"),
        ({"step": {"resources": {"cpu": "two"}}}, "$.step.resources.cpu: fits no alternative"),
        ({"step": {"secrets": {"A": "hunter2"}}}, "$.step.secrets.A: type object"),
        ({"targets": {"katib": {"version": "0.17"}}}, "$.targets.katib.version: enum"),
        ({"points": {"units": 1}}, "$.points: type array"),
    ],
)
def test_the_schema_refuses_mistakes_where_they_are(change, where):
    found = list(problems(data(**change), study_schema()))
    assert len(found) == 1
    assert found[0].startswith(where)


def test_the_schema_describes_every_key_of_every_section():
    schema = study_schema()
    sections = {"Study": schema, **{name: part for name, part in schema["$defs"].items() if "properties" in part}}
    bare = [
        f"{section}.{name}"
        for section, part in sections.items()
        for name, described in part["properties"].items()
        if "description" not in described and "$ref" not in described
    ]
    assert bare == []


# -- the space ---------------------------------------------------------------------------------------------------------


def test_the_space_is_that_of_the_class_unless_the_study_says_otherwise():
    assert list(toy().space) == ["kind", "momentum", "optimizer.lr"]
    assert toy().space["optimizer.lr"] == LogUniform(1e-3, 1)
    changed = toy(search={"units": {"int": [1, 9]}, "optimizer.lr": {"uniform": [0.1, 0.2]}, "kind": None})
    assert list(changed.space) == ["momentum", "optimizer.lr", "units"]
    assert changed.space["optimizer.lr"] == Uniform(0.1, 0.2)
    assert "kind" not in toy(values={"kind": "sgd"}).space


def test_an_optional_group_that_is_none_is_searched_only_when_the_study_brings_it_in():
    assert [name for name in toy().space if name.startswith("warmup.")] == []
    needed = {"warmup": {"needed": "x"}}
    assert "warmup.steps" in toy(values=needed).space
    assert "warmup.needed" in toy(search={"warmup.needed": {"choice": ["a"]}}).space
    assert "warmup.steps" in toy(search={"warmup.needed": {"choice": ["a"]}}).space
    with pytest.raises(StudyError, match=r"field warmup\.needed: str has no default, so it needs a value or a domain"):
        toy(search={"warmup.steps": {"int": [1, 2]}})


class Grouped(Hparams):
    use: Literal["none", "warm"] = Hparam("none", search=Choice("none", "warm"))
    warm: Optimizer | None = Hparam(None, search=Conditional(None, {"use": "warm"}))
    cold: Optimizer | None = Optimizer()


def grouped(**changes: Any) -> Study:
    return Study(**data(hparams=Grouped, **changes))


def test_a_conditional_group_is_in_the_space_and_on_the_command_line_only_when_active():
    made = grouped()
    assert list(made.space) == ["use", "warm.lr", "cold.lr"]
    point = {"use": "none", "warm.lr": 0.5, "cold.lr": 0.5}
    assert made.assignment(point) == {"use": "none", "cold.lr": "0.5"}
    assert made.assignment({**point, "use": "warm"}) == {"use": "warm", "warm.lr": "0.5", "cold.lr": "0.5"}
    assert Grouped.from_assignments(made.assignment(point)).warm is None
    assert list(grouped(values={"warm": None}).space) == ["use", "cold.lr"]
    assert list(grouped(values={"cold": None}).space) == ["use", "warm.lr"]


def test_the_size_of_a_space_is_the_number_of_its_points():
    assert toy().size == math.inf
    finite = toy(search={"momentum": None, "optimizer.lr": {"choice": [0.1, 0.2, 0.3]}, "units": {"int": [1, 5]}})
    assert finite.size == 2 * 3 * 5


# -- assignments -------------------------------------------------------------------------------------------------------


def test_an_assignment_holds_fixed_and_searched_texts_in_the_order_of_the_class():
    made = toy(
        values={"units": 32, "optimizer": {"momentum": 0.5}, "tags": ["a", "b"]}, search={"note": {"choice": ["", "x"]}}
    )
    point = {"note": "", "optimizer.lr": 1e-5, "kind": "sgd", "momentum": 0.25}
    assert made.assignment(point) == {
        "kind": "sgd",
        "momentum": "0.25",
        "optimizer.lr": "1e-05",
        "optimizer.momentum": "0.5",
        "units": "32",
        "note": "",
        "tags": '["a", "b"]',
    }
    assert made.argument_names == tuple(made.assignment(point))
    assert made.fixed == {"units": "32", "optimizer.momentum": "0.5", "tags": '["a", "b"]'}
    read = Toy.from_assignments(made.assignment(point))
    assert (read.kind, read.momentum, read.units, read.optimizer) == ("sgd", 0.25, 32, Optimizer(lr=1e-5, momentum=0.5))


def test_an_inactive_value_is_left_out():
    point = {"kind": "adam", "momentum": 0.25, "optimizer.lr": 0.5}
    assert toy().active(point) == {"kind": "adam", "optimizer.lr": 0.5}
    assert "momentum" not in toy().assignment(point)
    assert toy().active({**point, "kind": "sgd"})["momentum"] == 0.25
    assert toy(values={"kind": "sgd"}).active({"momentum": 0.25}) == {"momentum": 0.25}
    assert toy(values={"kind": "adam"}).active({"momentum": 0.25}) == {}
    assert toy(search={"kind": None}).active({"momentum": 0.25}) == {}


def test_a_command_line_is_command_then_arguments_then_one_token_a_hyperparameter():
    step = Step(command=("python", "train.py"), args=("--data", "/d d"))
    assert step.command_line({"lr": "0.1", "opt.note": "a b"}) == [
        *("python", "train.py", "--data", "/d d"),
        *("--lr=0.1", "--opt.note=a b"),
    ]
    assert Step(module="toy.train").command_line({"lr": "${trialParameters.lr}"}) == [
        *("python", "-m", "toy.train", "--lr=${trialParameters.lr}")
    ]


@given(st.data())
def test_what_a_trial_gets_is_what_the_point_says(data):
    made = toy(search={"units": {"int": [1, 100]}, "note": {"choice": ["", "a b", "null", '"']}})
    point = {name: domain.quantile(data.draw(st.floats(0, 1))) for name, domain in made.space.items()}
    read = Toy.from_args(made.step.command_line(made.assignment(point))[2:])
    flat = read.to_flat()
    assert {name: flat[name] for name in made.active(point)} == made.active(point)
    assert flat["momentum"] == (point["momentum"] if point["kind"] == "sgd" else None)


def test_first_points_are_completed_with_defaults_and_typed_as_the_fields_are():
    made = toy(
        search={"optimizer.lr": {"uniform": [0, 1]}, "units": {"int": [1, 100]}}
        | {"optimizer.lr": {"uniform": [0.05, 1]}},
        points=[{"optimizer.lr": 1}, {"kind": "sgd", "momentum": 0, "units": 7.0}],
    )
    assert made.first_points() == [
        {"kind": "adam", "momentum": None, "optimizer.lr": 1.0, "units": 64},
        {"kind": "sgd", "momentum": 0.0, "optimizer.lr": 0.1, "units": 7},
    ]
    assert made.assignment(made.first_points()[0]) == {"kind": "adam", "optimizer.lr": "1.0", "units": "64"}
    assert [type(value) for value in made.first_points()[1].values()] == [str, float, float, int]


# -- identity ----------------------------------------------------------------------------------------------------------


def test_the_identity_stays_what_it_was_in_stored_results():
    assert toy().identity() == "5a6133d98068c478b53e6f01c9c28316d82e966a3dc8242ec8d11cf4464c162f"
    assert study_from_dict(data(hparams="lstm")).identity() == study_from_dict(data(hparams="LstmHparams")).identity()


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"description": "other"},
        {"budget": {"max_trials": 99, "wall_clock": "1h"}},
        {"algorithm": {"name": "tpe", "seed": 1}},
        {"metrics": ["other"]},
        {"points": [{"kind": "sgd", "momentum": 0.1}]},
        {"targets": {"katib": {"namespace": "x"}}},
        {"step": data()["step"] | {"image": "registry.example/toy:2", "resources": {"cpu": 1}, "env": {"A": "1"}}},
        {"objective": data()["objective"] | {"goal": 0.1, "reduce": "min"}},
        {"search": {"optimizer.lr": {"loguniform": [1e-3, 1]}}},
    ],
    ids=repr,
)
def test_the_identity_is_the_same_while_results_are_comparable(change):
    assert toy(**change).identity() == toy().identity()


@pytest.mark.parametrize(
    "change",
    [
        {"search": {"optimizer.lr": {"loguniform": [1e-3, 0.5]}}},
        {"search": {"optimizer.lr": None}},
        {"search": {"units": {"int": [1, 9]}}},
        {"values": {"units": 32}},
        {"values": {"optimizer.momentum": 0.5}},
        {"objective": {"metric": "val_acc", "direction": "minimize"}},
        {"objective": {"metric": "val_loss", "direction": "maximize"}},
        {"objective": {"metric": "val_loss", "direction": "minimize", "reduce": "latest"}},
        {"step": {"command": ["python", "other.py"]}},
        {"step": data()["step"] | {"args": ["--fast"]}},
        {"hparams": Grouped},
    ],
    ids=repr,
)
def test_the_identity_changes_with_what_results_depend_on(change):
    assert Study(**data(**change)).identity() != toy().identity()


# -- metrics and objective ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("objective", "reduction"),
    [
        ({"direction": "minimize"}, "min"),
        ({"direction": "maximize"}, "max"),
        ({"direction": "minimize", "reduce": "latest"}, "latest"),
    ],
)
def test_the_objective_counts_by_its_direction_and_other_metrics_by_their_latest_value(objective, reduction):
    made = toy(objective={"metric": "a", **objective}, metrics=["b", {"name": "c", "reduce": "max"}])
    assert list(made.reductions.items()) == [("a", reduction), ("b", "latest"), ("c", "max")]


def test_definitions_are_those_with_a_regex():
    made = study_from_dict(FULL)
    assert [(found.name, found.regex) for found in made.metric_definitions] == [
        ("val/loss", "l=([0-9.]+)"),
        ("yolo:mAP_0.5", "mAP ([0-9.]+)"),
    ]
    assert toy().metric_definitions == ()


# -- quantities --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("90s", 90),
        ("30m", 1800),
        ("1h30m", 5400),
        ("2d", 172800),
        ("1h 30m", 5400),
        ("0.5h", 1800),
        (12, 12),
        (0.5, 0.5),
    ],
)
def test_durations_are_seconds_or_text_with_units(value, seconds):
    assert parse_duration(value) == seconds


@pytest.mark.parametrize(
    "value", ["", "30", "30 minutes", "m30", "-3s", "1.5.5s", None, True, [1], 10**400, "٣s"], ids=repr
)
def test_what_is_no_duration_is_refused(value):
    with pytest.raises(ValueError, match="a duration is seconds or text such as 90s, 30m, 1h30m, 2d, but got"):
        parse_duration(value)


@pytest.mark.parametrize("value", [0, -1, "0s", -0.0])
def test_a_duration_is_above_0(value):
    with pytest.raises(ValueError, match="a duration must be above 0, but got"):
        parse_duration(value)


@pytest.mark.parametrize(
    ("text", "number"), [("500m", 0.5), ("2", 2), ("1.5", 1.5), ("4Gi", 4 * 2**30), ("1k", 1000), ("1Ei", 2**60)]
)
def test_quantities_are_those_of_kubernetes(text, number):
    assert float(parse_quantity(text)) == number


@pytest.mark.parametrize("text", ["", "4 Gi", "4gb", "-1", "1e3", "Gi", "٤Gi", "1/2"])
def test_what_is_no_quantity_is_refused(text):
    with pytest.raises(ValueError, match="a quantity is a number with an optional suffix"):
        parse_quantity(text)


# -- what it refuses ---------------------------------------------------------------------------------------------------

STEP = data()["step"]
VOLUME = {"name": "a", "mount": "/a", "claim": "c"}


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"name": ""}, "name: must have at least 1 character, but got ''"),
        ({"name": "x" * 201}, "name: must have at most 200 characters"),
        ({"hparams": 3}, "hparams: hparams is a registry name or module:Class, but got 3"),
        ({"hparams": dict}, "hparams: hparams is a registry name or module:Class, but got <class 'dict'>"),
        ({"values": {"unit": 3}}, "values.unit: Toy has no hyperparameter 'unit'; did you mean 'units'?"),
        ({"values": {"units": 0}}, "values.units: must be greater than or equal to 1, but got 0"),
        ({"values": {"units": "many"}}, "values.units: must be a valid integer"),
        ({"values": {"optimizer": {"lrr": 1}}}, "values.optimizer.lrr: Toy has no hyperparameter 'optimizer.lrr'"),
        ({"values": {"optimizer": 3}}, "values.optimizer: Toy has no hyperparameter 'optimizer'"),
        ({"values": {"optimizer.lr": 1, "optimizer": {"lr": 2}}}, "values: optimizer.lr is set twice"),
        (
            {"values": {"units": 3}, "search": {"units": {"int": [1, 2]}}},
            "search.units: a hyperparameter is fixed or searched",
        ),
        ({"search": {"unit": {"int": [1, 2]}}}, "search.unit: Toy has no hyperparameter 'unit'; did you mean 'units'?"),
        ({"search": {"unit": None}}, "search.unit: Toy has no hyperparameter 'unit'"),
        ({"search": {"units": {"int": [0, 2]}}}, "search.units: a field must take every value of its search domain"),
        ({"search": {"units": {"unifrm": [0, 2]}}}, "search.units: unknown domain 'unifrm'; did you mean 'uniform'"),
        ({"search": {"units": {"uniform": [2, 0]}}}, "search.units: Uniform: low < high must hold"),
        (
            {"search": {"units": {"int": [1, 2], "when": {"knd": "sgd"}}}},
            "search.units.when: a condition must name a hyperparameter, but units depends on 'knd'; did you mean",
        ),
        (
            {"search": {"units": {"int": [1, 2], "when": {"kind": "sdg"}}}},
            "search.units.when: units depends on kind='sdg', which is impossible",
        ),
        (
            {"search": {"kind": {"choice": ["adam"]}, "units": {"int": [1, 2], "when": {"kind": "sgd"}}}},
            "search.units.when: units depends on kind='sgd', which is impossible",
        ),
        (
            {"search": {"units": {"when": {"kind": "sgd"}}}},
            "search.units: units: a condition in a study needs a domain",
        ),
        (
            {"search": {"warmup.needed": {"choice": ["a"], "when": {"kind": "sgd"}}}},
            "search.warmup.needed: field warmup.needed: str is conditional, so it needs a default",
        ),
        (
            {"search": {"kind": None, "momentum": None, "optimizer.lr": None}},
            "search: a study needs something to search, but neither Toy nor search has a domain; for example",
        ),
        ({"objective": {"metric": "a b", "direction": "minimize"}}, "objective.metric: a metric name is"),
        (
            {"objective": {"metric": "a", "direction": "minimize", "regex": "a"}},
            "objective.regex: the regex of the metric 'a'",
        ),
        (
            {"objective": {"metric": "a", "direction": "minimize", "goal": math.nan}},
            "objective.goal: must be a finite number",
        ),
        ({"metrics": ["a", "a"]}, "metrics.1: metric names must differ, but 'a' is used twice"),
        ({"metrics": ["val_loss"]}, "metrics.0: metric names must differ, but 'val_loss' is used twice"),
        (
            {"metrics": [{"name": "a", "regex": "(a)(b)"}]},
            "metrics.0.regex: the regex of the metric 'a' must have one group",
        ),
        ({"algorithm": {"name": "tpee"}}, "algorithm.name: unknown algorithm 'tpee'; did you mean 'tpe'?"),
        ({"algorithm": {"seed": -1}}, "algorithm.seed: must be greater than or equal to 0, but got -1"),
        ({"algorithm": {"seed": 2**32}}, "algorithm.seed: must be less than 4294967296"),
        (
            {"algorithm": {"name": "tpe", "settings": {"gama": 1}}},
            "algorithm.settings.gama: algorithm tpe has no setting 'gama'",
        ),
        (
            {"algorithm": {"name": "tpe", "settings": {"gamma": 1}}},
            "algorithm.settings.gamma: setting gamma of tpe must be",
        ),
        ({"algorithm": {"name": "hyperband"}}, "algorithm.settings: algorithm hyperband needs the setting r_l"),
        ({"budget": {"parallel": 0}}, "budget.parallel: must be greater than or equal to 1, but got 0"),
        ({"budget": {"max_trials": 0}}, "budget.max_trials: must be greater than or equal to 1"),
        ({"budget": {"trial_timeout": math.inf}}, "budget.trial_timeout: "),
        ({"step": {"image": "a"}}, "step: a step has either module or command, but this one has neither"),
        ({"step": STEP | {"module": "a"}}, "step.module: a step has either module or command"),
        ({"step": {"module": "a b"}}, "step.module: must match pattern"),
        ({"step": STEP | {"image": "Toy:1"}}, "step.image: an image is [registry/]name[:tag][@sha256:digest]"),
        ({"step": STEP | {"name": "Train_1"}}, "step.name: a Kubernetes name is at most 63 lower-case letters"),
        ({"step": STEP | {"args": ["a\0"]}}, "step.args.0: a text for a process cannot hold a NUL character"),
        ({"step": STEP | {"env": {"1A": "x"}}}, "step.env.1A: an environment variable is letters, digits and '_'"),
        ({"step": STEP | {"env": {"A": None}}}, "step.env.A: must be text"),
        ({"step": STEP | {"secrets": {"A": "hunter2"}}}, "step.secrets.A: must be a mapping"),
        (
            {"step": STEP | {"secrets": {"A": {"name": "s"}}}},
            "step.secrets.A.key: SecretKey needs 'key', which has no default",
        ),
        (
            {"step": STEP | {"env": {"A": "x"}, "secrets": {"A": {"name": "s", "key": "k"}}}},
            "step.secrets.A: a variable is set once, in env, secrets or config_maps, but A is in two of them",
        ),
        ({"step": STEP | {"resources": {"cpu": "0"}}}, "step.resources.cpu: a quantity must be above 0, but got '0'"),
        (
            {"step": STEP | {"resources": {"gpu": 1, "procs_per_node": 2}}},
            "step.resources.procs_per_node: each process needs",
        ),
        (
            {"step": STEP | {"volumes": [{"name": "a", "mount": "/a"}]}},
            "step.volumes.0: a volume has one of claim, config_map",
        ),
        (
            {"step": STEP | {"volumes": [VOLUME | {"secret": "s"}]}},
            "step.volumes.0: a volume has one of claim, config_map, secret, empty_dir, csi, ephemeral, but got claim",
        ),
        (
            {"step": STEP | {"volumes": [VOLUME, VOLUME]}},
            "step.volumes: volume names must differ, but 'a' is used twice",
        ),
        ({"step": STEP | {"volumes": [VOLUME | {"mount": "a"}]}}, "step.volumes.0.mount: must match pattern"),
        ({"points": [{"unit": 3}]}, "points.0.unit: a first point sets searched values, but 'unit' is not searched"),
        ({"points": [{}, {"optimizer.lr": 5}]}, "points.1.optimizer.lr: a first point must be in the space"),
        ({"points": [{"kind": "lion"}]}, "points.0.kind: a first point must be in the space, but kind='lion'"),
        ({"points": [{"kind": "sgd"}]}, "points.0: a first point must set momentum, whose default is not in"),
        ({"points": [3]}, "points.0: must be a mapping, but got 3"),
        ({"targets": {"katib": {"version": "0.17"}}}, "targets.katib.version: must be '0.18', '0.19' or 'main'"),
        ({"targets": {"katib": {"namespace": "Team_A"}}}, "targets.katib.namespace: a Kubernetes name is at most"),
        ({"targets": {"kfp": {}}}, "targets.kfp: Targets has no key 'kfp'; known: katib"),
    ],
)
def test_a_study_that_cannot_be_says_where_and_why(change, text):
    with pytest.raises(StudyError) as caught:
        toy(**change)
    assert str(caught.value).startswith(text)


GRID: dict[str, Any] = {"momentum": None, "optimizer.lr": {"choice": [0.1, 0.2, 0.3]}}


def test_a_grid_needs_an_end_of_points_and_a_budget_for_all_of_them():
    assert toy(algorithm={"name": "grid"}, search=GRID, budget={"max_trials": 6}).size == 6
    with pytest.raises(StudyError) as caught:
        toy(algorithm={"name": "grid"}, search=GRID, budget={"max_trials": 5})
    assert str(caught.value) == (
        "budget.max_trials: a grid tries every point, but it has 6 and max_trials=5; set max_trials to 6, "
        "make the grid smaller, or use the algorithm random"
    )
    with pytest.raises(StudyError, match=r"algorithm\.name: a grid .* points, but optimizer\.lr is"):
        toy(algorithm={"name": "grid"}, search={"momentum": None})
    with pytest.raises(StudyError, match=r"search\.optimizer\.lr: a grid needs a finite number of points"):
        toy(algorithm={"name": "grid"}, search={"momentum": None, "optimizer.lr": {"uniform": [0.1, 1]}})


def test_a_required_hyperparameter_needs_a_value_or_a_domain():
    class Needy(Hparams):
        lr: float = Hparam(0.1, search=Uniform(0, 1))
        units: int

    with pytest.raises(StudyError, match="values: field units: int has no default, so it needs a value or a domain"):
        Study(**data(hparams=Needy))
    assert Study(**data(hparams=Needy, values={"units": 3})).fixed == {"units": "3"}
    searched = Study(**data(hparams=Needy, search={"units": IntUniform(1, 2)}))
    assert list(searched.space) == ["lr", "units"]


@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_algorithm_has_settings_that_can_be_met(name):
    good = {
        "hyperband": {"r_l": 9, "resource_name": "units"},
        "pbt": {"suggestion_trial_dir": "/opt/pbt", "n_population": 5, "truncation_threshold": 0.2},
    }
    algorithm = {"name": name, "settings": good.get(name, {})}
    made = toy(algorithm=algorithm, search=GRID, budget={"max_trials": 20})
    assert made.algorithm.name == name
    with pytest.raises(StudyError, match=f"algorithm {name} has no setting 'no_such'"):
        toy(algorithm={"name": name, "settings": {**good.get(name, {}), "no_such": 1}}, search=GRID)


class Watched(Hparams):
    low: int = Hparam(1, search=IntUniform(1, 50))
    high: int = 100
    rate: float = Hparam(0.5, search=Uniform(0.1, 1))

    @field_validator("low", "high")
    @classmethod
    def _not_large(cls, value: int) -> int:
        if value > 200:
            raise ValueError("at most 200 fit into memory; choose fewer")
        return value

    @model_validator(mode="after")
    def _in_order(self) -> Watched:
        if self.low > self.high:
            raise ValueError("low must be at most high")
        return self


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"values": {"high": 300}}, "values.high: at most 200 fit into memory; choose fewer"),
        (
            {"search": {"low": {"int": [1, 201]}}},
            "search.low: Watched refuses low=201 of IntUniform(low=1, high=201, step=1, log=False): at most 200 fit",
        ),
    ],
)
def test_what_the_classs_own_validators_refuse_is_refused_before_any_trial(change, text):
    with pytest.raises(StudyError) as caught:
        Study(**data(hparams=Watched, **change))
    assert str(caught.value).startswith(text)


def test_fields_that_clash_only_somewhere_in_the_space_are_left_to_the_trials():
    assert Study(**data(hparams=Watched, search={"low": {"int": [1, 150]}})).size == math.inf
