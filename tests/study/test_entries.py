"""Keys inside a mapping can be searched: typed by the mapping's values, merged into it, one JSON argument for all."""

from __future__ import annotations

import json
from typing import Any

import pytest
from domain_examples import BY_KIND, U
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from katib_as_run import run_trial, stand_in, substituted
from pipeline_examples import pipeline, step
from render_examples import container_of, make_study, parameters_of
from study_examples import data as study_data
from typing_extensions import TypedDict

from kftune import Choice, Hparam, Hparams, IntUniform, LogUniform, QLogUniform, Uniform
from kftune.domains import encoding
from kftune.errors import PipelineError, StudyError
from kftune.launcher.best import best_texts
from kftune.lint.drift.compare import passed_by_study
from kftune.local.samplers import make_sampler
from kftune.render import render
from kftune.render.tuning import _best


class Row(TypedDict):
    width: int


class Inner(Hparams):
    rate: float = Hparam(0.1, gt=0)


class Optimizer(Hparams):
    name: str = "adam"
    kwargs: dict[str, Any] = Hparam(default_factory=lambda: {"momentum": 0.9, "note": "it's $5", "odd": "kftune:x"})
    """Arguments of the optimizer."""


class Nested(Hparams):
    """Mappings of several types."""

    optimizer: Optimizer = Optimizer()
    sizes: dict[str, int] | None = None
    row: Row = Hparam(default_factory=lambda: Row(width=3))
    inner: dict[str, Inner] = Hparam(default_factory=dict)
    lr: float = 0.1
    whole: dict[str, int] = Hparam({"a": 1}, search=Choice({"a": 1}, {"a": 2}))


def study_of(search: dict[str, Any], **parts: Any) -> Any:
    return make_study(hparams=Nested, search={"whole": None, **search}, **parts)


def test_a_searched_key_joins_the_default_of_its_mapping_in_one_argument():
    study = study_of({"optimizer.kwargs.lr": LogUniform(1e-4, 1), "optimizer.kwargs.momentum": Uniform(0, 1)})
    point = {"optimizer.kwargs.lr": 0.003, "optimizer.kwargs.momentum": 0.5}
    assignment = study.assignment(point)
    assert [*assignment] == ["optimizer.kwargs"]
    assert json.loads(assignment["optimizer.kwargs"]) == {
        "momentum": 0.5,
        "note": "it's $5",
        "odd": "kftune:text:kftune%3Ax",
        "lr": 0.003,
    }
    made = Nested.from_assignments(assignment)
    assert made.optimizer.kwargs == {"momentum": 0.5, "note": "it's $5", "odd": "kftune:x", "lr": 0.003}
    assert made.to_assignments()["optimizer.kwargs"] == assignment["optimizer.kwargs"]


def test_a_searched_key_joins_the_mapping_that_the_study_gives():
    study = study_of({"optimizer.kwargs.deep.lr": Uniform(0, 1)}, values={"optimizer": {"kwargs": {"deep": {"x": 1}}}})
    assert study.assignment({"optimizer.kwargs.deep.lr": 0.5}) == {"optimizer.kwargs": '{"deep": {"x": 1, "lr": 0.5}}'}


def test_the_type_of_a_key_is_that_of_the_mappings_values():
    search = {"sizes.batch": QLogUniform(16, 512, 16), "row.width": IntUniform(1, 9), "inner.a.rate": Uniform(0.1, 1)}
    study = study_of(search)
    assignment = study.assignment({"sizes.batch": 32.0, "row.width": 5, "inner.a.rate": 0.5})
    assert assignment == {"sizes": '{"batch": 32}', "row": '{"width": 5}', "inner": '{"a": {"rate": 0.5}}'}
    assert study.typed({"sizes.batch": 32.0}) == {"sizes.batch": 32}
    assert type(study.typed({"sizes.batch": 32.0})["sizes.batch"]) is int
    assert Nested.from_assignments(assignment).inner["a"].rate == 0.5


