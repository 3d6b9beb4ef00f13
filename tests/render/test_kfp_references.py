"""Every reference of KFP's intermediate representation (IR) leads to something; what kfp cannot pass on is refused."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

import pytest
from pipeline_examples import pipeline, step, tune

from kftune.errors import RenderError
from kftune.render.kfp import render_kfp
from kftune.render.kfp.dangling import repair_references

Spec = dict[str, Any]

MAPPINGS = {"l": {"items": [{"label": "a", "k": "1"}, {"label": "b", "k": "2"}]}}
ASKED = {"for_each": "l", "when": "${item.label} == 'a'"}


def spec_of(steps: dict[str, Any], **sections: Any) -> Spec:
    return render_kfp(pipeline(steps, **{"defaults": {"image": "registry.example/toy:1"}, **sections})).documents[0]


def tasks(spec: Spec) -> dict[str, Any]:
    """The tasks of all groups by name."""
    parts = [spec["root"], *(part for part in spec["components"].values() if "dag" in part)]
    return {name: task for part in parts for name, task in part["dag"]["tasks"].items()}


# -- fields of items in conditions -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "steps",
    [
        {"x": step(**ASKED, inputs={"k": "${item.k}"})},
        {"x": step(**ASKED, inputs={"label": "${item.label}"})},
        {
            "w": step(for_each="l", outputs={"o": "str"}),
            "x": step(for_each="l", when="${steps.w.outputs.o} == 'a'", inputs={"k": "${item.k}"}),
        },
        {"x": step(for_each="l", when="${parameters.p} == 'a'", inputs={"k": "${item.k}"})},
        {
            "y": step(**ASKED, outputs={"o": "float"}),
            "x": step(for_each="l", inputs={"k": "${item.k}", "o": "${steps.y.outputs.o}"}),
        },
    ],
)
def test_a_field_in_a_condition_is_refused_with_the_step_and_a_way_out(steps):
    why = r"^KFP's compiler cannot pass a field .* into a condition, but step 'x' takes (k|label) from .* as its output"
    with pytest.raises(RenderError, match=why):
        spec_of(steps, loops=MAPPINGS, parameters={"p": "a"})


def test_the_way_out_renders():
    steps = {
        "w": step(for_each="l", inputs={"k": "${item.k}"}, outputs={"o": "str"}),
        "x": step(**ASKED, inputs={"k": "${steps.w.outputs.o}"}),
    }
    assert "comp-x" in spec_of(steps, loops=MAPPINGS)["components"]


@pytest.mark.parametrize("source", ["${steps.s.outputs.all}", "${parameters.all}"])
def test_fields_of_items_that_the_run_finds_reach_steps_in_conditions(source):
    steps = {"s": step(outputs={"all": "list"}), "x": step(**ASKED, inputs={"k": "${item.k}"})}
    loops = {"l": {"items": source, "fields": {"k": "str", "label": "str"}}}
    given = tasks(spec_of(steps, loops=loops, parameters={"all": {"type": "list"}}))["x"]["inputs"]["parameters"]["k"]
    assert given["parameterExpressionSelector"] == 'parseJson(string_value)["k"]'


@pytest.mark.parametrize(
    ("last", "asked"),
    [
        (step(for_each="l", when="${item.k} == '1'", inputs={"o": "${steps.x.outputs.o}"}), "subvar-k"),
        (step(for_each="l", inputs={"o": {"value": "${steps.x.outputs.o}", "default": 1.0}}), "subvar-label"),
    ],
    ids=["a condition in another", "a default"],
)
@pytest.mark.parametrize("end", [{}, {"exit": {"module": "toy"}}], ids=["no exit", "exit"])
def test_a_condition_within_a_group_gets_its_field_from_the_group(last, asked, end):
    spec = spec_of({"x": step(**ASKED, outputs={"o": "float"}), "y": last}, loops=MAPPINGS, **end)
    inner = [
        task["inputs"]["parameters"]
        for part in spec["components"].values()
        if any(name.endswith(asked) for name in part.get("inputDefinitions", {}).get("parameters", {}))
        for task in part.get("dag", {}).get("tasks", {}).values()
        if asked in task.get("triggerPolicy", {}).get("condition", "")
    ]
    fields = [source for given in inner for name, source in given.items() if name.endswith(asked)]
    assert fields
    assert all(
        [*source] == ["componentInputParameter"] and source["componentInputParameter"].endswith(asked)
        for source in fields
    )


@pytest.mark.parametrize("end", [{}, {"exit": {"module": "toy"}}], ids=["no exit", "exit"])
@pytest.mark.parametrize("source", ["${steps.s.outputs.all}", "${parameters.all}"])
def test_the_items_of_a_loop_reach_it_in_a_group_though_no_step_takes_the_item(source, end):
    steps = {
        "s": step(outputs={"all": "list"}),
        "gate": step(when="${parameters.p} == 'a'", outputs={"o": "float"}),
        "x": step(for_each="l", inputs={"o": "${steps.gate.outputs.o}"}),
    }
    spec = spec_of(steps, loops={"l": {"items": source}}, parameters={"all": {"type": "list"}, "p": "a"}, **end)
    iterator = loop_task(spec)["parameterIterator"]["items"]["inputParameter"]
    assert iterator in loop_task(spec)["inputs"]["parameters"]


def test_an_input_that_kftune_adds_cannot_take_the_place_of_one():
    steps = {"t": tune(image="registry.example/launcher:1", inputs={"experiment": "x"})}
    with pytest.raises(RenderError, match="an input 'experiment' in KFP, but it has one of that name"):
        spec_of(steps)


def test_another_error_of_the_compiler_is_not_put_on_a_condition():
    steps = {
        "x": step(**ASKED),
        "bad": step(inputs={"a_b": 1, "a": 2}, outputs={"o": "float"}, env={"A": "x"}, volumes=[
            {"name": "v", "mount": "/v", "claim": "c", "read_only": True},
        ]),
    }  # fmt: skip
    with pytest.raises(RenderError, match=r"^KFP mounts claims writable"):
        spec_of(steps, loops=MAPPINGS)


# -- every reference ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole() -> Spec:
    steps = {
        "s": step(outputs={"all": "list"}),
        "w": step(for_each="l", inputs={"k": "${item.k}"}, outputs={"o": "str", "d": "dataset"}),
        "x": step(
            for_each="l",
            when="${steps.w.outputs.o} == 'a'",
            inputs={"k": "${item.k}", "d": "${steps.w.outputs.d}"},
        ),
        "sum": step(inputs={"o": "${steps.w.outputs.o}"}),
        "g": step(when="${parameters.p} == 'a'", outputs={"o": "float"}),
        "h": step(inputs={"o": {"value": "${steps.g.outputs.o}", "default": 1.0}}, after=["sum"]),
    }
    loops = {"l": {"items": "${steps.s.outputs.all}", "fields": {"k": "str"}}}
    end = {"module": "toy", "inputs": {"st": "${run.status}"}}
    return spec_of(steps, loops=loops, parameters={"p": "a"}, exit=end)


def part(spec: Spec, name: str) -> Spec:
    found: Spec = next(each for key, each in spec["components"].items() if key.startswith(f"comp-{name}"))
    return found


def loop_task(spec: Spec) -> Spec:
    found: Spec = next(task for task in tasks(spec).values() if "parameterIterator" in task)
    return found


def asking(spec: Spec) -> Spec:
    found: Spec = next(
        task for name, task in tasks(spec).items() if "triggerPolicy" in task and name.startswith("cond")
    )
    return found


# What is broken in the IR -> how.
BROKEN: dict[str, Callable[[Spec], object]] = {
    "an input of the parent": lambda spec: tasks(spec)["w"]["inputs"]["parameters"]["k"].update(
        componentInputParameter="gone"
    ),
    "an artifact of the parent": lambda spec: tasks(spec)["x"]["inputs"]["artifacts"]["d"].update(
        componentInputArtifact="gone"
    ),
    "an output of a task": lambda spec: tasks(spec)["h"]["inputs"]["parameters"]["o"]["taskOutputParameter"].update(
        outputParameterKey="gone"
    ),
    "a task with an output": lambda spec: tasks(spec)["h"]["inputs"]["parameters"]["o"]["taskOutputParameter"].update(
        producerTask="gone"
    ),
    "a task to wait for": lambda spec: tasks(spec)["sum"]["dependentTasks"].append("gone"),
    "the task with a status": lambda spec: tasks(spec)["exit"]["inputs"]["parameters"]["st"]["taskFinalStatus"].update(
        producerTask="gone"
    ),
    "an input of a condition": lambda spec: asking(spec)["triggerPolicy"].update(
        condition="inputs.parameter_values['gone'] == 'a'"
    ),
    "the items of a loop": lambda spec: loop_task(spec)["parameterIterator"]["items"].update(inputParameter="gone"),
    "the item of a loop": lambda spec: loop_task(spec)["parameterIterator"].update(itemInput="gone"),
    "an input that the component lacks": lambda spec: part(spec, "sum")["inputDefinitions"]["parameters"].clear(),
    "an output of a group": lambda spec: part(spec, "for-loop")["dag"]["outputs"]["parameters"]["pipelinechannel--w-o"][
        "valueFromParameter"
    ].update(outputParameterKey="gone"),
    "a branch of a group": lambda spec: next(
        iter(part(spec, "condition-branches")["dag"]["outputs"]["parameters"].values())
    )["valueFromOneof"]["parameterSelectors"][1].update(producerSubtask="gone"),
}


def test_a_good_spec_stays_as_it_is(whole):
    spec = copy.deepcopy(whole)
    repair_references(spec)
    assert spec == whole


@pytest.mark.parametrize("what", BROKEN)
def test_a_reference_to_what_is_not_there_is_refused(what, whole):
    spec = copy.deepcopy(whole)
    BROKEN[what](spec)
    assert spec != whole
    with pytest.raises(RenderError, match=re.compile(r"^KFP's compiler lets '.*' refer to '.*', which is not there")):
        repair_references(spec)
