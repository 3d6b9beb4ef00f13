"""A pipeline as objects of Argo Workflows: what stands in them, what cannot come out, and what is refused."""

from __future__ import annotations

import copy
import json
import os
import random
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import argo_controller
import pytest
from argo_as_run import documents, lint
from argo_examples import EXAMPLES, HOSTILE, IMAGE, argo, drawn
from argo_traps import traps
from argo_twice import compare_pods
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from katib_as_run import run_trial, stand_in, substituted
from pipeline_examples import chain, step, tune
from places import ROOT, SUPPORT
from study_examples import data

from kftune import yaml_text
from kftune.errors import PipelineError, RenderError, UnknownNameError
from kftune.katib.crd.objects import judge_object
from kftune.katib.go.names import MOST_BYTES
from kftune.katib.go.reading import pieces, read
from kftune.pipeline import Pipeline
from kftune.render import PIPELINE_TARGETS, render_pipeline
from kftune.render.argo import render_argo
from kftune.render.argo.size import MOST_RUN_BYTES
from kftune.render.launching import put_in
from kftune.render.size import size_of
from kftune.render.tuning import tuning_of


def objects_of(pipeline: Pipeline) -> list[dict[str, Any]]:
    rendering = render_argo(pipeline)
    return [*rendering.documents, *rendering.created]


def template_of(pipeline: Pipeline, name: str) -> dict[str, Any]:
    templates = render_argo(pipeline).documents[0]["spec"]["templates"]
    found: dict[str, Any] = next(template for template in templates if template["name"] == name)
    return found


def task_of(pipeline: Pipeline, name: str, dag: str = "Pipeline") -> dict[str, Any]:
    found: dict[str, Any] = next(task for task in template_of(pipeline, dag)["dag"]["tasks"] if task["name"] == name)
    return found


