"""``$${`` is the text ``${`` in each place that takes references: in a file and back, and on every target."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import argo_controller
import pytest
from argo_examples import IMAGE
from hypothesis import example, given
from hypothesis import strategies as st
from local_pipeline import Project
from pipeline_examples import pipeline, step

from kftune import yaml_text
from kftune.errors import PipelineError
from kftune.hparams import Hparams
from kftune.pipeline import FixedValue, Pipeline, TrainStep, load_pipeline, pipeline_from_dict
from kftune.render.argo import render_argo
from kftune.render.kfp import render_kfp

TEXT, WRITTEN = "cost $5 and ${HOME} or $${x}", "cost $5 and $${HOME} or $$${x}"
NESTED = {"a": ["${parameters.p}", {"b": "${"}]}
INPUTS = {
    "one": WRITTEN,
    "typed": {"type": "str", "value": "$${item}"},
    "nested": {"value": {"a": ["$${parameters.p}", {"b": "$${"}]}},
}
ARGUMENTS = [f"--one={TEXT}", "--typed=${item}", '--nested={"a":["${parameters.p}",{"b":"${"}]}']


class Labelled(Hparams):
    """Hyperparameters with a text."""

    label: str = "x"
    """A text."""


def looped(module: dict[str, Any]) -> dict[str, Any]:
    """The sections of a pipeline that has literal texts in inputs, items and fields of items."""
    return {
        "steps": {
            "given": {**module, "inputs": {"nested": INPUTS["nested"], "one": "cost $$ $${HOME}"}},
            "each": {**module, "for_each": "texts", "inputs": {"i": "${item}"}},
            "field": {**module, "for_each": "maps", "inputs": {"f": "${item.f}"}},
        },
        "loops": {"texts": {"items": ["$${a}", "b"]}, "maps": {"items": [{"f": "$${HOME} ü"}]}},
    }


STARTED = sorted(
    [
        ["--nested=" + json.dumps(NESTED, separators=(",", ":")), "--one=cost $$ ${HOME}"],
        ["--i=${a}"],
        ["--i=b"],
        ["--f=${HOME} ü"],
    ]
)


def test_a_literal_text_is_a_constant_with_its_text():
    node = pipeline({"a": step(inputs=INPUTS)}).node("a")
    texts = {name: given.source.text for name, given in node.inputs.items() if isinstance(given.source, FixedValue)}
    assert node.command_line(texts)[-3:] == ARGUMENTS
    assert node.inputs["nested"].source == FixedValue(NESTED, '{"a":["${parameters.p}",{"b":"${"}]}')


@given(st.text("${}a.\n", max_size=12) | st.text(st.characters(exclude_characters="\0"), max_size=8))
@example(TEXT)
@example("${parameters.p}")
def test_any_text_can_be_written_and_comes_back(text):
    written = text.replace("${", "$${")
    made = pipeline(
        {"a": step(inputs={"t": written, "l": [written]}, for_each="l")}, loops={"l": {"items": [written, "x"]}}
    )
    assert made.node("a").inputs["t"].source == FixedValue(text, text)
    assert made.loops["l"].entries == (text, "x")
    back = pipeline_from_dict(made.to_dict())
    assert back.to_dict() == made.to_dict()
    assert back.node("a").inputs == made.node("a").inputs
    assert made.replace(parallel=2).node("a").inputs == made.node("a").inputs


def test_values_of_a_step_have_literal_texts_in_files_and_in_python(tmp_path):
    file = {"name": "p", "steps": {"a": step("train", hparams=f"{__name__}:Labelled", values={"label": WRITTEN})}}
    (tmp_path / "p.yaml").write_text(yaml_text.dump(file))
    read = load_pipeline(tmp_path / "p.yaml", ["steps.a.inputs.more=$${b}"])
    assert read.run_parameters["a_label"].value == TEXT
    assert read.node("a").inputs["more"].source == FixedValue("${b}", "${b}")
    made = Pipeline(name="p", steps=[TrainStep(name="a", module="toy", hparams=Labelled(label=TEXT))])  # type: ignore[arg-type]
    assert made.run_parameters["a_label"].value == TEXT
    assert made.to_dict()["steps"]["a"]["values"]["label"] == WRITTEN
    changed = made.steps["a"].replace(description="again")
    assert changed.values == made.steps["a"].values


@pytest.mark.parametrize(
    "value", ["cost $5 and ${HOME}", "$${a} ${parameters.p}", ["${HOME}"], {"a": "${parameters.p}"}]
)
def test_a_text_with_an_unmarked_brace_is_refused_with_the_way_to_write_it(value):
    with pytest.raises(PipelineError, match=r"write a literal \$\{ as \$\$\{"):
        pipeline({"a": step(inputs={"t": {"value": value}})})


def test_a_local_run_passes_literal_texts(tmp_path: Path):
    project = Project(tmp_path)
    shown = project.step("show", "print(json.dumps(sys.argv[1:]))", cache=False)
    run = project.run(project.pipeline(**looped(shown)))
    assert sorted(json.loads(run.log(task)) for task in run.states) == STARTED


def test_argo_passes_literal_texts():
    made = pipeline(**looped(step()), defaults={"image": IMAGE})
    # Argo takes no `$$` in an item, and none is there.
    pods = argo_controller.run(render_argo(made).documents[0], lambda template, argv: {})
    assert sorted(pod.argv[3:] for pod in pods) == STARTED


def test_kfp_gets_literal_texts():
    spec = render_kfp(pipeline(**looped(step()), defaults={"image": IMAGE})).documents[0]
    given = spec["root"]["dag"]["tasks"]["given"]["inputs"]["parameters"]
    assert json.loads(given["nested"]["runtimeValue"]["constant"]) == NESTED
    # Kubernetes turns each `$$` into `$`.
    assert given["one"]["runtimeValue"]["constant"] == "cost $$$$ ${HOME}"
    tasks = spec["root"]["dag"]["tasks"].values()
    items = [json.loads(task["parameterIterator"]["items"]["raw"]) for task in tasks if "parameterIterator" in task]
    assert sorted(items, key=str) == [["${a}", "b"], [{"f": "${HOME} ü"}]]
