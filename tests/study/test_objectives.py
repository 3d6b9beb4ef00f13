"""The two ways to write the objectives of a study, and what both give."""

from __future__ import annotations

import json
from typing import Any

import pytest
from json_schema import problems
from study_examples import data, toy

from kftune.errors import StudyError
from kftune.lint.study_sample import study_sample
from kftune.metrics.definition import MetricDefinition
from kftune.pipeline import pipeline_from_dict
from kftune.pipeline.schema import pipeline_schema
from kftune.study import Study, study_from_dict
from kftune.study.objectives import place_of
from kftune.study.schema import study_schema

LOSS = {"metric": "val_loss", "direction": "minimize"}
SIZE = {"metric": "size", "direction": "maximize", "goal": 3, "reduce": "latest", "regex": "size: ([0-9]+)"}


def several(*objectives: dict[str, Any], **changes: Any) -> Study:
    return toy(objective=None, objectives=list(objectives), **changes)


def test_the_first_of_several_is_the_objective():
    study = several(LOSS, SIZE)
    assert [each.metric for each in study.objectives] == ["val_loss", "size"]
    assert study.objective is study.objectives[0]


def test_one_objective_is_a_list_of_one():
    assert toy().objectives == (toy().objective,)


def test_a_list_of_one_is_the_same_study():
    assert several(LOSS).identity() == toy().identity()
    assert several(LOSS).compared() == toy().compared()
    assert several(LOSS).reductions == toy().reductions


@pytest.mark.parametrize("study", [toy(), several(LOSS), several(LOSS, SIZE)], ids=["one", "list of one", "several"])
def test_a_study_is_written_as_it_was_given(study):
    written = study.to_dict()
    assert ("objective" in written) != ("objectives" in written)
    assert study_from_dict(json.loads(json.dumps(written))).to_dict() == written
    assert study.replace(name="other").objectives == study.objectives


def test_one_and_several_replace_each_other():
    one, two = toy(), several(LOSS, SIZE)
    assert one.replace(objectives=two.objectives).to_dict() == two.to_dict()
    assert two.replace(objective=one.objective).to_dict() == one.to_dict()


def test_identities_of_other_objectives_differ():
    studies = [
        several(LOSS),
        several(LOSS, SIZE),
        several(SIZE, LOSS),
        several(LOSS, {**SIZE, "direction": "minimize"}),
    ]
    studies += [several(LOSS, {**SIZE, "regex": "s=([0-9]+)"}), several(LOSS, {**SIZE, "reduce": "max"})]
    assert len({study.identity() for study in studies}) == len(studies)


def test_a_goal_is_no_part_of_the_identity():
    assert several(LOSS, SIZE).identity() == several({**LOSS, "goal": 1}, {**SIZE, "goal": 4}).identity()


def test_objectives_come_before_other_metrics():
    study = several(LOSS, SIZE, metrics=["time"])
    assert study.reductions == {"val_loss": "min", "size": "latest", "time": "latest"}
    assert study.metric_definitions == (MetricDefinition("size", "size: ([0-9]+)"),)
    assert [place_of(name, study) for name in study.reductions] == [
        ("objectives", 0),
        ("objectives", 1),
        ("metrics", 0),
    ]
    assert [place_of(name, toy(metrics=["time"])) for name in ("val_loss", "time")] == [("objective",), ("metrics", 0)]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"objectives": [LOSS]}, "objectives: a study has objective or objectives, not both"),
        ({"objective": None}, "a study needs an objective: objective: {metric: val_loss, direction: minimize}, or"),
        ({"objective": None, "objectives": []}, "objectives: must have at least 1 entry"),
        ({"objective": None, "objectives": LOSS}, "objectives: must be a list, one item each"),
        ({"objective": None, "objectives": ["val_loss"]}, "objectives.0: "),
        ({"objective": None, "objectives": [LOSS, LOSS]}, "objectives.1.metric: metric names must differ"),
        ({"objective": None, "objectives": [LOSS, SIZE], "metrics": ["size"]}, "metrics.0: metric names must differ"),
        ({"objective": None, "objectives": [LOSS, {"metric": "size"}]}, "objectives.1.direction: "),
        ({"objective": None, "objectives": [LOSS, {**SIZE, "regex": "size"}]}, "objectives.1.regex: "),
    ],
)
def test_what_is_no_list_of_objectives_is_refused(changes, message):
    with pytest.raises(StudyError) as caught:
        toy(**changes)
    assert str(caught.value).startswith(message)


SCHEMAS = {"study": (study_schema(), lambda study: study)}
SCHEMAS["pipeline"] = (
    pipeline_schema(),
    lambda study: {"name": "p", "steps": {"tune": {"kind": "tune", "image": "registry.example/k:1", "study": study}}},
)


@pytest.mark.parametrize("kind", SCHEMAS)
@pytest.mark.parametrize(
    ("changes", "fits"),
    [
        ({}, True),
        ({"objective": None, "objectives": [LOSS]}, True),
        ({"objective": None, "objectives": [LOSS, {"metric": "size", "direction": "maximize"}]}, True),
        ({"objectives": [LOSS]}, False),
        ({"objective": None}, False),
        ({"objective": None, "objectives": []}, False),
    ],
)
def test_the_schema_asks_for_exactly_one_of_the_keys(kind, changes, fits):
    schema, inside = SCHEMAS[kind]
    assert (not [*problems(inside(data(**changes)), schema)]) == fits


def test_a_sample_log_is_read_for_each_objective(tmp_path):
    log = tmp_path / "log"
    log.write_text("val_loss=0.3\nsize = 3\n")
    study = several(LOSS, {"metric": "size", "direction": "minimize"}, metrics=["time"])
    found = study_sample(study, log)
    assert [(each.code, each.path) for each in found.findings] == [
        ("KT501", ("objectives", 1, "metric")),
        ("KT502", ("metrics", 0)),
    ]
    assert "give size, under objectives, a regex" in found.findings[0].remedy


def test_a_tune_step_keeps_all_objectives():
    study = several(LOSS, SIZE)
    pipeline = pipeline_from_dict(SCHEMAS["pipeline"][1](study.to_dict()))
    step: Any = pipeline.plan.nodes["tune"].step
    assert step.study.objectives == study.objectives
    assert step.outputs["objective"].description == "val_loss of the best trial, the first of 2 objectives"
