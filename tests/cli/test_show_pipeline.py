"""What `kftune show` tells of a pipeline, and the published schema of pipeline files."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from json_schema import problems
from net_pipeline import HPARAMS, PIPELINE, PLANTS, STUDY
from pipeline_examples import chain, pipeline, step
from places import ROOT

from kftune import yaml_text
from kftune.cli import main
from kftune.cli.show_pipeline import facts, text
from kftune.errors import PipelineError
from kftune.pipeline import Pipeline, load_pipeline, pipeline_from_dict
from kftune.pipeline.schema import pipeline_schema

CIRCUITS = ROOT / "pipelines" / "circuits" / "pipeline.yaml"


@pytest.fixture(scope="module")
def circuits() -> Pipeline:
    return load_pipeline(CIRCUITS)


# -- show --------------------------------------------------------------------------------------------------------------


def test_the_json_form_is_what_the_text_is_made_from(capsys: pytest.CaptureFixture[str]):
    assert main(["show", str(CIRCUITS), "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert main(["show", str(CIRCUITS)]) == 0
    assert capsys.readouterr().out == text(found) + "\n"
    assert found["format"] == "kftune.pipeline/1"


def test_overrides_are_shown(capsys: pytest.CaptureFixture[str]):
    assert main(["show", str(CIRCUITS), "steps.train.timeout=5m", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["steps"]["train"]["own"]["timeout"] == "300s"


def test_fields_stand_where_they_come_from(circuits: Pipeline):
    train = facts(circuits)["steps"]["train"]
    assert train["own"]["module"] == "kftune.training"
    assert train["own"]["hparams"] == "LstmHparams"
    assert train["shared"]["image"] == "registry.example/circuits:1"
    assert train["derived"]["job_type"] == "training"
    assert train["derived"]["command"][:5] == ["python", "-m", "kftune.training", "lstm", "--data=<data>"]
    assert train["derived"]["waits_for"] == ["data", "tune"]


def test_keys_of_one_field_may_come_from_three_places():
    made = pipeline(
        {"only": step(env={"B": "own"}, resources={"cpu": 3}, instance_type="ml.g5.xlarge")},
        defaults={"env": {"A": "all", "B": "all"}, "resources": {"memory": "1Gi"}},
    )
    only = facts(made)["steps"]["only"]
    assert only["own"]["env"] == {"B": "own"}
    assert only["shared"] == {"env": {"A": "all"}}
    assert only["own"]["resources"] == {"cpu": "3"}
    # The instance of the step itself wins over the defaults' memory.
    assert only["derived"]["resources"] == {"memory": "16Gi", "gpu": 1}


def test_what_the_defaults_give_is_shared_by_the_step_that_takes_it(circuits: Pipeline):
    found = facts(circuits)["steps"]
    for name, node in circuits.plan.nodes.items():
        complete = {**node.step.to_dict()}
        told = {**found[name]["own"], **found[name]["shared"], **found[name]["derived"]}
        assert set(complete) - {"kind"} <= set(told)


def test_steps_of_one_level_wait_for_none_of_it():
    steps = chain(other=step("data"), both=step(inputs={"a": "${steps.evaluate.outputs.val_loss}"}, after=["other"]))
    levels = {name: about["derived"]["level"] for name, about in facts(pipeline(steps))["steps"].items()}
    assert levels == {"data": 1, "other": 1, "train": 2, "evaluate": 3, "both": 4}


def test_the_graph_has_loops_conditions_and_the_end():
    made = pipeline(
        {
            "each": step(for_each="plants", inputs={"plant": "${item}"}, outputs={"loss": "float"}),
            "all": step(inputs={"losses": "${steps.each.outputs.loss}"}),
            "maybe": step("data", when="${parameters.more} == true"),
            "needs": step(inputs={"data": "${steps.maybe.outputs.data}"}, after=["all"]),
        },
        parameters={"more": False},
        loops={"plants": {"items": ["a", "b", "c"], "parallel": 2, "on_failure": "stop"}},
        exit={"module": "toy", "inputs": {"status": "${run.status}"}},
    )
    shown = text(facts(made))
    graph = shown[shown.index("graph") : shown.index("\n\nrun parameters")]
    assert graph.splitlines()[1:] == [
        "  1  each   for each of plants (3 items, 2 in parallel, on_failure: stop)",
        "  2  all    takes from each",
        "  1  maybe  when ${parameters.more} == true",
        "  3  needs  takes from maybe; after all; may be skipped",
        "     exit   always, at the end",
    ]


def test_a_tune_step_tells_what_its_trials_run(circuits: Pipeline):
    trials = facts(circuits)["steps"]["tune"]["derived"]["trials"]
    assert trials["max_trials"] == 4
    assert trials["command"][-1] == "--batch_size=<batch_size>"
    assert "--circuit=<circuit>" in trials["command"]
    assert trials["container"]["env"] == {"OMP_NUM_THREADS": "1"}


def test_a_tune_step_tells_what_its_study_refuses_stops_and_starts_again():
    overrides = ["stopping.no_improvement=3", "budget.retries.lost=2", 'constraints=["batch_size >= 16"]']
    changed = load_pipeline(CIRCUITS, [f"steps.tune.overrides={json.dumps(overrides)}"])
    trials = facts(changed)["steps"]["tune"]["derived"]["trials"]
    assert trials["constraints"] == ["batch_size >= 16"]
    assert trials["retries"] == {"lost": 2}
    assert trials["stopping"] == {"no_improvement": {"trials": 3}}
    assert "trials.stopping" in text(facts(changed))


def test_the_guide_names_every_key_of_the_json_form(circuits: Pipeline):
    guide = (ROOT / "docs" / "guides" / "pipelines.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([a-z_]+)`", guide))
    found = facts(circuits)
    inner = {key for about in found["steps"].values() for key in (*about, *about["derived"])}
    assert {*found, *inner} - named == set()


# -- schema ------------------------------------------------------------------------------------------------------------


def _whole() -> dict[str, Any]:
    found: Any = yaml_text.load(PIPELINE)
    return {
        **found,
        "schedule": {"cron": "@daily"},
        "instances": {"big": {"cpu": 8}},
        "parallel": 2,
        "timeout": "1h",
        "on_failure": "stop",
    }


def test_the_schema_takes_pipeline_files(circuits: Pipeline):
    schema = pipeline_schema()
    for content in (yaml_text.load_file(CIRCUITS), circuits.to_dict(), _whole()):
        assert list(problems(content, schema)) == []


def test_the_schema_takes_what_a_pipeline_writes(tmp_path: Path):
    # A process has one module of a name, and another test has net_hparams.
    files = {"net_hparams.py": HPARAMS, "study.yaml": STUDY, "plants.yaml": PLANTS, "pipeline.yaml": PIPELINE}
    for name, content in files.items():
        (tmp_path / name.replace("net", "shown")).write_text(content.replace("net_hparams", "shown_hparams"))
    assert list(problems(load_pipeline(tmp_path / "pipeline.yaml").to_dict(), pipeline_schema())) == []


BASE: dict[str, Any] = {"name": "toy", "steps": {"a": {"kind": "container", "module": "m"}}}
LOOPED: dict[str, Any] = {"a": {"kind": "container", "module": "m", "for_each": "l"}}


def _one(**fields: Any) -> dict[str, Any]:
    return {"steps": {"a": fields}}


def _study(**changes: Any) -> dict[str, Any]:
    objective = {"metric": "val_loss", "direction": "minimize"}
    return {"name": "s", "hparams": "LstmHparams", "objective": objective, "step": {"module": "m"}, **changes}


VALID: dict[str, Any] = {
    "the least": {},
    "a study within": _one(kind="tune", study=_study(search={"lstm_units": {"int": [1, 9]}})),
    "long forms": _one(
        kind="container", module="m", inputs={"x": {"type": "float", "value": 1}}, outputs={"out": {"type": "int"}}
    ),
    "a loop": {"loops": {"l": {"items": ["a"], "parallel": 1}}, "steps": LOOPED},
    "an exit step": {"exit": {"module": "m"}},
    "an exit step of a kind": {"exit": {"kind": "evaluate", "module": "m"}},
    "retries": _one(kind="container", module="m", retries={"limit": 2, "backoff": "1m"}),
    "targets": {"targets": {"argo": {"version": "4.1"}, "kfp": {"pipeline_root": "s3://b/p"}}},
}
INVALID: dict[str, Any] = {
    "no steps": {"steps": {}},
    "no name": {"name": None},
    "a misspelt section": {"parametres": {}},
    "no kind": _one(module="m"),
    "an unknown kind": _one(kind="trian", module="m"),
    "a misspelt field": _one(kind="train", modul="m"),
    "an unknown type": _one(kind="train", module="m", outputs={"x": "number", "model": "model"}),
    "an input that is null": _one(kind="container", module="m", inputs={"x": None}),
    "an input without a value": _one(kind="container", module="m", inputs={"x": {"type": "int"}}),
    "a tune step with a command": _one(kind="tune", study=_study(), command=["x"]),
    "a tune step without a study": _one(kind="tune"),
    "a domain that is none": _one(kind="tune", study=_study(search={"lstm_units": {"itn": [1, 9]}})),
    "an exit step that waits": {"exit": {"module": "m", "after": ["a"]}},
    "an exit step that tunes": {"exit": {"kind": "tune", "study": _study()}},
    "a schedule without cron": {"schedule": {"timezone": "UTC"}},
    "no item at once": {"loops": {"l": {"items": ["a"], "parallel": 0}}, "steps": LOOPED},
    "an empty list of items": {"loops": {"l": {"items": []}}, "steps": LOOPED},
    "an unknown version": {"targets": {"argo": {"version": "5.0"}}},
}


@pytest.mark.parametrize("change", VALID.values(), ids=VALID)
def test_the_schema_takes_what_a_pipeline_takes(change: dict[str, Any]):
    content = {**BASE, **change}
    assert list(problems(content, pipeline_schema())) == []
    assert list(problems(pipeline_from_dict(content).to_dict(), pipeline_schema())) == []


@pytest.mark.parametrize("change", INVALID.values(), ids=INVALID)
def test_the_schema_refuses_what_a_pipeline_refuses(change: dict[str, Any]):
    content = {**BASE, **change}
    assert list(problems(content, pipeline_schema()))
    with pytest.raises(PipelineError):
        pipeline_from_dict(content)


def test_the_schema_describes_every_key_of_every_section():
    schema = pipeline_schema()
    sections = {"Pipeline": schema, **{name: part for name, part in schema["$defs"].items() if "properties" in part}}
    bare = [
        f"{section}.{name}"
        for section, part in sections.items()
        for name, described in part["properties"].items()
        if "description" not in described and "$ref" not in described
    ]
    assert bare == []


def test_the_command_prints_the_schema(capsys: pytest.CaptureFixture[str]):
    assert main(["schema", "pipeline"]) == 0
    assert json.loads(capsys.readouterr().out) == pipeline_schema()
