"""Steps on several nodes: what the targets render, and what they refuse."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pipeline_examples import pipeline, step, tune

from kftune.errors import KftuneError, RenderError
from kftune.katib.crd.objects import judge_object
from kftune.pipeline import Pipeline
from kftune.render import render_pipeline
from kftune.render.jobs import job_of

JOB = {"kind": "PyTorchJob", "launcher": "registry.example/launcher:1", "resources": {"cpu": "100m"}}
SHARED = {"name": "shared", "claim": "shared", "mount": "/shared"}
TRAIN: dict[str, Any] = {
    "image": "registry.example/train:1",
    "hparams": "study_examples:Toy",
    "inputs": {"data": "${steps.data.outputs.data}", "remark": "a $b"},
    "outputs": {"model": "model", "loss": "float", "metrics": "metrics"},
    "env": {"NCCL_DEBUG": "INFO"},
    "secrets": {"TOKEN": {"name": "hub", "key": "token"}},
    "resources": {"nodes": 3, "procs_per_node": 2, "gpu": 2, "cpu": 8},
    "queue": "gpus",
    "labels": {"team": "vision"},
    "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
    "service_account": "runner",
    "shared_memory": "8Gi",
    "job": JOB,
    "volumes": [SHARED, {"name": "cache", "mount": "/cache", "empty_dir": True}],
    "share": "shared",
}
KINDS = ("PyTorchJob", "TrainJob")


def made(**fields: Any) -> Pipeline:
    train = {**TRAIN, **fields}
    train = {name: value for name, value in step("train", **train).items() if value is not None}
    return pipeline({"data": step("data", image="registry.example/data:1"), "train": train})


def job(kind: str = "PyTorchJob", **fields: Any) -> dict[str, Any]:
    return job_of(made(job={**JOB, "kind": kind, **fields}).node("train"), "toy").object


def template(**fields: Any) -> dict[str, Any]:
    """The Argo template of the step."""
    spec = render_pipeline(made(**fields), "argo").documents[0]["spec"]
    (found,) = (each for each in spec["templates"] if each["name"] == "train")
    return dict(found)


@pytest.mark.parametrize("kind", KINDS)
def test_the_api_server_stores_the_object_and_drops_nothing(kind):
    verdict = judge_object(job(kind), name="toy-train-0123456789")
    assert verdict.stored
    assert verdict.applied


def test_a_pytorchjob_has_the_programs_settings_on_every_node():
    spec = job()["spec"]
    assert {name: replica["replicas"] for name, replica in spec["pytorchReplicaSpecs"].items()} == {
        "Master": 1,
        "Worker": 2,
    }
    for replica in spec["pytorchReplicaSpecs"].values():
        pod = replica["template"]["spec"]
        (container,) = pod["containers"]
        assert container["image"] == "registry.example/train:1"
        assert {"name": "NCCL_DEBUG", "value": "INFO"} in container["env"]
        assert container["resources"]["limits"] == {"cpu": "8", "nvidia.com/gpu": "2"}
        assert {mount["mountPath"] for mount in container["volumeMounts"]} == {"/shared", "/cache", "/dev/shm"}
        assert pod["automountServiceAccountToken"] is False
        assert replica["template"]["metadata"]["labels"] == {"team": "vision", "kftune.io/job-type": "training"}
        (script,) = container["args"]
        assert script.startswith("torchrun --nnodes=3 --nproc_per_node=2 -m toy --data=@kftune:data@ '--remark=a $$b' ")
        assert script.endswith(
            "--model=@kftune:model@ --loss=@kftune:loss@ --metrics=@kftune:metrics@ "
            "--executor-output=@kftune:executor-output@"
        )
    assert job()["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "gpus"


def test_what_only_katib_forbids_in_a_pod_is_allowed_on_the_nodes_of_a_step():
    helper = {"name": "proxy", "image": "registry.example/proxy:1", "restartPolicy": "Always"}
    logs = {"name": "metrics-volume", "mount": "/var/log/katib", "empty_dir": True}
    given = {"pod": {"hostPID": True, "initContainers": [helper]}, "volumes": [SHARED, logs]}
    found = job_of(made(**given).node("train"), "toy").object
    pod = found["spec"]["pytorchReplicaSpecs"]["Master"]["template"]["spec"]
    assert pod["hostPID"] is True
    assert pod["initContainers"] == [helper]
    assert {"name": "metrics-volume", "mountPath": "/var/log/katib"} in pod["containers"][0]["volumeMounts"]


def test_a_trainjob_names_its_runtime_of_the_namespace():
    spec = job("TrainJob", runtime="team-torch", runtime_kind="TrainingRuntime")["spec"]
    assert spec["runtimeRef"] == {"name": "team-torch", "kind": "TrainingRuntime"}
    assert (spec["trainer"]["numNodes"], spec["trainer"]["numProcPerNode"]) == (3, 2)


def test_the_nodes_have_an_account_of_their_own():
    pod = job(service_account="reader")["spec"]["pytorchReplicaSpecs"]["Master"]["template"]["spec"]
    assert pod["serviceAccountName"] == "reader"
    assert template()["serviceAccountName"] == "runner"


def test_the_steps_own_pod_runs_the_launcher_and_needs_nothing_of_the_nodes():
    found = template()
    container = found["container"]
    assert container["image"] == "registry.example/launcher:1"
    assert container["command"] == ["python", "-m", "kftune.launcher"]
    assert container["resources"] == {"requests": {"cpu": "100m"}, "limits": {"cpu": "100m"}}
    assert "env" not in container
    assert {mount["mountPath"] for mount in container["volumeMounts"]} == {"/shared", "/kftune/outputs"}
    assert "tolerations" not in found
    assert found["metadata"]["labels"] == {"team": "vision", "kftune.io/job-type": "training"}


def test_the_launcher_gets_what_only_the_run_knows_and_writes_all_outputs():
    args = template()["container"]["args"]
    flags = [token.partition("=")[0] for token in args]
    assert [flag for flag in flags if flag.startswith("--output-")] == [
        "--output-model",
        "--output-loss",
        "--output-metrics",
    ]
    assert {"--job", "--run-id", "--artifact-data", "--share", "--executor-output"} <= {*flags}
    assert [flag for flag in flags if flag.startswith("--value-")] != []
    assert "--value-remark" not in flags
    written = json.loads(args[flags.index("--job")].partition("=")[2])
    assert written == job(resources=JOB["resources"])


def test_kfp_runs_the_same_launcher_with_the_same_object():
    spec, platform = render_pipeline(made(), "kfp").documents
    container = spec["deploymentSpec"]["executors"]["exec-train"]["container"]
    assert container["image"] == "registry.example/launcher:1"
    line = [*container.get("command", []), *container.get("args", [])]
    assert "kftune.launcher" in line
    inputs = spec["root"]["dag"]["tasks"]["train"]["inputs"]["parameters"]
    assert json.loads(inputs["experiment"]["runtimeValue"]["constant"]) == job()
    (mount,) = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]["exec-train"]["pvcMount"]
    assert (mount["constant"], mount["mountPath"]) == ("shared", "/shared")


def test_kfp_takes_settings_of_the_nodes_that_its_own_tasks_lack():
    fields = {"host_network": True, "security": {"capabilities": {"add": ["IPC_LOCK"]}}, "working_dir": "/work"}
    assert render_pipeline(made(**fields), "kfp").documents
    with pytest.raises(RenderError, match="KFP"):
        render_pipeline(made(**fields, resources={"nodes": 1}), "kfp")


def test_in_a_loop_each_item_has_its_own_job():
    train = step("train", **{**TRAIN, "inputs": {"data": "${item}"}}, for_each="all")
    looped = pipeline({"train": train}, loops={"all": {"items": ["a", "b"]}})
    spec = render_pipeline(looped, "argo").documents[0]["spec"]
    assert "{{workflow.uid}}.train.{{inputs.parameters.ITEM-KEY}}" in json.dumps(spec)
    assert "item" in json.dumps(render_pipeline(looped, "kfp").documents)


def test_the_notes_name_the_rights_of_each_kind():
    notes = render_pipeline(made(), "argo").notes
    assert any("create, delete and get on pytorchjobs (kubeflow.org)" in note for note in notes)
    assert not any("Kueue admits the pods of steps" in note for note in notes)
    notes = render_pipeline(made(job={**JOB, "kind": "TrainJob"}), "kfp").notes
    assert any("create, delete and get on trainjobs (trainer.kubeflow.org)" in note for note in notes)


def test_one_node_needs_no_launcher():
    container = template(resources={"nodes": 1})["container"]
    assert container["image"] == "registry.example/train:1"
    assert "kftune.launcher" not in container["command"]


@pytest.mark.parametrize("target", ["argo", "kfp"])
@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"job": None}, "step 'train' has 3; set its job to what runs it on several"),
        ({"share": None}, "share data with it only on a volume with a claim"),
        ({"image": None}, "a cluster needs an image for step 'train'"),
        ({"module": None, "command": ["./train.sh"]}, "torchrun starts several training processes only for"),
        (
            {"job": {**JOB, "kind": "TrainJob"}, "priority_class": "high"},
            "a TrainJob cannot set priority_class.* or set job.kind to PyTorchJob",
        ),
        (
            {"job": {**JOB, "kind": "TrainJob"}, "working_dir": "/w"},
            "step 'train': a TrainJob has no working directory",
        ),
        (
            {"job": {**JOB, "kind": "TrainJob", "runtime": "deepspeed-distributed"}},
            "set job.runtime to another one",
        ),
        ({"job": {**JOB, "kind": "TrainJob"}, "env": {"PET_NNODES": "2"}}, "Trainer sets PET_NNODES"),
    ],
)
def test_what_cannot_run_on_several_nodes_is_refused_with_a_way_that_works(target, fields, told):
    with pytest.raises(KftuneError, match=told):
        render_pipeline(made(**fields), target)


def test_the_launcher_of_a_tune_step_and_the_exit_step_run_on_one_node():
    tuned = tune(image="registry.example/launcher:1", resources={"nodes": 2})
    with pytest.raises(RenderError, match="set it for the trials, in the study's step"):
        render_pipeline(pipeline({"tune": tuned}), "argo")
    last = {"command": ["a"], "image": "registry.example/a:1", "instance_count": 2}
    with pytest.raises(RenderError, match="the exit step runs on one node"):
        render_pipeline(pipeline({"a": step(image="registry.example/a:1")}, exit=last), "kfp")


def test_images_of_the_project_are_resolved_in_a_job_too():
    resolved = made(job={**JOB, "launcher": "images/launcher"}).with_images(
        lambda image: image.replace("images/", "r/")
    )
    step_of_plan = resolved.node("train").step
    assert step_of_plan.job is not None
    assert step_of_plan.job.launcher == "r/launcher"