@pytest.mark.parametrize(
    ("search", "values", "problem"),
    [
        ({"lr.x": Uniform(0, 1)}, {}, "only a mapping has keys to search, but field lr: float has no key 'x'"),
        ({"sizes.a b": Uniform(0, 1)}, {}, "a key to search is letters, digits, _ and -, but sizes.a b has 'a b'"),
        ({"row.height": Uniform(0, 1)}, {}, "field row: Row has no key 'height'"),
        ({"optimizer.kwarg.lr": Uniform(0, 1)}, {}, "did you mean 'optimizer.kwargs'"),
        ({"sizes.batch": Choice("x")}, {}, "field sizes.batch: int refuses 'x'"),
        ({"inner.a.rate": Uniform(0, 1)}, {}, "refuses 0.0"),
        ({"inner.a.decay": Uniform(0, 1)}, {}, "has no key 'decay'"),
        ({"whole.a": IntUniform(1, 2), "whole": Choice({"a": 1}, {"a": 3})}, {}, "one of them holds the other"),
        ({"sizes.a": IntUniform(1, 2), "sizes": Choice({"a": 1})}, {}, "remove one of them"),
        (
            {"optimizer.kwargs.a": Uniform(0, 1), "optimizer.kwargs.a.b": Uniform(0, 1)},
            {},
            "optimizer.kwargs.a.b and optimizer.kwargs.a are searched, and one of them holds the other",
        ),
        (
            {"optimizer.kwargs.lr": Uniform(0, 1)},
            {"optimizer": {"kwargs": {"lr": 1}}},
            "fixed or searched, but optimizer.kwargs.lr is in values and in search",
        ),
        ({"sizes.a": IntUniform(1, 2)}, {"sizes": None}, "sizes is None, which has no keys to search"),
        ({"optimizer.kwargs.momentum.x": Uniform(0, 1)}, {}, "holds 0.9, which has no keys to search"),
        ({"sizes.a": {"int": [1, 2], "when": {"lr": 0.1}}}, {}, "a key inside sizes cannot have a condition"),
    ],
)
def test_a_key_that_cannot_be_searched_is_refused_with_the_reason(search, values, problem):
    with pytest.raises(StudyError) as caught:
        study_of(search, values=values)
    assert problem in str(caught.value)


def test_a_domain_of_the_class_for_the_whole_mapping_is_in_the_way_until_the_study_removes_it():
    with pytest.raises(StudyError, match=r"remove that of the class: search: \{whole: null\}"):
        make_study(hparams=Nested, search={"whole.a": IntUniform(1, 2)})
    study = make_study(hparams=Nested, search={"whole": None, "whole.a": IntUniform(1, 2)})
    assert study.assignment({"whole.a": 2}) == {"whole": '{"a": 2}'}


def test_null_takes_a_key_out_of_the_search():
    study = study_of({"row.width": None, "sizes.a": IntUniform(1, 2)})
    assert [*study.space] == ["sizes.a"]


def test_first_points_may_name_keys_and_take_their_defaults():
    study = study_of({"row.width": IntUniform(1, 9), "sizes.a": IntUniform(1, 9)}, points=[{"sizes.a": 2}])
    assert study.first_points() == [{"row.width": 3, "sizes.a": 2}]
    with pytest.raises(StudyError, match=r"must set sizes\.a"):
        study_of({"sizes.a": IntUniform(1, 9)}, points=[{}])


def test_another_default_of_the_mapping_is_another_study():
    search = {"row.width": IntUniform(1, 9), "optimizer.kwargs.lr": Uniform(0, 1)}
    compared = study_of(search).compared()
    assert compared["defaults"]["optimizer.kwargs"]["momentum"] == 0.9


@pytest.mark.parametrize("algorithm", ["random", "tpe", "sobol"])
def test_samplers_draw_keys_like_any_field(algorithm):
    study = study_of(
        {"sizes.batch": QLogUniform(16, 512, 16), "optimizer.kwargs.mode": Choice("a", "b")},
        algorithm={"name": algorithm, "seed": 1},
    )
    suggestion = make_sampler(study, study.algorithm, "minimize", 1).ask(1)
    assert suggestion is not None
    assert suggestion.point.keys() == {"sizes.batch", "optimizer.kwargs.mode"}
    assert type(suggestion.point["sizes.batch"]) is int
    assert Nested.from_assignments(suggestion.assignment).sizes == {"batch": suggestion.point["sizes.batch"]}


def test_lint_compares_the_script_with_whole_mappings():
    (passed,) = passed_by_study(study_of({"row.width": IntUniform(1, 9)}))
    assert passed.leaf.name == "row"
    assert passed.path == ("search", "row.width")
    assert {"width": 9} in passed.values


# -- on Katib --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("trial")
    stand_in(made)
    return made