def texts_of(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from texts_of(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts_of(item)


# ------------------------------------------------------------------------------------------------------- what comes out


def test_a_chain_becomes_a_workflow_template_that_runs_it():
    rendering = render_argo(argo(chain()))
    security = {
        "runAsNonRoot": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }

    def pod(name: str, job: str, args: list[str], **more: Any) -> dict[str, Any]:
        return {
            "name": name,
            "metadata": {
                "labels": {"kftune.io/job-type": job},
                "annotations": {"sidecar.istio.io/inject": "false"},
            },
            **more,
            "container": {
                "image": IMAGE,
                "command": ["python", "-m", "toy"],
                "args": args,
                "volumeMounts": [{"name": "kftune-outputs", "mountPath": "/kftune/outputs"}],
                "securityContext": security,
            },
            "volumes": [{"name": "kftune-outputs", "emptyDir": {}}],
        }

    assert rendering.documents == [
        {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "WorkflowTemplate",
            "metadata": {"name": "toy"},
            "spec": {
                "entrypoint": "Pipeline",
                "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
                "templates": [
                    {
                        "name": "Pipeline",
                        "dag": {
                            "tasks": [
                                {"name": "data", "template": "data"},
                                {
                                    "name": "train",
                                    "template": "train",
                                    "depends": "data.Succeeded",
                                    "arguments": {
                                        "artifacts": [{"name": "data", "from": "{{tasks.data.outputs.artifacts.data}}"}]
                                    },
                                },
                                {
                                    "name": "evaluate",
                                    "template": "evaluate",
                                    "depends": "train.Succeeded",
                                    "arguments": {
                                        "artifacts": [
                                            {"name": "model", "from": "{{tasks.train.outputs.artifacts.model}}"}
                                        ]
                                    },
                                },
                            ]
                        },
                    },
                    pod(
                        "data",
                        "data",
                        ["--n_rows=10", "--data=/kftune/outputs/data"],
                        outputs={"artifacts": [{"name": "data", "path": "/kftune/outputs/data"}]},
                    ),
                    pod(
                        "train",
                        "training",
                        ["--data=/kftune/inputs/data", "--model=/kftune/outputs/model"],
                        inputs={"artifacts": [{"name": "data", "path": "/kftune/inputs/data"}]},
                        outputs={"artifacts": [{"name": "model", "path": "/kftune/outputs/model"}]},
                    ),
                    pod(
                        "evaluate",
                        "evaluation",
                        [
                            "--model=/kftune/inputs/model",
                            "--metrics=/kftune/outputs/metrics",
                            "--val_loss=/kftune/outputs/val_loss",
                            "--executor-output=/kftune/outputs/executor-output",
                        ],
                        inputs={"artifacts": [{"name": "model", "path": "/kftune/inputs/model"}]},
                        outputs={
                            "parameters": [
                                {"name": "val_loss", "valueFrom": {"path": "/kftune/outputs/val_loss"}},
                            ],
                            "artifacts": [
                                {
                                    "name": "metrics",
                                    "path": "/kftune/outputs/metrics",
                                    "archive": {"none": {}},
                                }
                            ],
                        },
                    ),
                ],
            },
        }
    ]
    assert rendering.created == [
        {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Workflow",
            "metadata": {"generateName": "toy-"},
            "spec": rendering.documents[0]["spec"],
        }
    ]


def test_a_pipeline_s_own_settings_stand_in_the_spec():
    template, cron = render_argo(EXAMPLES["everyday"]()).documents
    (run,) = render_argo(EXAMPLES["everyday"]()).created
    spec = dict(template["spec"])
    spec.pop("templates")
    assert spec == {
        "entrypoint": "Pipeline",
        "onExit": "Exit",
        "arguments": {
            "parameters": [
                {"name": "rows", "description": "Rows that are read", "value": "100"},
                {"name": "fast", "value": "true", "enum": ["true", "false"]},
                {"name": "tags", "value": '["a",{"b":1}]'},
            ]
        },
        "serviceAccountName": "runner",
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
        "activeDeadlineSeconds": 21600,
        "parallelism": 4,
        "ttlStrategy": {"secondsAfterSuccess": 86400, "secondsAfterFailure": 604800},
        "synchronization": {"mutexes": [{"name": "toy"}]},
        "workflowMetadata": {"labels": {"team": "a"}},
    }
    metadata = {
        "name": "toy",
        "namespace": "team-a",
        "labels": {"team": "a"},
        "annotations": {"owner": "a@example", "workflows.argoproj.io/description": "Trains every night."},
    }
    assert template["metadata"] == cron["metadata"] == metadata
    assert cron["kind"] == "CronWorkflow"
    assert cron["spec"] == {
        "schedules": ["30 2 * * 1-5"],
        "timezone": "Europe/Berlin",
        "concurrencyPolicy": "Replace",
        "successfulJobsHistoryLimit": 1440,
        "failedJobsHistoryLimit": 10080,
        "workflowSpec": {"workflowTemplateRef": {"name": "toy"}},
    }
    assert run["metadata"] == {"generateName": "toy-", "namespace": "team-a", "labels": {"team": "a"}}


def test_a_step_s_own_settings_stand_in_its_template():
    data, train = (template_of(EXAMPLES["everyday"](), name) for name in ("data", "train"))
    assert data["serviceAccountName"] == "reader"
    assert json.loads(data["podSpecPatch"]) == {"terminationGracePeriodSeconds": 120}
    assert data["container"]["workingDir"] == "/app"
    assert data["container"]["env"] == [
        {"name": "LEVEL", "value": "debug"},
        {"name": "PRICE", "value": "$$5"},
        {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "store", "key": "token"}}},
        {"name": "REGION", "valueFrom": {"configMapKeyRef": {"name": "site", "key": "region"}}},
    ]
    assert data["volumes"] == [
        {"name": "raw", "persistentVolumeClaim": {"claimName": "raw", "readOnly": True}},
        {"name": "site", "configMap": {"name": "site"}},
        {"name": "keys", "secret": {"secretName": "keys"}},
        {"name": "scratch", "emptyDir": {"sizeLimit": "1Gi"}},
        {"name": "kftune-outputs", "emptyDir": {}},
    ]
    assert data["container"]["volumeMounts"][0] == {"name": "raw", "mountPath": "/raw", "readOnly": True}
    assert train["nodeSelector"] == {"zone": "a"}
    assert train["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
    assert train["activeDeadlineSeconds"] == 5400
    assert train["retryStrategy"] == {
        "limit": "3",
        "retryPolicy": "Always",
        "backoff": {"duration": "30s", "factor": "2", "cap": "600s"},
    }
    assert train["container"]["resources"] == {
        "requests": {"cpu": "500m", "memory": "4Gi", "nvidia.com/gpu": "2"},
        "limits": {"cpu": "500m", "memory": "6Gi", "nvidia.com/gpu": "2"},
    }


def test_several_processes_are_started_by_torchrun():
    steps = {"train": step("train", resources={"gpu": 2, "procs_per_node": 2}, inputs={"x": 1})}
    container = template_of(argo(steps), "train")["container"]
    assert [*container["command"], *container["args"]] == [
        *("torchrun", "--standalone", "--nproc_per_node=2", "-m", "toy"),
        *("--x=1", "--model=/kftune/outputs/model"),
    ]


def test_every_container_meets_the_restricted_standard():
    for name in EXAMPLES:
        spec = render_argo(EXAMPLES[name]()).documents[0]["spec"]
        # Not for the whole pod: the image of Argo's own containers has root as its user, and they would not start.
        assert spec["securityContext"] == {"seccompProfile": {"type": "RuntimeDefault"}}
        for template in (each for each in spec["templates"] if "container" in each):
            assert template["container"]["securityContext"] == {
                "runAsNonRoot": True,
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "seccompProfile": {"type": "RuntimeDefault"},
            }
            sources = {key for volume in template.get("volumes", []) for key in volume if key != "name"}
            assert sources <= {"persistentVolumeClaim", "configMap", "secret", "emptyDir"}


def test_the_exit_step_hears_how_the_run_ended():
    assert template_of(EXAMPLES["everyday"](), "Exit") == {
        "name": "Exit",
        "dag": {
            "tasks": [
                {
                    "name": "exit",
                    "template": "exit",
                    "arguments": {
                        "parameters": [
                            {
                                "name": "status",
                                "value": "{{=sprig.ternary('Succeeded', 'Failed', workflow.status == 'Succeeded')}}",
                            },
                            {"name": "rows", "value": "{{workflow.parameters.rows}}"},
                        ]
                    },
                }
            ]
        },
    }


def test_a_loop_runs_some_items_at_once_and_gives_one_list():
    loop = template_of(EXAMPLES["loops"](), "Loop-circuits")
    assert loop["parallelism"] == 2
    assert {"name": "polish_gain", "valueFrom": {
        "expression": "'[' + trimPrefix(join(jsonpath(tasks.each.outputs.parameters.polish_gain, '$'), ''), ',') + ']'",
    }} in loop["outputs"]["parameters"]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "text"),
    [("float", "nan"), ("float", "x"), ("int", "1.5"), ("int", ""), ("bool", "True"), ("list", "{}"), ("dict", "[]")],
)
def test_a_value_of_a_loop_that_is_not_of_its_type_ends_the_run_with_a_reason(kind, text):
    pipeline = argo(
        {
            "a": step(for_each="m", inputs={"x": "${item}"}, outputs={"o": kind}),
            "z": step(inputs={"all": "${steps.a.outputs.o}"}),
        },
        loops={"m": {"items": ["1", "2"]}},
    )
    template = render_argo(pipeline).documents[0]
    with pytest.raises(argo_controller.StuckError, match=f"output o of step a must be of type {kind}"):
        argo_controller.run(template, lambda name, argv: {"o": text})


