"""The parts of the CRDs that the published models lack: limits, defaults, keys of lists, and rules.

`crd_schemas.py` reads it. A map without `is` adds to a field's kind. The rules are those of `kftune.katib.crd.rules`.

Source: the CRDs of kubeflow/trainer 8c0f5059b, kubeflow/training-operator v1.8.1, argoproj/argo-workflows v4.1.2,
kubeflow/pipelines 7b70c7b95 and kubeflow/katib v0.19.0, and the Go types that they are made of.
"""

from __future__ import annotations

from typing import Any

_TRAINER = "trainer.kubeflow.org/v1alpha1"
_ARGO = "argoproj.io/v1alpha1"
_KFP = "pipelines.kubeflow.org/v2beta1"

# Each kind's type, and whether its status is a subresource, which is dropped from created objects.
KINDS: dict[tuple[str, str], dict[str, Any]] = {
    (_TRAINER, "TrainJob"): {"type": "TrainJob", "status": True},
    (_TRAINER, "OptimizationJob"): {"type": "OptimizationJob", "status": True},
    (_TRAINER, "TrainingRuntime"): {"type": "TrainingRuntime"},
    (_TRAINER, "ClusterTrainingRuntime"): {"type": "TrainingRuntime", "cluster": True},
    ("kubeflow.org/v1", "PyTorchJob"): {"type": "PyTorchJob", "status": True},
    ("kubeflow.org/v1beta1", "Experiment"): {"type": "Experiment"},
    ("kubeflow.org/v1beta1", "ScheduledWorkflow"): {"type": "ScheduledWorkflow"},
    (_KFP, "Pipeline"): {"type": "Pipeline"},
    (_KFP, "PipelineVersion"): {"type": "PipelineVersion", "status": True},
    (_ARGO, "Workflow"): {"type": "argo/Workflow"},
    (_ARGO, "WorkflowTemplate"): {"type": "argo/WorkflowTemplate"},
    (_ARGO, "ClusterWorkflowTemplate"): {"type": "argo/WorkflowTemplate", "cluster": True},
    (_ARGO, "CronWorkflow"): {"type": "argo/CronWorkflow"},
}

