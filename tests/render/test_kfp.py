"""A pipeline on KFP: what kfp's own compiler makes of it, read back through KFP's own messages."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from google.protobuf import json_format
from kfp.kubernetes import kubernetes_executor_config_pb2
from kfp.pipeline_spec import pipeline_spec_pb2
from pipeline_examples import chain, pipeline, step, tune
from places import CIRCUITS

from kftune.errors import RenderError
from kftune.pipeline import FixedValue, Pipeline, load_pipeline
from kftune.render.kfp import render_kfp, render_kfp_objects

CIRCUITS = CIRCUITS / "pipeline.yaml"
IMAGE = {"defaults": {"image": "registry.example/toy:1"}}


def rendered(steps: dict[str, Any], **sections: Any) -> Pipeline:
    return pipeline(steps, **{**IMAGE, **sections})


def spec_of(made: Pipeline) -> dict[str, Any]:
    return render_kfp(made).documents[0]


def tasks_of(spec: dict[str, Any], component: str | None = None) -> dict[str, Any]:
    part = spec["root"] if component is None else spec["components"][component]
    return part["dag"]["tasks"]  # type: ignore[no-any-return]


def container_of(spec: dict[str, Any], name: str) -> dict[str, Any]:
    return spec["deploymentSpec"]["executors"][f"exec-{name}"]["container"]  # type: ignore[no-any-return]


def value_step(**fields: Any) -> dict[str, Any]:
    return step(outputs={"value": "float", "words": "list"}, **fields)


LOOP = {"loops": {"circuit": {"items": [{"name": "a", "epochs": 3}, {"name": "b", "epochs": 5}], "parallel": 2}}}
PIPELINES: dict[str, Pipeline] = {
    "circuits": load_pipeline(CIRCUITS),
    "chain": rendered(chain()),
    "loop": rendered(
        {
            "train": step(
                for_each="circuit",
                inputs={"circuit": "${item.name}", "epochs": "${item.epochs}"},
                outputs={"loss": "float", "model": "model"},
            ),
            "register": step(
                for_each="circuit",
                when="${steps.train.outputs.loss} < ${parameters.most}",
                inputs={"model": "${steps.train.outputs.model}"},
            ),
            "summary": step(inputs={"losses": "${steps.train.outputs.loss}"}),
        },
        parameters={"most": 0.5},
        **LOOP,
    ),
    "dynamic loop": rendered(
        {
            "list": step(outputs={"names": "list"}),
            "each": step(for_each="name", inputs={"name": "${item}"}),
            "end": step(after=["each"]),
        },
        loops={"name": {"items": "${steps.list.outputs.names}"}},
    ),
    "conditions": rendered(
        {
            "probe": value_step(),
            "maybe": value_step(when="${steps.probe.outputs.value} > 1"),
            "same": step(inputs={"value": "${steps.maybe.outputs.value}"}),
            "other": step(
                inputs={
                    "value": {"value": "${steps.maybe.outputs.value}", "default": 2},
                    "words": {"value": "${steps.maybe.outputs.words}", "default": ["x"]},
                }
            ),
        }
    ),
    "exit": rendered(
        {"work": step()},
        parameters={"count": 3},
        exit={"module": "toy", "inputs": {"status": "${run.status}", "count": "${parameters.count}"}},
        timeout="3h",
    ),
    "settings": rendered(
        {
            "work": step(
                resources={"cpu": "1.5", "memory": "1.5Gi", "gpu": 2, "gpu_type": "A100", "procs_per_node": 2},
                env={"A": "$(B) 1"},
                secrets={"TOKEN": {"name": "tokens", "key": "hub"}},
                config_maps={"PLACE": {"name": "places", "key": "here"}},
                volumes=[
                    {"name": "data", "mount": "/data", "claim": "readings"},
                    {"name": "fast", "mount": "/fast", "empty_dir": True, "size_limit": "1Gi"},
                    {"name": "settings", "mount": "/settings", "config_map": "settings"},
                    {"name": "keys", "mount": "/keys", "secret": "keys"},
                ],
                node_selector={"disk": "ssd"},
                tolerations=[{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
                retries={"limit": 3, "backoff": "10s", "factor": 3, "max_backoff": "5m"},
                timeout="90m",
                cache=False,
            )
        }
    ),
}


@pytest.fixture(params=PIPELINES)
def made(request: pytest.FixtureRequest) -> Pipeline:
    return PIPELINES[request.param]


# -- KFP's own messages take it ----------------------------------------------------------------------------------


def test_kfp_reads_every_field_back(made):
    documents = render_kfp(made).documents
    spec = json_format.ParseDict(documents[0], pipeline_spec_pb2.PipelineSpec())
    config = json_format.ParseDict(
        json_format.MessageToDict(spec.deployment_spec), pipeline_spec_pb2.PipelineDeploymentConfig()
    )
    assert set(config.executors) == {f"exec-{name}" for name in _container_names(documents[0])}
    platform = json_format.ParseDict(documents[1], pipeline_spec_pb2.PlatformSpec())
    for message in platform.platforms["kubernetes"].deployment_spec.executors.values():
        json_format.ParseDict(
            json_format.MessageToDict(message), kubernetes_executor_config_pb2.KubernetesExecutorConfig()
        )


def _container_names(spec: dict[str, Any]) -> list[str]:
    labels = [component.get("executorLabel", "") for component in spec["components"].values()]
    return [label.removeprefix("exec-") for label in labels if label]


def test_every_container_has_a_command_and_only_texts(made):
    for executor in spec_of(made)["deploymentSpec"]["executors"].values():
        container = executor["container"]
        assert container["command"]
        assert all(isinstance(text, str) for text in [*container["command"], *container.get("args", [])])


def test_every_argument_is_passed_explicitly(made):
    spec = spec_of(made)
    dags = [spec["root"]["dag"], *(part["dag"] for part in spec["components"].values() if "dag" in part)]
    for task in (task for dag in dags for task in dag["tasks"].values()):
        wanted = spec["components"][task["componentRef"]["name"]].get("inputDefinitions", {})
        given = task.get("inputs", {})
        of_loop = task.get("parameterIterator", {}).get("itemInput")
        for kind in ("parameters", "artifacts"):
            assert set(wanted.get(kind, {})) - {of_loop} == set(given.get(kind, {}))


def test_every_parameter_of_the_run_is_a_typed_input_with_default_and_description():
    circuits = PIPELINES["circuits"]
    inputs = spec_of(circuits)["root"]["inputDefinitions"]["parameters"]
    kinds = {"int": "NUMBER_INTEGER", "float": "NUMBER_DOUBLE", "bool": "BOOLEAN", "str": "STRING"}
    assert set(inputs) == set(circuits.run_parameters)
    for name, parameter in circuits.run_parameters.items():
        assert inputs[name]["parameterType"] == kinds[str(parameter.type)]
        assert inputs[name].get("defaultValue") == parameter.value
        assert inputs[name].get("description", "") == " ".join(parameter.description.split())
    assert any(name.startswith("train_") for name in inputs)


def test_the_command_line_renders_without_loading_a_client_and_leaves_that_of_kubernetes_whole():
    program = (
        "import sys; from pathlib import Path; from kftune.render.resolved import render_resolved; "
        "from kftune.pipeline import load_pipeline; "
        "render_resolved(load_pipeline(Path(sys.argv[1])), 'kfp'); "
        "print([name for name in ('kfp.client', 'kubernetes.client.models', 'google.auth') if name in sys.modules]); "
        "from kubernetes import client, config; import kubernetes.stream; "
        "print(client.V1Pod(kind='Pod').kind, client.__spec__.loader is client.__loader__, type(client).__name__); "
        "print(config.load_kube_config.__name__, callable(kubernetes.stream.stream))"
    )
    done = subprocess.run([sys.executable, "-c", program, CIRCUITS], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "Pod True module", "load_kube_config True"]


def test_a_render_is_the_same_bytes_whatever_the_hash_seed():
    program = (
        "import json, sys; from pathlib import Path; from kftune.pipeline import load_pipeline; "
        "from kftune.render.kfp import render_kfp_objects; "
        "print(json.dumps(render_kfp_objects(load_pipeline(Path(sys.argv[1]))).documents))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program, str(CIRCUITS)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1


# -- edges -------------------------------------------------------------------------------------------------------


def test_a_step_takes_what_others_write_and_its_command_line_has_one_token_each():
    spec = spec_of(PIPELINES["chain"])
    assert tasks_of(spec)["train"]["inputs"]["artifacts"]["data"]["taskOutputArtifact"] == {
        "producerTask": "data",
        "outputArtifactKey": "data",
    }
    container = container_of(spec, "evaluate")
    assert container["command"][:2] == ["sh", "-c"]
    assert container["args"] == [
        "sh",
        "{{$.inputs.parameters['executor_output']}}",
        "{{$.outputs.artifacts['metrics'].path}}",
        "--executor-output=",
        "python",
        "-m",
        "toy",
        "--model={{$.inputs.artifacts['model'].path}}",
        "--metrics={{$.outputs.artifacts['metrics'].path}}",
        "--val_loss={{$.outputs.parameters['val_loss'].output_file}}",
    ]
    given = tasks_of(spec)["evaluate"]["inputs"]["parameters"]["executor_output"]["runtimeValue"]
    assert given == {"constant": "{{$.outputs.output_file}}"}


def test_what_a_classifier_is_judged_by_is_an_artifact_that_kfps_page_draws():
    judged = step(kind="evaluate", outputs={"judged": "classification_metrics"}, inputs={"days": 3})
    spec = spec_of(rendered({"judge": judged}))
    outputs = spec["components"]["comp-judge"]["outputDefinitions"]["artifacts"]
    assert outputs["judged"]["artifactType"]["schemaTitle"] == "system.ClassificationMetrics"
    assert container_of(spec, "judge")["args"][2] == "{{$.outputs.artifacts['judged'].path}}"


def test_the_notes_on_a_tune_step_name_it_and_the_rights_that_it_needs():
    notes = render_kfp(load_pipeline(CIRCUITS, ["steps.tune.delete=always"])).notes
    rights = "its service account needs create, delete, get and patch on experiments"
    assert any(note.startswith(f"tune: {rights}") for note in notes)
    assert any(note.startswith("tune: Katib repeats the points of a seed only with parallel: 1") for note in notes)


def test_items_of_a_loop_are_texts_with_the_loops_own_limit():
    spec = spec_of(PIPELINES["loop"])
    (loop,) = (task for task in tasks_of(spec).values() if "parameterIterator" in task)
    assert json.loads(loop["parameterIterator"]["items"]["raw"]) == [
        {"name_value": "a", "epochs": "3"},
        {"name_value": "b", "epochs": "5"},
    ]
    assert loop["iteratorPolicy"] == {"parallelismLimit": 2}
    summary = spec["components"]["comp-summary"]["inputDefinitions"]["parameters"]["losses"]
    assert summary["parameterType"] == "LIST"


def test_a_condition_inside_a_loop_stays_inside_of_it():
    spec = spec_of(PIPELINES["loop"])
    (loop,) = (task for task in tasks_of(spec).values() if "parameterIterator" in task)
    inner = tasks_of(spec, loop["componentRef"]["name"])
    (condition,) = (task["triggerPolicy"]["condition"] for task in inner.values() if "triggerPolicy" in task)
    assert condition == (
        "inputs.parameter_values['pipelinechannel--train-loss'] < inputs.parameter_values['pipelinechannel--most']"
    )


def test_a_step_may_wait_for_a_loop():
    tasks = tasks_of(spec_of(PIPELINES["dynamic loop"]))
    (loop,) = (name for name, task in tasks.items() if "parameterIterator" in task)
    assert tasks["end"]["dependentTasks"] == [loop]


def test_who_takes_from_a_skipped_step_is_skipped_and_a_default_comes_from_the_other_branch():
    spec = spec_of(PIPELINES["conditions"])
    (branches,) = (name for name in spec["components"] if name.startswith("comp-condition-branches"))
    inner = tasks_of(spec, branches)
    (chosen,) = (task for task in inner.values() if not task["triggerPolicy"]["condition"].startswith("!"))
    (other,) = (task for task in inner.values() if task["triggerPolicy"]["condition"].startswith("!"))
    assert set(tasks_of(spec, chosen["componentRef"]["name"])) == {"maybe", "same"}
    defaults = tasks_of(spec, other["componentRef"]["name"]).values()
    texts = [task["inputs"]["parameters"]["text"]["runtimeValue"]["constant"] for task in defaults]
    assert sorted(texts) == ["2.0", '["x"]']
    assert "other" in tasks_of(spec)


def test_the_writer_of_a_default_writes_the_very_text(tmp_path):
    container = next(
        executor["container"]
        for name, executor in spec_of(PIPELINES["conditions"])["deploymentSpec"]["executors"].items()
        if name.endswith("default")
    )
    path = tmp_path / "deep" / "value"
    argv = [*container["command"], *container["args"]]
    values = {
        "{{$.inputs.parameters['text']}}": "a 'b' $c\n",
        "{{$.outputs.parameters['value'].output_file}}": str(path),
    }
    subprocess.run([values.get(token, token) for token in argv], check=True)
    assert path.read_text() == "a 'b' $c\n"


@pytest.mark.parametrize(
    ("told", "word"),
    [
        ({"state": "SUCCEEDED", "error": {}}, "Succeeded"),
        ({"state": "FAILED", "error": {"message": "not SUCCEEDED"}}, "Failed"),
        ({"state": "CANCELLED"}, "Failed"),
    ],
)
@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
def test_the_exit_step_gets_one_word_for_how_the_run_ended(told, word, separators):
    container = container_of(spec_of(PIPELINES["exit"]), "exit")
    argv = [*container["command"], *container["args"]]
    show = [sys.executable, "-c", "import sys; print(sys.argv[1:])"]
    start = argv.index("python")
    argv[start : start + 3] = show
    values = {"{{$.inputs.parameters['status']}}": json.dumps(told, separators=separators)}
    run = subprocess.run([values.get(token, token) for token in argv], check=True, capture_output=True, text=True)
    assert run.stdout.strip() == str(["--count={{$.inputs.parameters['count']}}", f"--status={word}"])


# -- the tune step -----------------------------------------------------------------------------------------------


def test_the_tune_step_runs_the_launcher_with_an_experiment_that_survives_the_way():
    spec = spec_of(PIPELINES["circuits"])
    task = tasks_of(spec)["tune"]
    text = task["inputs"]["parameters"]["experiment"]["runtimeValue"]["constant"]
    assert "$" not in text
    assert "{{" not in text
    experiment = json.loads(text)
    assert experiment["kind"] == "Experiment"
    assert "${trialParameters." in json.dumps(experiment)
    assert not task["cachingOptions"]
    run_id = task["inputs"]["parameters"]["run_id"]["runtimeValue"]["constant"]
    assert run_id == "{{$.pipeline_job_uuid}}"
    container = container_of(spec, "tune")
    assert container["args"][4:7] == ["python", "-m", "kftune.launcher"]
    assert "--run-id={{$.inputs.parameters['run_id']}}/tune" in container["args"]


def test_the_train_step_takes_each_best_value_with_its_type():
    spec = spec_of(PIPELINES["circuits"])
    given = tasks_of(spec)["train"]["inputs"]["parameters"]["learning_rate"]["taskOutputParameter"]
    assert given == {"producerTask": "tune", "outputParameterKey": "best_learning_rate"}
    output = spec["components"]["comp-tune"]["outputDefinitions"]["parameters"]["best_learning_rate"]
    assert output["parameterType"] == "NUMBER_DOUBLE"


# -- settings ----------------------------------------------------------------------------------------------------


def test_settings_of_a_step_are_those_of_its_task():
    spec, platform = render_kfp(PIPELINES["settings"]).documents
    container = container_of(spec, "work")
    resources = container["resources"]
    assert resources["resourceCpuRequest"] == resources["resourceCpuLimit"] == "1.5"
    assert resources["resourceMemoryLimit"] == str(3 * 2**29)
    assert (resources["accelerator"]["resourceType"], resources["accelerator"]["resourceCount"]) == (
        "nvidia.com/gpu",
        "2",
    )
    assert container["env"] == [{"name": "A", "value": "$$(B) 1"}]
    assert container["command"] == ["torchrun"]
    task = tasks_of(spec)["work"]
    assert task["retryPolicy"] == {
        "maxRetryCount": 3,
        "backoffDuration": "10s",
        "backoffFactor": 3.0,
        "backoffMaxDuration": "300s",
    }
    assert task["cachingOptions"] == {}
    executor = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]["exec-work"]
    assert executor["activeDeadlineSeconds"] == "5400"
    assert executor["securityContext"] == {"runAsNonRoot": True}
    assert executor["nodeSelector"]["labels"] == {"disk": "ssd", "nvidia.com/gpu.product": "A100"}
    assert executor["secretAsEnv"][0]["keyToEnv"] == [{"secretKey": "hub", "envVar": "TOKEN"}]
    assert executor["configMapAsEnv"][0]["keyToEnv"] == [{"configMapKey": "here", "envVar": "PLACE"}]
    assert executor["pvcMount"][0]["mountPath"] == "/data"
    assert executor["emptyDirMounts"][0]["sizeLimit"] == "1Gi"
    assert executor["tolerations"][0]["effect"] == "NoSchedule"
    assert {"secretAsVolume", "configMapAsVolume"} <= set(executor)


def test_a_longest_time_of_the_run_goes_out_where_kfp_has_it():
    platform = render_kfp(PIPELINES["exit"]).documents[1]["platforms"]["kubernetes"]
    assert platform["pipelineConfig"] == {"activeDeadlineSeconds": 10800}
    older = rendered({"work": step()}, timeout="3h", targets={"kfp": {"version": "2.16"}})
    rendering = render_kfp(older)
    assert "pipelineConfig" not in json.dumps(rendering.documents)
    assert any("timeout has no effect" in note for note in rendering.notes)


# -- objects -----------------------------------------------------------------------------------------------------


def test_a_version_is_named_by_all_that_it_holds():
    one, other = (rendered(chain(), parameters={"x": value}) for value in (1, 2))
    names = [render_kfp_objects(made).documents[1]["metadata"]["name"] for made in (one, one, other)]
    assert names[0] == names[1] != names[2]
    made_pipeline, version = render_kfp_objects(one).documents
    assert made_pipeline["metadata"]["name"] == version["spec"]["pipelineName"] == "toy"
    assert version["spec"]["pipelineSpec"] == render_kfp(one).documents[0]
    assert version["spec"]["platformSpec"] == render_kfp(one).documents[1]


def test_a_thousand_items_fit_and_are_noted():
    items = [{"name": f"PLANT{number:04}", "epochs": number} for number in range(1000)]
    made = rendered({"train": step(for_each="all", inputs={"name": "${item.name}"})}, loops={"all": {"items": items}})
    rendering = render_kfp(made)
    assert any("1000 items" in note for note in rendering.notes)


# -- what KFP cannot do ------------------------------------------------------------------------------------------

PROBE = value_step()
REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "a working directory": ({"work": step(working_dir="/x")}, {}, "WORKDIR"),
    "more than one node": ({"work": step(instance_count=2)}, {}, "on one node, but step 'work' has 2"),
    "no image": ({"work": step()}, {"defaults": {}}, "needs an image for step"),
    "braces in an argument": ({"work": step(args=["{{workflow.name}}"])}, {}, "'{{'"),
    "a variable in an argument": ({"work": step(args=["$(HOME)"])}, {}, "replaces"),
    "braces in a constant": ({"work": step(inputs={"x": "a {{b"})}, {}, "'{{'"),
    "braces in a default": ({"work": step(inputs={"x": "${parameters.p}"})}, {"parameters": {"p": "{{"}}, "'{{'"),
    "braces in a list": ({"work": step(inputs={"x": ["{{"]})}, {}, "'{{'"),
    "braces in a variable": ({"work": step(env={"A": "{{b"})}, {}, "'{{'"),
    "a number that is no double": (
        {"work": step(inputs={"x": "${parameters.p}"})},
        {"parameters": {"p": 2**53 + 1}},
        "doubles",
    ),
    "a number within a list that is no double": (
        {"work": step(inputs={"x": "${parameters.p}"})},
        {"parameters": {"p": [{"a": 2**53 + 1}]}},
        "doubles",
    ),
    "null within a default": (
        {"work": step(inputs={"x": "${parameters.p}"})},
        {"parameters": {"p": {"type": "dict", "default": {"a": [None]}}}},
        "not support null",
    ),
    "a read-only claim": (
        {"work": step(volumes=[{"name": "d", "mount": "/d", "claim": "c", "read_only": True}])},
        {},
        "read_only",
    ),
    "waiting for a skipped step": (
        {"probe": PROBE, "maybe": step(when="${steps.probe.outputs.value} > 1"), "next": step(after=["maybe"])},
        {},
        "cannot wait",
    ),
    "two reasons to skip": (
        {
            "probe": PROBE,
            "one": value_step(when="${steps.probe.outputs.value} > 1"),
            "two": value_step(when="${steps.probe.outputs.value} < 5"),
            "both": step(inputs={"a": "${steps.one.outputs.value}", "b": "${steps.two.outputs.value}"}),
        },
        {},
        "two independent reasons",
    ),
    "an artifact that may be missing": (
        {
            "probe": PROBE,
            "maybe": step(when="${steps.probe.outputs.value} > 1", outputs={"model": "model"}),
            "next": step(inputs={"model": {"value": "${steps.maybe.outputs.model}", "optional": True}}),
        },
        {},
        "cannot be missing",
    ),
    "numbers of items compared": (
        {"work": step(for_each="circuit", when="${item.epochs} > 3")},
        LOOP,
        "texts",
    ),
    "gathering what only some gave": (
        {
            "maybe": value_step(for_each="circuit", when="${item.name} == 'a'"),
            "all": step(inputs={"values": "${steps.maybe.outputs.value}"}),
        },
        LOOP,
        "cannot collect",
    ),
    "too large": ({"work": step(inputs={"x": "y" * 400_000})}, {}, "split the pipeline"),
    "no way for trials to see an artifact": (
        {
            "data": step("data"),
            "tune": tune(image="registry.example/l:1", inputs={"data": "${steps.data.outputs.data}"}),
        },
        {},
        "share",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_kfp_cannot_do_is_refused_with_a_way_out(case):
    steps, sections, word = REFUSED[case]
    made = rendered(steps, **sections)
    with pytest.raises(RenderError, match=word.replace("{", r"\{")):
        render_kfp(made)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2**60 + 1, "1152921504606846977"),
        (2.0, "2.0"),
        (1e-05, "1e-05"),
        (True, "true"),
        ([1, 2.0, None, "<&>"], '[1,2.0,null,"<&>"]'),
        ({"ü": 2**53 + 1}, '{"ü":9007199254740993}'),
    ],
)
def test_a_constant_is_passed_as_the_text_that_it_has_here_and_on_argo(value, text):
    made = rendered({"work": step(inputs={"x": {"value": value}})})
    spec = spec_of(made)
    assert tasks_of(spec)["work"]["inputs"]["parameters"]["x"]["runtimeValue"]["constant"] == text
    assert spec["components"]["comp-work"]["inputDefinitions"]["parameters"]["x"] == {"parameterType": "STRING"}
    assert made.node("work").arguments["x"].source == FixedValue(value, text)