def test_a_list_of_a_loop_holds_each_value_as_its_step_wrote_it():
    pipeline = argo(
        {
            "a": step(for_each="m", inputs={"x": "${item}"}, outputs={"i": "int", "f": "float", "s": "str"}),
            "z": step(inputs={name: f"${{steps.a.outputs.{name}}}" for name in "ifs"}),
        },
        loops={"m": {"items": ["1", "2"]}},
    )
    written = {"i": "12345678901234567890", "f": "2.0", "s": '{"a": 2.0}'}
    pods = argo_controller.run(render_argo(pipeline).documents[0], lambda name, argv: written)
    assert [token for token in pods[-1].argv if "=" in token] == [
        "--i=[12345678901234567890,12345678901234567890]",
        "--f=[2.0,2.0]",
        '--s=["{\\"a\\": 2.0}","{\\"a\\": 2.0}"]',
    ]


@pytest.mark.parametrize(("kind", "more"), [("html", {"mode": 0o644}), ("metrics", {"mode": 0o644}), ("model", {})])
def test_the_next_step_can_read_what_is_not_in_an_archive(kind, more):
    pipeline = argo({"a": step(outputs={"o": kind}), "b": step(inputs={"o": "${steps.a.outputs.o}"})})
    artifacts = template_of(pipeline, "b")["inputs"]["artifacts"]
    assert artifacts == [{"name": "o", "path": "/kftune/inputs/o", **more}]


def test_texts_in_the_mappings_of_a_parameter_arrive_as_they_are():
    items = [{"t": 'say "hi" \\ <b>\n', "x": 2.0, "l": [1, 'q"']}]
    pipeline = argo(
        {"a": step(for_each="m", inputs={"t": "${item.t}", "x": "${item.x}", "l": "${item.l}"})},
        parameters={"points": {"type": "list", "default": items}},
        loops={"m": {"items": "${parameters.points}", "fields": {"t": "str", "x": "float", "l": "list"}}},
    )
    pod = argo_controller.run(render_argo(pipeline).documents[0], lambda name, argv: {})[0]
    assert pod.argv[-3:] == ['--t=say "hi" \\ <b>\n', "--x=2.0", '--l=[1,"q\\""]']


@pytest.mark.parametrize("sign", ["\x7f", "\x80", "\x9f"])
def test_control_characters_that_a_cluster_refuses_are_refused_with_their_place(sign):
    pipeline = argo({"a": step(env={"X": f"a{sign}"})})
    with pytest.raises(RenderError, match=r"templates\[1\]\.container\.env\[0\]\.value must not hold the control"):
        render_pipeline(pipeline, "argo")


