"""What holds for every pipeline: it comes back from what it writes, its order is one, and types are what they say."""

from __future__ import annotations

import json
import random
from itertools import product
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pipeline_examples import pipeline, step
from study_examples import Toy  # noqa: F401  # the studies of tune steps name it

from kftune import yaml_text
from kftune.errors import PipelineError
from kftune.pipeline import ARTIFACT_TYPES, PARAMETER_TYPES, Pipeline, pipeline_from_dict

TYPES = (*PARAMETER_TYPES, *ARTIFACT_TYPES)
CONSTANTS = st.one_of(
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    # A text with ${ is a reference unless it is $${, and a process takes no NUL.
    st.text(st.characters(exclude_characters="\0"), max_size=20).map(lambda text: text.replace("${", "$${")),
    st.lists(st.integers(), max_size=3),
)


@st.composite
def pipelines(draw: st.DrawFn) -> dict[str, Any]:
    """The content of a pipeline file: steps that take from one another, written in any order, one of them in a loop."""
    names = [f"s{index}" for index in range(draw(st.integers(1, 8)))]
    looped = draw(st.booleans())
    steps: dict[str, Any] = {}
    outputs: dict[str, str] = {}
    for name in names:
        inputs = {f"c{index}": value for index, value in enumerate(draw(st.lists(CONSTANTS, max_size=2)))}
        for index, source in enumerate(draw(st.lists(st.sampled_from(sorted(steps)), max_size=3)) if steps else ()):
            inputs[f"r{index}"] = f"${{steps.{source}.outputs.{outputs[source]}}}"
        if draw(st.booleans()):
            inputs["p"] = "${parameters.p}"
        made = step(inputs=inputs)
        kind = draw(st.sampled_from(TYPES))
        outputs[name] = f"out_{kind}"
        long_form = {"type": kind, "description": "what it is"}
        made["outputs"] = {outputs[name]: long_form if draw(st.booleans()) else kind}
        if draw(st.booleans()) and steps:
            made["after"] = [draw(st.sampled_from(sorted(steps)))]
        if draw(st.integers(0, 3)) == 0:
            made["when"] = "${parameters.flag} == true"
        steps[name] = made
    if looped:  # the last one, from which nobody takes an artifact
        steps[names[-1]]["for_each"] = "loop"
    written = draw(st.permutations(names))
    content = {
        "name": "any",
        "parameters": {"p": draw(CONSTANTS), "flag": {"type": "bool", "default": draw(st.booleans())}},
        "steps": {name: steps[name] for name in written},
    }
    if looped:
        content["loops"] = {"loop": {"items": draw(st.lists(st.integers(), min_size=1, max_size=3))}}
    return content


def arguments(made: Pipeline) -> dict[str, Any]:
    return {
        name: (*node.arguments.values(), node.dependencies, node.skippable) for name, node in made.plan.nodes.items()
    }


@given(pipelines())
def test_a_pipeline_comes_back_from_what_it_writes(content: dict[str, Any]):
    made = pipeline_from_dict(content)
    written = made.to_dict()
    again = pipeline_from_dict(json.loads(json.dumps(written)))
    assert again == made
    assert again.to_dict() == written
    assert again.content_hash() == made.content_hash()
    assert arguments(again) == arguments(made)


@given(pipelines())
def test_a_pipeline_comes_back_from_yaml(content: dict[str, Any]):
    made = pipeline_from_dict(content)
    read: Any = yaml_text.load(yaml_text.dump(made.to_dict()))
    assert pipeline_from_dict(read) == made


@given(pipelines())
def test_the_order_is_the_first_of_all_that_wait_and_else_as_written(content: dict[str, Any]):
    made = pipeline_from_dict(content)
    written = list(content["steps"])
    rest, expected = set(written), []
    while rest:  # the slow way: again and again, the first that nothing holds up
        ready = next(name for name in written if name in rest and not rest & set(made.node(name).dependencies))
        expected.append(ready)
        rest.remove(ready)
    assert list(made.order) == expected


@given(pipelines(), st.randoms(use_true_random=False))
def test_what_a_step_gets_does_not_depend_on_where_it_is_written(content: dict[str, Any], rng: random.Random):
    names = list(content["steps"])
    rng.shuffle(names)
    shuffled = pipeline_from_dict({**content, "steps": {name: content["steps"][name] for name in names}})
    made = pipeline_from_dict(content)
    for name in names:
        assert shuffled.node(name).arguments == made.node(name).arguments
        assert set(shuffled.node(name).dependencies) == set(made.node(name).dependencies)
        assert shuffled.node(name).skippable == made.node(name).skippable


FITTING = {
    *((name, name) for name in TYPES),
    ("int", "float"),
    *((name, "artifact") for name in ARTIFACT_TYPES),
}


def passed(given_type: str, wanted: str) -> dict[str, Any]:
    return {
        "a": step(outputs={"out": given_type}),
        "b": step(inputs={"in_": {"type": wanted, "value": "${steps.a.outputs.out}"}}),
    }


@pytest.mark.parametrize(("given_type", "wanted"), sorted(FITTING))
def test_a_reference_fits_its_own_type_a_whole_number_a_float_and_any_file_an_artifact(given_type: str, wanted: str):
    assert pipeline(passed(given_type, wanted)).node("b").arguments["in_"].type == wanted


@pytest.mark.parametrize(("given_type", "wanted"), sorted({*product(TYPES, TYPES)} - FITTING))
def test_a_reference_fits_no_other_type(given_type: str, wanted: str):
    with pytest.raises(PipelineError, match=f"is of type {wanted}, but .* is of type {given_type}"):
        pipeline(passed(given_type, wanted))


OWN_TYPES = {bool: "bool", int: "int", float: "float", str: "str", list: "list"}


@given(CONSTANTS, st.booleans())
def test_a_constant_fits_its_own_type_and_a_whole_number_a_float(value: Any, as_float: bool):
    own = OWN_TYPES[type(value)]
    wanted = "float" if as_float and own == "int" else own
    argument = pipeline({"only": step(inputs={"in_": {"type": wanted, "value": value}})}).node("only").arguments["in_"]
    assert argument.type == wanted
    assert argument.source.value == value  # type: ignore[union-attr]


@given(CONSTANTS, st.sampled_from(PARAMETER_TYPES))
def test_a_constant_fits_no_other_type(value: Any, wanted: str):
    assume((OWN_TYPES[type(value)], wanted) not in FITTING)
    with pytest.raises(PipelineError, match="must be of type"):
        pipeline({"only": step(inputs={"in_": {"type": wanted, "value": value}})})
