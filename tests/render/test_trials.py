"""The pods of trials, and the kinds of objects that run them."""

from __future__ import annotations

from typing import Any

import pytest
from render_examples import container_of, make_study

from kftune.errors import RenderError, StudyError
from kftune.render import render

STEP = {"image": "registry.example/plain:1", "module": "plain.train"}
RESTRICTED = {
    "runAsNonRoot": True,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
RICH: dict[str, Any] = {
    **STEP,
    "working_dir": "/src",
    "env": {"MODE": "fast", "N": 3},
    "secrets": {"TOKEN": {"name": "hub", "key": "token"}},
    "data": {"path": "data", "mount": "/data"},
    "resources": {"cpu": "500m", "memory": "1Gi", "gpu": 2, "gpu_type": "NVIDIA-A100-SXM4-80GB"},
    "node_selector": {"pool": "gpu"},
    "tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
    "service_account": "trainer",
    "grace_period": "90s",
    "volumes": [
        {"name": "data", "mount": "/data", "claim": "readings", "read_only": True},
        {"name": "conf", "mount": "/conf", "config_map": "conf"},
        {"name": "key", "mount": "/key", "secret": "key"},
        {"name": "shm", "mount": "/dev/shm", "empty_dir": True, "size_limit": "1Gi"},
        {"name": "tmp", "mount": "/scratch", "empty_dir": True},
    ],
}
ENV = [
    {"name": "KFTUNE_DATA", "value": "/data"},
    {"name": "MODE", "value": "fast"},
    {"name": "N", "value": "3"},
    {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "hub", "key": "token"}}},
]
AMOUNTS = {"cpu": "500m", "memory": "1Gi", "nvidia.com/gpu": "2"}
MOUNTS = [
    {"name": "data", "mountPath": "/data", "readOnly": True},
    {"name": "conf", "mountPath": "/conf"},
    {"name": "key", "mountPath": "/key"},
    {"name": "shm", "mountPath": "/dev/shm"},
    {"name": "tmp", "mountPath": "/scratch"},
]
VOLUMES = [
    {"name": "data", "persistentVolumeClaim": {"claimName": "readings", "readOnly": True}},
    {"name": "conf", "configMap": {"name": "conf"}},
    {"name": "key", "secret": {"secretName": "key"}},
    {"name": "shm", "emptyDir": {"sizeLimit": "1Gi"}},
    {"name": "tmp", "emptyDir": {}},
]
PLACEMENT = {
    "serviceAccountName": "trainer",
    "nodeSelector": {"pool": "gpu", "nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB"},
    "tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
    "terminationGracePeriodSeconds": 90,
}
ISTIO = {"annotations": {"sidecar.istio.io/inject": "false"}}
ARGUMENTS = "--lr=${trialParameters.lr} --units=${trialParameters.units} --dropout=${trialParameters.dropout}"


def template_of(step, kind="Job", **katib):
    study = make_study(step=step, katib={"trial_kind": kind, **katib}, budget={"trial_timeout": 90.5})
    return render(study).documents[0]["spec"]["trialTemplate"]


def test_a_job_has_all_that_a_step_says():
    spec = template_of(RICH)["trialSpec"]["spec"]
    container = {
        "name": "train",
        "image": "registry.example/plain:1",
        "command": ["sh", "-c"],
        "args": [f"python -m plain.train {ARGUMENTS}"],
        "workingDir": "/src",
        "env": ENV,
        "resources": {"requests": AMOUNTS, "limits": AMOUNTS},
        "volumeMounts": MOUNTS,
        "securityContext": RESTRICTED,
    }
    pod = {
        "restartPolicy": "Never",
        "activeDeadlineSeconds": 91,
        **PLACEMENT,
        "containers": [container],
        "volumes": VOLUMES,
    }
    assert spec == {"backoffLimit": 0, "template": {"metadata": ISTIO, "spec": pod}}


def test_a_plain_step_leaves_out_what_it_does_not_say():
    spec = template_of(STEP)["trialSpec"]["spec"]["template"]["spec"]
    assert set(spec) == {"restartPolicy", "activeDeadlineSeconds", "containers", "automountServiceAccountToken"}
    assert set(spec["containers"][0]) == {"name", "image", "command", "args", "securityContext"}
    assert spec["automountServiceAccountToken"] is False