@pytest.mark.parametrize(
    ("cron", "zone", "is_noted"),
    [
        ("30 2 * * *", "Europe/Berlin", True),
        ("0 0-6/3 * * *", "America/New_York", True),
        ("30 4 * * *", "Europe/Berlin", False),
        ("30 * * * *", "Europe/Berlin", False),
        ("30 2 * * *", "UTC", False),
        ("@daily", "Europe/Berlin", False),
    ],
)
def test_a_schedule_in_the_hours_when_clocks_change_is_noted(cron, zone, is_noted):
    pipeline = argo({"a": step()}, schedule={"cron": cron, "timezone": zone})
    assert any("clocks change" in note for note in render_argo(pipeline).notes) == is_noted


@pytest.mark.parametrize("zone", ["CET", "EST", "localtime", "posixrules", "posix/Europe/Berlin", "right/UTC"])
def test_zones_that_a_cluster_may_not_have_are_refused(zone):
    with pytest.raises(PipelineError, match="a time zone is a name that every cluster has"):
        argo({"a": step()}, schedule={"cron": "30 4 * * *", "timezone": zone})


def test_a_step_s_timeout_is_noted_to_count_the_start_of_its_pod():
    notes = render_argo(argo({"a": step(timeout="5s")})).notes
    assert any("counts from the creation of its pod" in note for note in notes)


def test_a_parameter_without_a_default_is_asked_for_at_each_run():
    rendering = render_argo(argo(chain(), parameters={"rows": {"type": "int"}}))
    assert rendering.documents[0]["spec"]["arguments"] == {"parameters": [{"name": "rows"}]}
    assert rendering.created == []
    assert any("argo submit --from workflowtemplate/toy -p rows=VALUE" in note for note in rendering.notes)


def test_a_description_holds_no_tags():
    pipeline = argo({"a": step()}, parameters={"x": {"type": "int", "default": 1, "description": "as in {{x}}"}})
    assert render_argo(pipeline).documents[0]["spec"]["arguments"]["parameters"][0]["description"] == "as in { {x}}"


def test_what_a_cluster_needs_for_it_is_said():
    notes = "\n".join(render_argo(EXAMPLES["tuned"]()).notes)
    for text in ("workflowtaskresults", "artifact repository", "numeric USER", "get on experiments"):
        assert text in notes


# ------------------------------------------------------------------------------------------------- what cannot come out


@pytest.mark.parametrize("name", EXAMPLES)
def test_argo_s_linter_takes_it_and_its_controller_stumbles_over_nothing(name):
    text = yaml_text.dump_all(objects_of(EXAMPLES[name]()))
    assert lint(text) is None
    assert traps(text) == []


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_api_server_stores_it_and_drops_nothing(name):
    for document in objects_of(EXAMPLES[name]()):
        verdict = judge_object(document)
        assert (verdict.problems, verdict.pruned) == ((), ())


@pytest.mark.parametrize("name", EXAMPLES)
def test_go_s_reader_reads_every_document_as_it_was_meant(name):
    objects = objects_of(EXAMPLES[name]())
    text = yaml_text.dump_all(objects)
    assert [read(piece.text) for piece in pieces(text)] == objects
    assert [document.value for document in documents(text)] == objects


def drawn_and_rendered(seed: int) -> tuple[Pipeline, str]:
    """A pipeline and its objects; an example that does not fit together is given up."""
    try:
        pipeline = drawn(random.Random(seed))
        return pipeline, yaml_text.dump_all(objects_of(pipeline))
    except (PipelineError, RenderError):
        assume(False)
        raise


@settings(max_examples=100)
@given(st.integers(0, 2**32))
def test_any_pipeline_that_renders_is_accepted_and_does_what_its_plan_says(seed):
    pipeline, text = drawn_and_rendered(seed)
    assert lint(text) is None
    assert traps(text) == []
    compare_pods(pipeline, seed)


def test_all_that_argo_reads_as_text_is_text():
    for name in EXAMPLES:
        for document in objects_of(EXAMPLES[name]()):
            for parameter in _every(document, "parameters"):
                assert all(isinstance(text, str) for key, text in parameter.items() if key in ("value", "default"))
            for container in _every(document, "container"):
                assert all(isinstance(text, str) for text in [*container["command"], *container.get("args", [])])


def _every(value: object, key: str) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        found = value.get(key, [])
        yield from found if isinstance(found, list) else [found]
        for item in value.values():
            yield from _every(item, key)
    elif isinstance(value, list):
        for item in value:
            yield from _every(item, key)


def test_lists_of_items_are_texts_and_never_empty_ones_of_yaml():
    for name in EXAMPLES:
        tasks = list(_every(objects_of(EXAMPLES[name]()), "tasks"))
        assert not any("withItems" in task for task in tasks)
        lists = [task["withParam"] for task in tasks if not task.get("withParam", "{{").startswith("{{")]
        assert all(map(json.loads, lists))