def values_of(experiment: dict[str, Any], u: float) -> dict[str, str]:
    """Returns a value as Katib writes it for each parameter."""
    found = {}
    for name, item in parameters_of(experiment).items():
        space = item["feasibleSpace"]
        low, high = float(space.get("min", 0)), float(space.get("max", 0))
        step = float(space.get("step", 0))
        number = low + (step * int((high - low) * u / step) if step else (high - low) * u)
        number = min(number, high)  # rounding may have lifted it
        drawn = str(round(number)) if item["parameterType"] == "int" else repr(number)
        listed = space.get("list", ())
        found[name] = listed[min(int(u * len(listed)), len(listed) - 1)] if listed else drawn
    return found


HOSTILE = Choice("it's $HOME", 'say "hi"', 1, None, [1, "a b"], {"k": "${trialParameters.lr}"}, "kftune:x")


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.one_of(*(strategy for kind, strategy in BY_KIND.items() if kind not in ("choice", "ordinal", "constant"))),
    st.sampled_from(["auto", "encoded"]),
    U,
)
def test_a_searched_key_reaches_a_real_shell_as_valid_json(folder, domain, encoding_, u):
    search = {
        "optimizer.kwargs.x": domain,
        "optimizer.kwargs.mode": Choice("fast", "slow"),
        "optimizer.kwargs.flag": Choice(True, False),
        "optimizer.kwargs.hostile": HOSTILE,
        "optimizer.kwargs.one": Choice('only "$one"'),
    }
    experiment = render(study_of(search, katib={"encoding": encoding_})).documents[0]
    job = substituted(experiment, values_of(experiment, u))
    (argument,), _ = run_trial(job["spec"]["template"]["spec"]["containers"][0], folder)
    assert json.loads(argument.removeprefix("--optimizer.kwargs="))["note"] == "it's $5"
    kwargs = Nested.from_args([argument]).optimizer.kwargs
    assert domain.contains(kwargs["x"])
    index = min(int(u * 2), 1)
    assert (kwargs["mode"], kwargs["flag"]) == (("fast", "slow")[index], (True, False)[index])
    assert kwargs["hostile"] == HOSTILE.quantile(u)
    assert kwargs["one"] == 'only "$one"'
    assert kwargs["odd"] == "kftune:x"


def test_a_native_key_is_readable_json_for_a_script_without_the_class(folder):
    search = {"row.width": IntUniform(1, 100), "optimizer.kwargs.lr": LogUniform(1e-4, 1e-1)}
    experiment = render(study_of(search)).documents[0]
    text = container_of(experiment)["args"][0]
    assert encoding.PREFIX not in text.replace("kftune:text:kftune%3Ax", "")
    job = substituted(experiment, {"row.width": "7", "optimizer.kwargs.lr": "1e-05"})
    arguments, _ = run_trial(job["spec"]["template"]["spec"]["containers"][0], folder)
    assert [json.loads(argument.partition("=")[2]) for argument in arguments][1] == {"width": 7}


def test_the_best_mapping_is_one_output_of_a_tune_step_with_the_text_that_the_trial_got():
    domain = QLogUniform(16, 512, 16)
    study = study_of(
        {"sizes.batch": domain, "sizes.b": IntUniform(1, 100), "optimizer.kwargs.x": domain},
        values={"optimizer": {"kwargs": {"odd": "kftune:x", "note": "${trialParameters.x}"}}},
    )
    wanted = json.loads(json.dumps(_best(study)))
    assert [*wanted] == ["optimizer.kwargs", "sizes"], "in the order of the class"
    found = best_texts(wanted, {"sizes.batch": "0.5", "sizes.b": "7", "optimizer.kwargs.x": "0.25"}, {})
    best = {"sizes.batch": domain.quantile(0.5), "sizes.b": 7, "optimizer.kwargs.x": domain.quantile(0.25)}
    assert found == study.assignment(best)


def test_a_pipeline_hands_the_best_mapping_to_a_step_and_lets_nobody_else_set_it():
    study = study_data(search={"table.lr": {"loguniform": [0.1, 1]}})
    train = step("train", image="i", hparams="study_examples:Toy", values_from="${steps.tune.outputs.best}")
    made = pipeline({"tune": step("tune", study=study), "train": train})
    assert str(made.plan.nodes["train"].arguments["table"].source) == "${steps.tune.outputs.best.table}"
    with pytest.raises(PipelineError, match=r"overrides: \[search\.table\.lr=null\]"):
        pipeline({"tune": step("tune", study=study, values={"table": {"b": 1}})})