_NAME = {"is": "s", "minLength": 1, "maxLength": 253}
_ENV = {"is": "[=EnvVar", "keys": ["name"], "maxItems": 128}
_WORDS = {"is": "[", "items": {"is": "s", "maxLength": 1_048_576}, "maxItems": 128}
_URI = {"is": "s", "pattern": r"^$|^[A-Za-z][A-Za-z0-9+.-]*://.+", "maxLength": 2048}
_COUNT = {"is": "i", "minimum": 1, "maximum": 100, "default": 1}
_DOUBLE = {"is": "s", "minLength": 1, "maxLength": 64, "pattern": r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$"}
_NUMBER_TYPE = {"is": "s", "enum": ["Int", "Float"], "default": "Float"}


def _named(kind: str, most: int, **more: Any) -> dict[str, Any]:
    return {"is": f"[={kind}", "keys": ["name"], "maxItems": most, **more}


_FIXED = {"rules": ["immutable"]}

_TRAINER_TYPES: dict[str, dict[str, Any]] = {
    "TrainJob": {"spec": "=TrainJobSpec", "status": "o", "!": {"rules": ["short-label-name", "short-name"]}},
    "TrainJobSpec": {
        "runtimeRef": {"is": "=RuntimeRef", **_FIXED},
        "initializer": {"is": "=Initializer", **_FIXED},
        "trainer": {"is": "=Trainer", **_FIXED},
        "runtimePatches": {"is": "[=RuntimePatch", "keys": ["manager"], "maxItems": 16},
        "suspend": {"is": "b", "default": False},
        "activeDeadlineSeconds": {"is": "I", "minimum": 1, **_FIXED},
        "managedBy": {
            "is": "s",
            "default": "trainer.kubeflow.org/trainjob-controller",
            "maxLength": 253,
            "rules": ["managed-by", "immutable"],
        },
        "!": {"required": ["runtimeRef"]},
    },
    "RuntimeRef": {
        "name": _NAME,
        "apiGroup": {"is": "s", "default": "trainer.kubeflow.org", "maxLength": 253},
        "kind": {"is": "s", "default": "ClusterTrainingRuntime", "maxLength": 253},
        "!": {"required": ["name"]},
    },
    "Initializer": {"dataset": "=DatasetInitializer", "model": "=DatasetInitializer"},
    "DatasetInitializer": {"storageUri": _URI, "env": _ENV, "secretRef": "=LocalObjectReference"},
    "Trainer": {
        "image": {"is": "s", "maxLength": 500},
        "command": _WORDS,
        "args": _WORDS,
        "env": _ENV,
        "numNodes": {"is": "i", "minimum": 0},
        "resourcesPerNode": "=ResourceRequirements",
        "numProcPerNode": {"is": "i", "rules": ["at-least-one-process"]},
    },
    "RuntimePatch": {
        "manager": {**_NAME, **_FIXED},
        "time": "t",
        "trainingRuntimeSpec": "=TrainingRuntimeSpecPatch",
        "!": {"required": ["manager"]},
    },
    "TrainingRuntimeSpecPatch": {"template": "=JobSetTemplatePatch"},
    "JobSetTemplatePatch": {"metadata": "=EmbeddedMeta", "spec": "=JobSetSpecPatch"},
    "JobSetSpecPatch": {"replicatedJobs": _named("ReplicatedJobPatch", 100)},
    "ReplicatedJobPatch": {
        "name": {**_NAME, "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"},
        "template": "=JobTemplatePatch",
        "!": {"required": ["name"]},
    },
    "JobTemplatePatch": {"metadata": "=EmbeddedMeta", "spec": "=JobSpecPatch"},
    "JobSpecPatch": {"template": "=PodTemplatePatch"},
    "PodTemplatePatch": {"metadata": "=EmbeddedMeta", "spec": "=PodSpecPatch"},
    "PodSpecPatch": {
        "serviceAccountName": {"is": "s", "maxLength": 253, **_FIXED},
        "volumes": _named("Volume", 128, **_FIXED),
        "initContainers": _named("ContainerPatch", 64, **_FIXED),
        "containers": _named("ContainerPatch", 64, **_FIXED),
        "imagePullSecrets": _named("LocalObjectReference", 64, **_FIXED),
        "securityContext": {"is": "=PodSecurityContext", **_FIXED},
        "nodeSelector": "{s",
        "affinity": "=Affinity",
        "tolerations": {"is": "[=Toleration", "maxItems": 128},
        "schedulingGates": _named("PodSchedulingGate", 16),
        "terminationGracePeriodSeconds": {"is": "I", "minimum": 0, **_FIXED},
    },
    "ContainerPatch": {
        "name": _NAME,
        "env": _ENV,
        "volumeMounts": _named("VolumeMount", 128),
        "securityContext": "=SecurityContext",
        "!": {"required": ["name"]},
    },
    "OptimizationJob": {"spec": "=OptimizationJobSpec", "status": "o", "!": {"required": ["spec"]}},
    "OptimizationJobSpec": {
        "objectives": {"is": "[=OptimizationObjective", "keys": ["metric"], "minItems": 1, "maxItems": 1},
        "searchAlgorithm": {"is": "=SearchAlgorithm", "default": {"random": {}}},
        "parameters": {"is": "[=SearchParameter", "keys": ["name"], "minItems": 1, "maxItems": 100},
        "numTrials": _COUNT,
        "parallelTrials": _COUNT,
        "trainJobTemplate": "=TrainJobTemplate",
        "!": {
            "required": ["objectives", "parameters", "trainJobTemplate"],
            "rules": ["immutable-optimization", "parallel-trials", "grid-of-choices"],
        },
    },
    "OptimizationObjective": {
        "metric": {"is": "s", "minLength": 1, "maxLength": 64},
        "direction": {"is": "s", "enum": ["Maximize", "Minimize"], "default": "Minimize"},
        "!": {"required": ["metric"]},
    },
    "SearchAlgorithm": {"random": "=RandomSearch", "grid": "=Nothing", "!": {"one": ["random", "grid"]}},
    "RandomSearch": {"seed": "I"},
    "Nothing": {},
    "SearchParameter": {
        "name": {"is": "s", "minLength": 1, "maxLength": 64},
        "searchSpace": "=SearchSpace",
        "!": {"required": ["name", "searchSpace"]},
    },
    "SearchSpace": {
        "uniform": "=UniformSpace",
        "logUniform": "=LogUniformSpace",
        "categorical": "=CategoricalSpace",
        "!": {"one": ["uniform", "logUniform", "categorical"]},
    },
    "UniformSpace": {
        "min": _DOUBLE,
        "max": _DOUBLE,
        "type": _NUMBER_TYPE,
        "!": {"required": ["min", "max"], "rules": ["min-below-max"]},
    },
    "LogUniformSpace": {
        "min": _DOUBLE,
        "max": _DOUBLE,
        "type": _NUMBER_TYPE,
        "!": {"required": ["min", "max"], "rules": ["min-above-zero", "min-below-max"]},
    },
    "CategoricalSpace": {
        "choices": {
            "is": "[",
            "items": {"is": "s", "maxLength": 64},
            "minItems": 1,
            "maxItems": 100,
            "set": True,
        },
        "!": {"required": ["choices"]},
    },
    "TrainJobTemplate": {
        "metadata": {"is": "=EmbeddedMeta", "rules": ["no-name"]},
        "spec": "=TrainJobSpec",
        "!": {"required": ["spec"]},
    },
    "TrainingRuntime": {"metadata": None, "spec": "=TrainingRuntimeSpec"},
    "TrainingRuntimeSpec": {
        "mlPolicy": "=MLPolicy",
        "podGroupPolicy": "=PodGroupPolicy",
        "template": "=JobSetTemplateSpec",
        "!": {"minProperties": 1},
    },
    "JobSetTemplateSpec": {"metadata": "=EmbeddedMeta", "spec": "=JobSetSpec", "!": {"minProperties": 1}},
    "JobSetSpec": {"replicatedJobs": {"keys": ["name"]}, "suspend": "b", "ttlSecondsAfterFinished": {"minimum": 0}},
    "ReplicatedJob": {"replicas": {"is": "i", "default": 1}, "template": "=JobTemplateSpec"},
    "MLPolicy": {"numNodes": "i", "!": {"rules": ["one-ml-policy"]}},
    "EnvInjectionTarget": {"containerNames": {"rules": ["not-the-node"]}},
    "MPIMLPolicySource": {"mpiImplementation": {"is": "s", "enum": ["OpenMPI", ""], "default": "OpenMPI"}},
}

_TRAINING_OPERATOR_TYPES: dict[str, dict[str, Any]] = {
    "PyTorchJob": {"spec": "=PyTorchJobSpec", "status": "o"},
    "PyTorchJobSpec": {
        "elasticPolicy": "=ElasticPolicy",
        "nprocPerNode": "s",
        "pytorchReplicaSpecs": "{=ReplicaSpec",
        "runPolicy": "=RunPolicy",
        "!": {"required": ["pytorchReplicaSpecs"]},
    },
    "ReplicaSpec": {"replicas": "i", "restartPolicy": "s", "template": "=1.28/PodTemplateSpec"},
    "RunPolicy": {
        "activeDeadlineSeconds": "I",
        "backoffLimit": "i",
        "cleanPodPolicy": "s",
        "schedulingPolicy": "=SchedulingPolicy",
        "suspend": {"is": "b", "default": False},
        "ttlSecondsAfterFinished": "i",
    },
    "SchedulingPolicy": {
        "minAvailable": "i",
        "minResources": "{q",
        "priorityClass": "s",
        "queue": {"is": "s", **_FIXED},
        "scheduleTimeoutSeconds": "i",
    },
    "ElasticPolicy": {
        "maxReplicas": "i",
        "maxRestarts": "i",
        "metrics": "[=1.28/MetricSpec",
        "minReplicas": "i",
        "nProcPerNode": "i",
        "rdzvBackend": "s",
        "rdzvConf": "[=RdzvConf",
        "rdzvHost": "s",
        "rdzvId": "s",
        "rdzvPort": "i",
        "standalone": "b",
    },
    "RdzvConf": {"key": "s", "value": "s"},
}

_KFP_TYPES: dict[str, dict[str, Any]] = {
    "Experiment": {"!": {"open": True}},
    "ScheduledWorkflow": {"spec": "*", "status": "*", "!": {"required": ["spec", "status"]}},
    "Pipeline": {"spec": "=PipelineSpec"},
    "PipelineSpec": {"description": "s", "displayName": "s", "tags": "{s"},
    "PipelineVersion": {"spec": "=PipelineVersionSpec", "status": "o"},
    "PipelineVersionSpec": {
        "codeSourceURL": "s",
        "description": "s",
        "displayName": "s",
        "pipelineName": "s",
        "pipelineSpec": "*",
        "pipelineSpecURI": "s",
        "platformSpec": "*",
        "tags": "{s",
        "versionName": {"is": "s", "pattern": r"^[a-z0-9]([a-z0-9\.\-]*[a-z0-9])?$"},
        "!": {"required": ["pipelineSpec"]},
    },
}

_WORD = "^[a-zA-Z0-9][-a-zA-Z0-9]*$"
_TASK_NAME = {"is": "s", "maxLength": 128, "pattern": _WORD}
_CRON = (
    r"^(@(yearly|annually|monthly|weekly|daily|midnight|hourly)|@every\s+([0-9]+(ns|us|µs|ms|s|m|h))+|"
    r"([0-9*,/?A-Za-z-]+\s+){4}[0-9*,/?A-Za-z-]+)$"
)

_ARGO_TYPES: dict[str, dict[str, Any]] = {
    "argo/Workflow": {"spec": "=argo/WorkflowSpec", "status": "*", "!": {"required": ["spec"]}},
    "argo/WorkflowTemplate": {"spec": "=argo/WorkflowSpec", "!": {"required": ["spec"]}},
    "argo/CronWorkflow": {"spec": "=argo/CronWorkflowSpec", "status": "*", "!": {"required": ["spec"]}},
    "argo/CronWorkflowSpec": {
        "concurrencyPolicy": {"enum": ["Allow", "Forbid", "Replace"]},
        "schedules": {"is": "[", "items": {"is": "s", "pattern": _CRON}, "minItems": 1},
        "workflowMetadata": "*",
    },
    "argo/StopStrategy": {"!": {"required": ["expression"]}},
    "argo/WorkflowSpec": {
        "templates": {"maxItems": 200, "rules": ["no-timeout-of-steps", "one-template-type"]},
        "parallelism": {"is": "I", "minimum": 1},
        "volumeClaimTemplates": "[*",
    },
    "argo/Template": {"container": "=argo/Container", "name": _TASK_NAME, "parallelism": {"is": "I", "minimum": 1}},
    "argo/DAGTemplate": {"tasks": {"is": "[=argo/DAGTask", "minItems": 1, "maxItems": 200}},
    "argo/DAGTask": {
        "name": _TASK_NAME,
        "inline": "*",
        "withItems": "*",
        "!": {"rules": ["one-task-order", "task-name"]},
    },
    "argo/WorkflowStep": {"name": _TASK_NAME, "inline": "*", "withItems": "*"},
    "argo/Inputs": {"parameters": {"maxItems": 500}},
    "argo/Parameter": {"name": {"is": "s", "pattern": "^[-a-zA-Z0-9_]+$"}, "enum": {"minItems": 1}},
    "argo/Artifact": {"!": {"required": ["name"], "rules": ["one-artifact-location"]}},
    "argo/Memoize": {"maxAge": "s", "!": {"required": ["cache", "key", "maxAge"]}},
    "argo/PodGC": {
        "strategy": {
            "is": "s",
            "enum": ["", "OnPodCompletion", "OnPodSuccess", "OnWorkflowCompletion", "OnWorkflowSuccess"],
        }
    },
    "argo/RetryStrategy": {"retryPolicy": {"enum": ["Always", "OnFailure", "OnError", "OnTransientError"]}},
    "argo/ResourceTemplate": {"action": {"enum": ["get", "create", "apply", "delete", "replace", "patch"]}},
    "argo/Plugin": {"!": {"open": True}},
}

# Kubernetes' types as its CRDs have them.
_KUBERNETES_TYPES: dict[str, dict[str, Any]] = {
    "EmbeddedMeta": {"annotations": "{s", "finalizers": "[s", "labels": "{s", "name": "s", "namespace": "s"},
    "ObjectMeta": {"annotations": "{s", "finalizers": "[s", "labels": "{s", "name": "s", "namespace": "s"},
    "1.28/ObjectMeta": {"annotations": "{s", "finalizers": "[s", "labels": "{s", "name": "s", "namespace": "s"},
    "ContainerPort": {"protocol": {"is": "s", "default": "TCP"}},
    "1.28/ContainerPort": {"protocol": {"is": "s", "default": "TCP"}},
}

TYPES: dict[str, dict[str, Any]] = (
    _TRAINER_TYPES | _TRAINING_OPERATOR_TYPES | _KFP_TYPES | _ARGO_TYPES | _KUBERNETES_TYPES
)