def test_numbers_in_items_keep_their_text():
    items = [1, 2.5, 1e-05, 1.0]
    pipeline = argo({"work": step(for_each="all", inputs={"x": "${item}"})}, loops={"all": {"items": items}})
    assert json.loads(template_of(pipeline, "Loop-all")["dag"]["tasks"][0]["withParam"]) == ["1", "2.5", "1e-05", "1.0"]


def test_conditions_are_expressions_that_compare_numbers_as_numbers():
    pipeline = EXAMPLES["choices"]()
    number, text, flag = (task_of(pipeline, name)["when"] for name in ("by-number", "by-text", "by-flag"))
    compared = "(asFloat(trim(tasks.judge.outputs.parameters.loss)) < asFloat(trim(workflow.parameters.limit)))"
    assert compared in number
    assert text == "{{=tasks.judge.outputs.parameters.grade == 'very good'}}"
    assert "(trim(tasks.judge.outputs.parameters.ok) != 'true')" in flag


def test_who_takes_something_waits_for_it_and_who_only_follows_does_not_need_it():
    pipeline = EXAMPLES["choices"]()
    assert task_of(pipeline, "needs")["depends"] == "by-number.Succeeded"
    assert task_of(pipeline, "follows")["depends"] == (
        "(by-number.Succeeded || by-number.Skipped || by-number.Omitted) && "
        "(needs.Succeeded || needs.Skipped || needs.Omitted)"
    )


def test_an_artifact_that_may_be_missing_is_optional_on_both_ends_and_its_path_is_empty_then():
    pipeline = EXAMPLES["choices"]()
    (given_artifact,) = task_of(pipeline, "takes")["arguments"]["artifacts"]
    (wanted,) = template_of(pipeline, "takes")["inputs"]["artifacts"]
    assert given_artifact["optional"] is wanted["optional"] is True
    assert task_of(pipeline, "takes")["arguments"]["parameters"][0] == {
        "name": "model",
        "value": "{{=sprig.ternary('/kftune/inputs/model', '', tasks['by-number'].status == 'Succeeded')}}",
    }


Change = Callable[[dict[str, Any]], None]


