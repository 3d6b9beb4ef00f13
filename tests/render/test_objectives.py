"""What Katib gets of a study with several objectives, and of an algorithm that it does not have."""

from __future__ import annotations

import pytest
from study_examples import data, toy

from kftune.errors import RenderError
from kftune.lint.options import LintOptions
from kftune.pipeline import pipeline_from_dict
from kftune.render import render, render_pipeline

LOSS = {"metric": "val_loss", "direction": "minimize"}
SIZE = {"metric": "size", "direction": "maximize", "reduce": "latest"}
ABOUT = (
    "Katib has one objective and gets val_loss, the first; size is an additional metric there: it is stored, not "
    "searched for, and a trial that does not report it counts"
)


def test_katib_gets_the_first_objective_and_the_others_as_additional_metrics():
    study = toy(objective=None, objectives=[LOSS, SIZE], metrics=["time"])
    rendering = render(study, "katib")
    assert rendering.documents[0]["spec"]["objective"] == {
        "type": "minimize",
        "objectiveMetricName": "val_loss",
        "additionalMetricNames": ["size", "time"],
        "metricStrategies": [
            {"name": "val_loss", "value": "min"},
            {"name": "size", "value": "latest"},
            {"name": "time", "value": "latest"},
        ],
    }
    assert ABOUT in rendering.notes


def test_a_list_of_one_renders_as_one_objective():
    one, in_a_list = toy(), toy(objective=None, objectives=[LOSS])
    assert render(in_a_list, "katib") == render(one, "katib")


@pytest.mark.parametrize(
    ("first", "note"),
    [
        (None, "the goal of size applies to local runs only"),
        (0.1, "the goal of size applies to local runs only, and Katib ends at the goal of val_loss alone"),
    ],
)
def test_katib_has_only_the_goal_of_the_first(first, note):
    objectives = [{**LOSS, **({} if first is None else {"goal": first})}, {**SIZE, "goal": 3}]
    rendering = render(toy(objective=None, objectives=objectives), "katib")
    assert rendering.documents[0]["spec"]["objective"].get("goal") == first
    assert note in rendering.notes


@pytest.mark.parametrize("target", ["argo", "kfp"])
def test_a_tune_step_says_which_objective_decides(target):
    study = data(objective=None, objectives=[LOSS, SIZE])
    step = {"kind": "tune", "image": "registry.example/kftune:1", "study": study, "service_account": "tuner"}
    rendering = render_pipeline(pipeline_from_dict({"name": "tuned", "steps": {"tune": step}}), target)
    assert f"tune: {ABOUT}" in rendering.notes
    assert "tune: its outputs best, best_trial and objective are those of the best trial in val_loss" in rendering.notes


def test_an_algorithm_that_katib_does_not_have_is_refused_with_a_way_out():
    with pytest.raises(RenderError) as caught:
        render(toy(algorithm={"name": "nsga2"}), "katib")
    assert str(caught.value).startswith(
        "the algorithm nsga2 runs on this machine only; name one that Katib has in its place"
    )
    assert caught.value.places == (("algorithm", "name"),)


def test_lint_reports_it_and_does_not_fall_over(tmp_path):
    from kftune import yaml_text
    from kftune.lint import check

    file = tmp_path / "study.yaml"
    file.write_text(yaml_text.dump(data(algorithm={"name": "nsga2"})))
    (study,) = check([file], LintOptions()).studies
    assert [finding.code for finding in study.findings] == ["KT400"]
    assert "the algorithm nsga2 runs on this machine only" in study.findings[0].message
