"""Rules for what the API server refuses, or drops, of the object that each trial creates."""

from __future__ import annotations

from kftune.lint.rules.example import PLAIN, container
from kftune.lint.rules.rule import Rule

_RUNTIME = "katib v0.19.0, pkg/controller.v1beta1; recorded runs"


def _train_job(spec: str) -> str:
    nothing = "template: null, backoffLimit: null, activeDeadlineSeconds: null"
    return (
        "spec: {trialTemplate: {primaryContainerName: node, trialSpec: {apiVersion: trainer.kubeflow.org/v1alpha1, "
        f"kind: TrainJob, spec: {{{nothing}, {spec}}}}}}}}}"
    )


RULES = (
    Rule(
        "KT270",
        "hangs",
        "A Job with a wrong restartPolicy",
        "The API server refuses the Job when the trial is created, and Katib tries again for ever.",
        "write restartPolicy: Never",
        "spec: {trialTemplate: {trialSpec: {spec: {template: {spec: {restartPolicy: Always}}}}}}",
        "",
        _RUNTIME,
    ),
    Rule(
        "KT271",
        "hangs",
        "Containers that the API server refuses",
        "Each container has a name of its own and an image.",
        "give each container a name and an image",
        container(PLAIN + "}, {name: main, image: 'registry.example/x:1'"),
        "",
        _RUNTIME,
    ),
    Rule(
        "KT272",
        "hangs",
        "A mount without a volume",
        "volumeMounts name volumes of the pod.",
        "add the volume to the pod, or correct the name",
        container(PLAIN + ", volumeMounts: [{name: data, mountPath: /data}]"),
        container(
            PLAIN + ", volumeMounts: [{name: data, mountPath: /data}]", "volumes: [{name: data, emptyDir: {}}], "
        ),
        _RUNTIME,
    ),
    Rule(
        "KT273",
        "hangs",
        "A request above its limit",
        "The API server refuses a container that asks for more than it may have.",
        "lower the request or raise the limit",
        "spec: {trialTemplate: {trialSpec: {spec: {template: {spec: {containers: [{name: main, "
        f"image: 'registry.example/lstm:1', {PLAIN}, "
        "resources: {limits: {cpu: '1'}, requests: {cpu: '2'}}}]}}}}}}",
        "",
        _RUNTIME,
    ),
    Rule(
        "KT274",
        "hangs",
        "A run object that its CRD refuses",
        "The webhook looks into Jobs only. A TrainJob or PyTorchJob that breaks the schema of its CRD, or a rule of "
        "its operator's webhook, is refused when the trial is created, and Katib tries again for ever.",
        "mend the field named; the schemas are those of Trainer 2.3 and training-operator 1.8",
        _train_job(
            "runtimeRef: {name: torch-distributed}, trainer: {numNodes: -1, args: ["
            "'--lr=${trialParameters.lr}', '--units=${trialParameters.units}']}"
        ),
        _train_job(
            "runtimeRef: {name: torch-distributed}, trainer: {numNodes: 1, args: ["
            "'--lr=${trialParameters.lr}', '--units=${trialParameters.units}']}"
        ),
        "kubeflow/trainer 8c0f5059b, kubeflow/training-operator v1.8.1; recorded answers of the API server",
    ),
    Rule(
        "KT275",
        "habit",
        "A field of the run object that is dropped",
        "The API server keeps only the fields that the CRD knows, and says nothing: the trial runs without what the "
        "field asks for.",
        "correct the name of the field, or write what it asks for in the way of the CRD's version",
        _train_job(
            "runtimeRef: {name: torch-distributed}, ttlSecondsAfterFinished: 60, trainer: {args: ["
            "'--lr=${trialParameters.lr}', '--units=${trialParameters.units}']}"
        ),
        _train_job(
            "runtimeRef: {name: torch-distributed}, trainer: {args: ["
            "'--lr=${trialParameters.lr}', '--units=${trialParameters.units}']}"
        ),
        "kubeflow/trainer 8c0f5059b, kubeflow/training-operator v1.8.1; recorded answers of the API server",
    ),
    Rule(
        "KT276",
        "hangs",
        "A Job that the API server refuses",
        "Counts and times are not below 0, an Indexed Job says how many completions it wants, and a Job makes its own "
        "selector.",
        "mend the field named",
        "spec: {trialTemplate: {trialSpec: {spec: {backoffLimit: -1}}}}",
        "",
        "Kubernetes, pkg/apis/batch/validation",
    ),
    Rule(
        "KT277",
        "hangs",
        "A pod that the API server refuses",
        "Volumes have names of their own and one source each, variables one value, labels at most 63 characters.",
        "mend the field named",
        container(PLAIN, "volumes: [{name: data, emptyDir: {}}, {name: data, emptyDir: {}}], "),
        container(PLAIN, "volumes: [{name: data, emptyDir: {}}], "),
        "Kubernetes, pkg/apis/core/validation",
    ),
    Rule(
        "KT278",
        "hangs",
        "An image that nobody can pull",
        "The kubelet reads the image's name and finds that it is none; the pod waits for ever.",
        "write [registry/]name[:tag][@sha256:digest], the name in small letters",
        container(PLAIN).replace("registry.example/lstm:1", "registry.example/LSTM:1"),
        container(PLAIN),
        "github.com/distribution/reference; Kubernetes, InvalidImageName",
    ),
)