def test_the_step_may_say_itself_where_its_data_is():
    container = container_of(
        render(make_study(step={**STEP, "data": {"mount": "/a"}, "env": {"KFTUNE_DATA": "/b"}})).documents[0]
    )
    assert container["env"] == [{"name": "KFTUNE_DATA", "value": "/b"}]


def test_a_pytorchjob_trains_on_several_nodes():
    step = {**RICH, "resources": {**RICH["resources"], "nodes": 3, "procs_per_node": 2}}
    template = template_of(step, "PyTorchJob")
    assert template["primaryContainerName"] == "pytorch"
    assert template["primaryPodLabels"] == {"training.kubeflow.org/job-role": "master"}
    assert template["successCondition"] == 'status.conditions.#(type=="Succeeded")#|#(status=="True")#'
    job = template["trialSpec"]
    assert (job["apiVersion"], job["kind"]) == ("kubeflow.org/v1", "PyTorchJob")
    spec = job["spec"]
    assert spec["runPolicy"] == {"backoffLimit": 0, "cleanPodPolicy": "Running"}
    assert spec["nprocPerNode"] == "2"
    replicas = spec["pytorchReplicaSpecs"]
    assert {name: replica["replicas"] for name, replica in replicas.items()} == {"Master": 1, "Worker": 2}
    assert replicas["Master"]["template"] == replicas["Worker"]["template"]
    pod = replicas["Master"]["template"]
    assert pod["metadata"] == ISTIO
    assert pod["spec"]["activeDeadlineSeconds"] == 91
    assert [container["name"] for container in pod["spec"]["containers"]] == ["pytorch"]
    assert pod["spec"]["containers"][0]["args"] == [
        f"torchrun --nnodes=3 --nproc_per_node=2 -m plain.train {ARGUMENTS}"
    ]
    assert pod["spec"]["volumes"] == VOLUMES


def test_retain_keeps_the_pods_of_a_pytorchjob():
    assert template_of(STEP, "PyTorchJob", retain=True)["trialSpec"]["spec"]["runPolicy"]["cleanPodPolicy"] == "None"


@pytest.mark.parametrize(
    ("kind", "note"),
    [
        ("TrainJob", "trial_timeout also counts the time that they wait for a node"),
        ("TrainJob", "Katib notices TrainJobs only if its katib-config lists"),
        ("TrainJob", "torch-distributed does it 6 times"),
        ("TrainJob", "cannot switch off the token"),
        ("TrainJob", "after trial_timeout Trainer deletes the pods, although retain is set"),
        ("PyTorchJob", "the operator adds an init container to each worker"),
    ],
)
def test_a_note_says_what_a_kind_does_otherwise(kind, note):
    study = make_study(
        step={**STEP, "resources": {"nodes": 2}},
        katib={"trial_kind": kind, "retain": True},
        budget={"trial_timeout": 90},
    )
    assert any(note in given for given in render(study).notes)


def test_a_trainjob_without_a_timeout_is_told_to_set_one():
    notes = render(make_study(step=STEP, katib={"trial_kind": "TrainJob"})).notes
    assert any("so set budget.trial_timeout" in note for note in notes)


@pytest.mark.parametrize(
    ("runtime", "kind", "reference"),
    [
        ("team.torch-2.9", None, {"name": "team.torch-2.9"}),
        ("jax-distributed", "ClusterTrainingRuntime", {"name": "jax-distributed"}),
        ("deepspeed-distributed", "TrainingRuntime", {"name": "deepspeed-distributed", "kind": "TrainingRuntime"}),
    ],
)
def test_a_trainjob_names_its_runtime_and_the_kind_of_it(runtime, kind, reference):
    katib = {"runtime": runtime, **({"runtime_kind": kind} if kind else {})}
    assert template_of(STEP, "TrainJob", **katib)["trialSpec"]["spec"]["runtimeRef"] == reference