def _task(template: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(
        task
        for dag in template["spec"]["templates"]
        for task in dag.get("dag", {}).get("tasks", [])
        if task["name"] == name
    )
    return found


def _template(template: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in template["spec"]["templates"] if one["name"] == name)
    return found


def _without_optional(template: dict[str, Any]) -> None:
    del _template(template, "takes")["inputs"]["artifacts"][0]["optional"]


def _without_default(template: dict[str, Any]) -> None:
    inputs = _template(template, "takes")["inputs"]["parameters"]
    del next(one for one in inputs if one["name"] == "size")["default"]


BROKEN: dict[str, tuple[str, Change]] = {
    "a reference without its depends": ("choices", lambda t: _task(t, "needs").pop("depends")),
    "a condition without its depends": ("choices", lambda t: _task(t, "by-number").pop("depends")),
    "an output without a default": ("choices", _without_default),
    "an artifact optional on one end": ("choices", _without_optional),
    "an unknown task in an expression": ("choices", lambda t: _task(t, "by-flag").update(when="{{=tasks.x.id == 1}}")),
    "a condition in words": ("choices", lambda t: _task(t, "by-flag").update(when="a == b and c == d")),
    "an unknown tag": ("choices", lambda t: _task(t, "by-flag").update(when="{{tasks.zz.status}} == a")),
    "no template": ("choices", lambda t: _task(t, "needs").update(template="gone")),
    "a name with a dot": ("choices", lambda t: _task(t, "needs").update(name="needs.it")),
    "an unknown field": ("choices", lambda t: _task(t, "needs").update(retries=3)),
    "items of YAML that are none": ("loops", lambda t: _task(t, "each").update(withItems=[], withParam="")),
    "items that are no list": ("loops", lambda t: _task(t, "each").update(withParam="a,b")),
    "no parallelism": ("loops", lambda t: _template(t, "Loop-circuits").update(parallelism=0)),
    "a deadline of nothing": ("loops", lambda t: t["spec"].update(activeDeadlineSeconds=0)),
    "a list as a value": ("loops", lambda t: _task(t, "sum")["arguments"]["parameters"][0].update(value=["a"])),
    "a number in args": ("chain", lambda t: _template(t, "data")["container"]["args"].append(3)),
    "no command": ("chain", lambda t: _template(t, "data")["container"].pop("command")),
    "no volume": ("chain", lambda t: _template(t, "data").pop("volumes")),
    "no token for Argo": ("chain", lambda t: t["spec"].update(automountServiceAccountToken=False)),
    "the old mutex": ("tuned", lambda t: _template(t, "tune").update(synchronization={"mutex": {"name": "x"}})),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_the_checks_above_would_see(name):
    example, change = BROKEN[name]
    template = copy.deepcopy(render_argo(EXAMPLES[example]()).documents[0])
    change(template)
    text = yaml_text.dump(template)
    assert lint(text) is not None or traps(text)


# --------------------------------------------------------------------------------------------------------- hostile text


def test_no_text_of_ours_holds_what_argo_would_fill_in():
    tags = re.compile(r"\{\{(?!inputs\.parameters\.[\w-]+\}\}|=|tasks\.|workflow\.|item)")
    for text in texts_of(render_argo(EXAMPLES["hostile"]()).documents):
        assert not tags.search(text)


@pytest.mark.parametrize("text", [text for text in HOSTILE if "{{" in text])
@pytest.mark.parametrize("place", ["parameter", "item", "field"])
def test_braces_are_refused_where_nothing_can_protect_them(text, place):
    work = step(inputs={"x": "${parameters.x}"}, env={"A": "b"})
    item = {"parameters": {"x": ""}, "loops": {"all": {"items": [text]}}}
    pipelines: dict[str, Callable[[], Pipeline]] = {
        "parameter": lambda: argo({"work": work}, parameters={"x": text}),
        "item": lambda: argo({"work": {**work, "for_each": "all", "inputs": {"x": "${item}"}}}, **item),
        "field": lambda: argo(
            {"work": {**work, "for_each": "all", "inputs": {"x": "${item.a}"}}}, loops={"all": {"items": [{"a": text}]}}
        ),
    }
    with pytest.raises(RenderError, match=re.escape("must not hold '{{'")):
        render_argo(pipelines[place]())


@pytest.mark.parametrize("text", ["$(HOME)", "$$"])
def test_what_kubernetes_would_replace_is_refused_in_a_default(text):
    with pytest.raises(RenderError, match="Kubernetes replaces"):
        render_argo(argo({"work": step(inputs={"x": "${parameters.x}"})}, parameters={"x": text}))


def test_a_control_character_that_argo_cannot_hand_on_is_refused_in_a_default():
    with pytest.raises(RenderError, match="control character"):
        render_argo(argo({"work": step(inputs={"x": "${parameters.x}"})}, parameters={"x": "a\x7f"}))


# ----------------------------------------------------------------------------------------------------------- tune steps


def test_a_tune_step_runs_the_launcher_with_its_experiment():
    container = template_of(EXAMPLES["tuned"](), "tune")["container"]
    tuning = tuning_of(EXAMPLES["tuned"]().node("tune"))
    experiment, run_id, best, *rest = container["args"]
    assert container["command"] == ["python", "-m", "kftune.launcher"]
    assert run_id == "--run-id={{inputs.parameters.RUN_ID}}"
    assert best.removeprefix("--best=") == tuning.further["best"]
    assert rest == [
        "--value-circuit={{inputs.parameters.circuit}}",
        "--artifact-data=/kftune/inputs/data",
        "--share=/shared",
        *(f"--output-{name}=/kftune/outputs/{name.replace('.', '-')}" for name in OUTPUTS_OF_TUNE),
        "--executor-output=/kftune/outputs/executor-output",
    ]
    assert json.loads(experiment.removeprefix("--experiment=")) == tuning.object


@pytest.mark.parametrize(("delete", "told"), [("never", []), ("succeeded", ["--delete=succeeded"])])
def test_the_launcher_deletes_its_experiment_only_when_the_step_says_so(delete, told):
    node = EXAMPLES["tuned"]().node("tune")
    node = replace(node, step=node.step.replace(delete=delete))
    line = tuning_of(node).command("{}", "run", defaultdict(str))
    assert [token for token in line if token.startswith("--delete")] == told


OUTPUTS_OF_TUNE = ["best.kind", "best.momentum", "best.optimizer.lr", "best_trial", "objective", "metrics", "report"]


def test_two_runs_do_not_search_the_same_study_at_once_but_the_items_of_a_loop_do():
    pipeline = EXAMPLES["tuned"]()
    assert template_of(pipeline, "tune")["synchronization"] == {"mutexes": [{"name": "kftune-toy"}]}
    assert "synchronization" not in template_of(pipeline, "tune-each")


def test_each_tuning_of_a_run_has_a_name_of_its_own_which_a_retry_keeps():
    pipeline = EXAMPLES["tuned"]()
    identities = [
        argument["value"]
        for name, dag in (("tune", "Pipeline"), ("tune-each", "Body-circuits"), ("tune-name", "Body-names"))
        for argument in task_of(pipeline, name, dag)["arguments"]["parameters"]
        if argument["name"] == "RUN_ID"
    ]
    assert identities == [
        "{{workflow.uid}}.tune",
        "{{workflow.uid}}.tune-each.{{inputs.parameters.ITEM-KEY}}",
        "{{workflow.uid}}.tune-name.{{inputs.parameters.ITEM-KEY}}",
    ]
    each = task_of(pipeline, "each", "Loop-circuits")
    assert {"name": "ITEM-KEY", "value": "{{item.item-number}}"} in each["arguments"]["parameters"]
    assert [item["item-number"] for item in json.loads(each["withParam"])] == ["0", "1"]


@pytest.mark.parametrize("text", [text for text in HOSTILE if "\0" not in text])
def test_what_the_launcher_puts_in_reaches_the_trial_byte_by_byte(text, tmp_path):
    tuning = tuning_of(EXAMPLES["tuned"]().node("tune"))
    (container,) = tuning.object["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]["containers"]
    container["args"] = [put_in(container["args"][0], {"circuit": text, "data": "/shared/@kftune:circuit@"})]
    job = substituted(tuning.object, {"kind": "adam", "momentum": "0.5", "optimizer.lr": "0.1"})
    stand_in(tmp_path, "python")
    arguments, _ = run_trial(job["spec"]["template"]["spec"]["containers"][0], tmp_path)
    assert arguments[:3] == ["train.py", "--data=/shared/@kftune:circuit@", f"--circuit={text}"]


def test_a_hyperparameter_of_the_run_has_its_mark_where_its_text_would_be():
    steps = {"tune": tune(image=IMAGE, values={"units": "${parameters.units}"})}
    pipeline = argo(steps, parameters={"units": 8})
    tuning = tuning_of(pipeline.node("tune"))
    (container,) = tuning.object["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]["containers"]
    assert " --units=@kftune:units@" in container["args"][0]
    assert "--value-units={{inputs.parameters.units}}" in template_of(pipeline, "tune")["container"]["args"]


# ----------------------------------------------------------------------------------------------------------------- size


def thousand(steps: int, items: int = 1000, **fields: Any) -> Pipeline:
    entries = [{"plant": f"P{index // 40:03d}", "circuit": f"CIRCUIT{index % 40:02d}"} for index in range(items)]
    members = {
        f"step-{number}": step(
            for_each="circuits", inputs={"plant": "${item.plant}", "circuit": "${item.circuit}"}, **fields
        )
        for number in range(steps)
    }
    return argo(members, loops={"circuits": {"items": entries, "parallel": 20}})


def test_a_loop_over_a_thousand_entities_stays_within_the_budgets():
    rendering = render_argo(thousand(4, retries=1))
    assert size_of(rendering.documents[0]) < 100_000
    assert lint(yaml_text.dump(rendering.documents[0])) is None
    assert not any("--server-side" in note for note in rendering.notes)


@pytest.mark.parametrize(
    ("pipeline", "message"),
    [
        (lambda: thousand(4, items=40_000), f"{MOST_RUN_BYTES} without a database; split the items"),
        (lambda: argo({f"s{n}": step() for n in range(220)}), "allows 200 templates .* split it into several"),
        (lambda: argo({"a": step(inputs={"x": "x" * 140_000})}), "131071 bytes, but has 140000; put it into a file"),
        (
            lambda: argo({"a": step()}, targets={"argo": {"annotations": {"note": "x" * 300_000}}}),
            "exceed 262144 bytes.* shorten",
        ),
        (
            lambda: argo({f"s{n}": step(inputs={"x": "x" * 100_000}) for n in range(20)}),
            "a run would have|stores at most",
        ),
    ],
)
def test_what_is_too_large_is_refused_with_a_way_to_split_it(pipeline, message):
    with pytest.raises(RenderError, match=message):
        render_argo(pipeline())


def test_what_plain_apply_could_not_store_is_said():
    rendering = render_argo(argo({f"s{n}": step(inputs={"x": "x" * 100_000}) for n in range(4)}))
    assert 262_144 < size_of(rendering.documents[0]) < MOST_BYTES
    assert any("kubectl apply --server-side" in note for note in rendering.notes)


# ------------------------------------------------------------------------------------------------------ what is refused


SKIPPING = {
    "ask": step(outputs={"go": "bool"}),
    "maybe": step(when="${steps.ask.outputs.go} == true", outputs={"x": "int"}),
}
PAIR = {"items": [1, 2]}


@pytest.mark.parametrize(
    ("pipeline", "message"),
    [
        (
            lambda: argo({"a": step(instance_count=2)}),
            "a step's own pod is on one node, but step 'a' has 2; set its job to",
        ),
        (lambda: argo({"a": step()}, defaults={}), "needs an image for step 'a'"),
        (lambda: argo({"tune": tune()}), "needs an image for kftune's launcher in step 'tune' .kftune images init"),
        (
            lambda: argo({"tune": step("tune", study=data(step={"module": "toy"}), image=IMAGE)}, defaults={}),
            "step 'tune', study 'toy': a cluster needs an image for the trials; set step.image of the study",
        ),
        (
            lambda: argo({"data": step("data"), "tune": tune(image=IMAGE, inputs={"d": "${steps.data.outputs.data}"})}),
            "on a volume with a claim; add one to volumes, and name it in share",
        ),
        (lambda: argo({"a": step(retries={"limit": 1, "backoff": 1, "factor": 1.5})}), "whole number .* set it to 2"),
        (
            lambda: argo(
                {"a": step(retries={"limit": 1, "backoff": 1, "max_backoff": 9})}, targets={"argo": {"version": "3.6"}}
            ),
            "Argo 3.6 has no maximum wait",
        ),
        (
            lambda: argo(
                {**SKIPPING, "b": step(inputs={"x": {"value": "${steps.maybe.outputs.x}", "default": 1}})},
                targets={"argo": {"version": "3.6"}},
            ),
            "Argo 3.6 has no defaults for outputs of skipped steps, which step 'b' needs",
        ),
        (
            lambda: argo(
                {
                    **SKIPPING,
                    "b": step(for_each="p", inputs={"x": "${steps.maybe.outputs.x}"}),
                    "c": step(for_each="p"),
                },
                loops={"p": PAIR},
            ),
            "in loop 'p' only step 'b' needs 'maybe'",
        ),
        (
            lambda: argo({"a": step()}, parameters={"x": {"type": "int"}}, schedule={"cron": "@daily"}),
            "needs a default for every parameter, but 'x' has none",
        ),
        (
            lambda: argo({"a": step(volumes=[{"name": "v", "mount": "/kftune/outputs", "empty_dir": True}])}),
            "choose another name and path",
        ),
        (lambda: argo({"a": step()}, parameters={"json": 1}), "reserves the name 'json'; rename the parameter"),
        (lambda: argo({"name": step()}), "reserves the name 'name'; rename the step"),
        (lambda: argo({"a": step(for_each="name")}, loops={"name": PAIR}), "reserves the name 'name'; rename the loop"),
        (
            lambda: argo({"a": step(working_dir="/{{workflow.name}}")}),
            r"container\.workingDir of step 'a' must not hold '{{'",
        ),
        (
            lambda: argo(
                {
                    "ask": SKIPPING["ask"],
                    "maybe": {**SKIPPING["maybe"], "outputs": {"x": "str"}},
                    "b": step(inputs={"x": {"value": "${steps.maybe.outputs.x}", "default": "{{workflow.name}}"}}),
                }
            ),
            "the default of x must not hold '{{'",
        ),
    ],
)
def test_what_argo_cannot_do_is_refused_with_a_way_that_works(pipeline, message):
    with pytest.raises(RenderError, match=message):
        render_argo(pipeline())


def test_older_versions_that_get_defaults_wrong_are_named():
    steps = {**SKIPPING, "b": step(inputs={"x": {"value": "${steps.maybe.outputs.x}", "default": 1}})}
    for version, fixed in (("3.7", "3.7.16"), ("4.0", "4.0.7")):
        notes = render_argo(argo(steps, targets={"argo": {"version": version}})).notes
        assert any(f"needs Argo {fixed} or newer" in note for note in notes)
    assert not any("or newer" in note for note in render_argo(argo(steps)).notes)


def test_an_unknown_target_is_answered_with_the_known_ones():
    with pytest.raises(UnknownNameError, match="did you mean 'argo'"):
        render_pipeline(argo(chain()), "argos")
    assert "argo" in PIPELINE_TARGETS


# --------------------------------------------------------------------------------------------------------- always alike


RENDER = """
import sys; sys.path.insert(0, sys.argv[1])
from argo_examples import EXAMPLES
from kftune import yaml_text
from kftune.render import render_pipeline
for make in EXAMPLES.values():
    rendering = render_pipeline(make(), "argo")
    sys.stdout.write(yaml_text.dump_all([*rendering.documents, *rendering.created]) + str(rendering.notes))
loaded = {"torch", "kfp", "kubernetes", "hera", "yaml"} & set(sys.modules)
assert loaded <= {"yaml"}, loaded
"""


def test_the_bytes_are_the_same_in_another_process_whatever_its_hash_seed():
    texts = {
        subprocess.run(
            [sys.executable, "-c", RENDER, str(SUPPORT)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "4711")
    }
    assert len(texts) == 1


def test_a_rendering_shares_nothing_with_the_pipeline_or_another_rendering():
    pipeline = EXAMPLES["everyday"]()
    first = render_argo(pipeline)
    before = copy.deepcopy(first.documents)
    other = render_argo(pipeline)
    for document in (*other.documents, *other.created, *first.created):
        document["metadata"].clear()
        for name in ("arguments", "templates"):
            document["spec"].get(name, {}).clear()
    assert first.documents == before


def test_a_study_is_rendered_without_the_code_for_pipelines():
    code = (
        "import sys; from kftune.render import render; from kftune.study import load_study; "
        "render(load_study(sys.argv[1])); "
        "assert not {'kftune.pipeline', 'kftune.render.argo'} & set(sys.modules)"
    )
    study = ROOT / "pipelines" / "circuits" / "study.yaml"
    subprocess.run([sys.executable, "-c", code, study], check=True)