@pytest.mark.parametrize(
    ("katib", "noted"),
    [
        ({}, False),
        ({"runtime": "xgboost-distributed"}, False),
        ({"runtime": "torch-team"}, True),
        ({"runtime_kind": "TrainingRuntime"}, True),
    ],
)
def test_a_note_says_what_a_runtime_must_be_that_trainer_does_not_install(katib, noted):
    notes = render(make_study(step=STEP, katib={"trial_kind": "TrainJob", **katib})).notes
    assert any("must run the training in its replicated job node" in note for note in notes) is noted


@pytest.mark.parametrize("runtime", ["Torch", "torch_2", "a..b", ".a", "a-", "x" * 254, "a\n"])
def test_the_name_of_a_runtime_is_a_dns_subdomain(runtime):
    with pytest.raises(StudyError, match="at most 253 lower-case letters"):
        make_study(step=STEP, katib={"trial_kind": "TrainJob", "runtime": runtime})


def test_a_trainjob_says_in_a_patch_of_its_runtime_what_it_has_no_fields_for():
    step = {**RICH, "working_dir": None, "resources": {**RICH["resources"], "nodes": 2, "procs_per_node": 2}}
    template = template_of(step, "TrainJob", runtime="torch-team")
    assert template["primaryContainerName"] == "node"
    assert template["primaryPodLabels"] == {
        "jobset.sigs.k8s.io/replicatedjob-name": "node",
        "batch.kubernetes.io/job-completion-index": "0",
    }
    patched = {"name": "node", "securityContext": RESTRICTED, "volumeMounts": MOUNTS}
    pod = {"metadata": ISTIO, "spec": {**PLACEMENT, "containers": [patched], "volumes": VOLUMES}}
    jobs = [{"name": "node", "template": {"spec": {"template": pod}}}]
    assert template["trialSpec"] == {
        "apiVersion": "trainer.kubeflow.org/v1alpha1",
        "kind": "TrainJob",
        "spec": {
            "runtimeRef": {"name": "torch-team"},
            "activeDeadlineSeconds": 91,
            "trainer": {
                "image": "registry.example/plain:1",
                "command": ["sh", "-c"],
                "args": [f"torchrun --nnodes=2 --nproc_per_node=2 -m plain.train {ARGUMENTS}"],
                "numNodes": 2,
                "numProcPerNode": 2,
                "env": ENV,
                "resourcesPerNode": {"requests": AMOUNTS, "limits": AMOUNTS},
            },
            "runtimePatches": [
                {
                    "manager": "kftune.io/render",
                    "trainingRuntimeSpec": {"template": {"spec": {"replicatedJobs": jobs}}},
                }
            ],
        },
    }


def test_a_trainjob_asks_only_for_what_the_api_server_keeps():
    # Source: trainer v2.3.0's CRD; whatever else a patch of a pod or of a container holds is dropped without a word.
    in_pod = {
        "serviceAccountName",
        "nodeSelector",
        "tolerations",
        "volumes",
        "containers",
        "terminationGracePeriodSeconds",
    }
    in_trainer = {"image", "command", "args", "env", "numNodes", "numProcPerNode", "resourcesPerNode"}
    spec = template_of({**RICH, "working_dir": None}, "TrainJob")["trialSpec"]["spec"]
    job = spec["runtimePatches"][0]["trainingRuntimeSpec"]["template"]["spec"]["replicatedJobs"][0]
    pod = job["template"]["spec"]["template"]["spec"]
    assert set(spec) <= {"runtimeRef", "activeDeadlineSeconds", "trainer", "runtimePatches"}
    assert set(spec["trainer"]) <= in_trainer
    assert set(pod) <= in_pod
    assert set(pod["containers"][0]) <= {"name", "env", "volumeMounts", "securityContext"}


@pytest.mark.parametrize(
    ("command", "started"),
    [
        (["python", "-m", "m", "x"], "torchrun --standalone --nproc_per_node=2 -m m x"),
        (["python3", "train.py"], "torchrun --standalone --nproc_per_node=2 train.py"),
        (["python", "-u", "train.py"], "torchrun --standalone --nproc_per_node=2 train.py"),
        (
            ["/opt/bin/python3.11", "train.py"],
            "/opt/bin/python3.11 -m torch.distributed.run --standalone --nproc_per_node=2 train.py",
        ),
        (["torchrun", "--nproc-per-node=2", "train.py"], "torchrun --nproc-per-node=2 train.py"),
    ],
)
def test_several_processes_on_one_node_are_started_by_torchrun(command, started):
    step = {"image": "i", "command": command, "resources": {"procs_per_node": 2}}
    study = make_study(step=step)
    assert container_of(render(study).documents[0])["args"] == [f"{started} {ARGUMENTS}"]
    assert any("report metrics from the first one (rank 0) only" in note for note in render(study).notes)


@pytest.mark.parametrize(
    "command", [["./train.sh"], ["python"], ["python", "-c", "1"], ["python", "-O", "x.py"], ["python", "-m"]]
)
def test_a_command_that_torchrun_cannot_start_is_refused(command):
    with pytest.raises(RenderError, match=r"'python -m MODULE' or 'python FILE.py', but the step's command is"):
        render(make_study(step={"image": "i", "command": command, "resources": {"procs_per_node": 2}}))


@pytest.mark.parametrize(
    ("step", "katib", "message"),
    [
        (
            {"resources": {"nodes": 2}},
            {},
            "a Job trains on one node, but resources.nodes=2; set targets.katib.trial_kind",
        ),
        ({}, {"trial_kind": "TrainJob", "version": "0.18"}, "Katib 0.18 does not watch TrainJobs"),
        (
            {"working_dir": "/x"},
            {"trial_kind": "TrainJob"},
            "a TrainJob has no working directory, but step.working_dir is",
        ),
        ({"env": {"PET_NNODES": 1}}, {"trial_kind": "TrainJob"}, "Trainer sets PET_NNODES and rejects"),
        *(
            ({}, {"trial_kind": "TrainJob", "runtime": runtime}, f"{runtime} starts it in launcher with MPI")
            for runtime in ("deepspeed-distributed", "mlx-distributed")
        ),
        *(
            ({}, {"trial_kind": "TrainJob", "runtime": runtime}, "so the training never starts; set targets.katib")
            for runtime in ("torchtune-llama3.2-1b", "torchtune-qwen2.5-1.5b", "torch-distributed-with-cache")
        ),
        (
            {"resources": {"nodes": 2}},
            {"trial_kind": "TrainJob", "runtime": "jax-distributed"},
            "jax-distributed does not set the variables that it reads; set both to 1",
        ),
        ({"name": "metrics-logger-and-collector"}, {}, "step.name must not be 'metrics-logger-and-collector'"),
        (
            {"volumes": [{"name": "logs", "mount": "/var/log/katib/", "empty_dir": True}]},
            {},
            "Katib mounts its volume 'metrics-volume' at /var/log/katib, but step.volumes has 'logs'",
        ),
        (
            {"volumes": [{"name": "a", "mount": "/x", "claim": "a"}, {"name": "b", "mount": "/x/", "claim": "b"}]},
            {},
            "each volume needs its own path without ':', but volume 'a' has '/x'",
        ),
    ],
)
def test_what_a_kind_cannot_express_is_refused_with_a_way_out(step, katib, message):
    with pytest.raises(RenderError) as caught:
        render(make_study(step={**STEP, **step}, katib=katib))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "told", "survives"),
    [
        ("Job", "a Job starts its pod again each time that its node is lost", True),
        ("PyTorchJob", "a PyTorchJob fails when its node is lost", False),
        ("TrainJob", "the runtime of a TrainJob decides what happens when a node is lost", False),
    ],
)
def test_what_a_lost_node_means_for_a_trial_is_told(kind, told, survives):
    targets = {"katib": {"trial_kind": kind}}
    plain = render(make_study(step=STEP, targets=targets))
    asked = render(make_study(step={**STEP, "preemption": {"retries": 2}}, targets=targets))
    (note,) = set(asked.notes) - set(plain.notes)
    assert told in note
    assert ("podFailurePolicy" in str(asked.documents)) == survives
