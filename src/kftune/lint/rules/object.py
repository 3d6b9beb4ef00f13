"""Rules for what the API server rejects or drops in the object that each trial creates."""

from __future__ import annotations

from kftune.lint.rules.example import PLAIN, container
from kftune.lint.rules.rule import RUNTIME, Rule


def _train_job(trainer: str = "", spec: str = "") -> str:
    arguments = "args: ['--lr=${trialParameters.lr}', '--units=${trialParameters.units}']"
    nothing = "template: null, backoffLimit: null, activeDeadlineSeconds: null"
    fields = f"{nothing}, runtimeRef: {{name: torch-distributed}}, {spec}trainer: {{{trainer}{arguments}}}"
    kind = "apiVersion: trainer.kubeflow.org/v1alpha1, kind: TrainJob"
    return f"spec: {{trialTemplate: {{primaryContainerName: node, trialSpec: {{{kind}, spec: {{{fields}}}}}}}}}"


_MOUNT = f"{PLAIN}, volumeMounts: [{{name: data, mountPath: /data}}]"
_OPERATORS = "kubeflow/trainer 8c0f5059b, kubeflow/training-operator v1.8.1; recorded answers of the API server"
SOURCE = RUNTIME

RULES = (
    Rule(
        code="KT270",
        severity="hangs",
        title="A Job with a wrong restartPolicy",
        explanation="The API server rejects the Job when Katib creates the trial, and Katib retries forever.",
        remedy="set restartPolicy: Never",
        fails="spec: {trialTemplate: {trialSpec: {spec: {template: {spec: {restartPolicy: Always}}}}}}",
    ),
    Rule(
        code="KT271",
        severity="hangs",
        title="Containers that the API server rejects",
        explanation="Each container needs a unique name and an image.",
        remedy="give each container a name and an image",
        fails=container(PLAIN + "}, {name: main, image: 'registry.example/x:1'"),
    ),
    Rule(
        code="KT272",
        severity="hangs",
        title="A mount that the API server rejects",
        explanation="Each volumeMounts entry names a volume of the pod and has its own path; subPath stays inside the "
        "volume.",
        remedy="add the volume to the pod, or correct the field named",
        fails=container(_MOUNT),
        passes=container(_MOUNT, "volumes: [{name: data, emptyDir: {}}], "),
    ),
    Rule(
        code="KT273",
        severity="hangs",
        title="Resources that the API server rejects",
        explanation="A request is at most its limit. Devices such as nvidia.com/gpu are counted in whole numbers, and "
        "their request equals their limit; so do huge pages, which also need cpu or memory beside them.",
        remedy="lower the request or raise the limit, or correct the field named",
        fails=container(PLAIN).replace("limits: {cpu: '1'}", "limits: {cpu: '1'}, requests: {cpu: '2'}"),
    ),
    Rule(
        code="KT274",
        severity="hangs",
        title="A run object that its CRD rejects",
        explanation="The webhook checks only Jobs. If a TrainJob or PyTorchJob violates its CRD's schema or its "
        "operator's rules, it is rejected when Katib creates the trial, and Katib retries forever.",
        remedy="fix the field named; the schemas are those of Trainer 2.3 and training-operator 1.8",
        fails=_train_job("numNodes: -1, "),
        passes=_train_job("numNodes: 1, "),
        source=_OPERATORS,
    ),
    Rule(
        code="KT275",
        severity="advice",
        title="A field of the run object that is dropped",
        explanation="The API server silently drops fields that the CRD does not know; the trial runs without them.",
        remedy="correct the name of the field, or use the corresponding field of the CRD's version",
        fails=_train_job(spec="ttlSecondsAfterFinished: 60, "),
        passes=_train_job(),
        source=_OPERATORS,
    ),
    Rule(
        code="KT276",
        severity="hangs",
        title="A Job that the API server rejects",
        explanation="Counts and times are not negative, rules of podFailurePolicy are complete, and no Job has a "
        "selector. A Job with parallelism or completions 0 is created, but starts no pod.",
        remedy="fix the field named",
        fails="spec: {trialTemplate: {trialSpec: {spec: {backoffLimit: -1}}}}",
        source="Kubernetes, pkg/apis/batch/validation; its API server",
    ),
    Rule(
        code="KT277",
        severity="hangs",
        title="A pod that the API server rejects",
        explanation="Kubernetes checks more than the schema says: volumes have unique names and one source, "
        "tolerations and affinities known operators, probes one handler, users numbers. Some pods are refused only "
        "when the Job creates them; then the Job stays without a pod.",
        remedy="fix the field named",
        fails=container(PLAIN, "volumes: [{name: data, emptyDir: {}}, {name: data, emptyDir: {}}], "),
        passes=container(PLAIN, "volumes: [{name: data, emptyDir: {}}], "),
        source="Kubernetes, pkg/apis/core/validation; its API server",
    ),
    Rule(
        code="KT278",
        severity="hangs",
        title="An invalid image name",
        explanation="The kubelet cannot parse the image name, and the pod stays in InvalidImageName.",
        remedy="write [registry/]name[:tag][@sha256:digest], with the name in lower case",
        fails=container(PLAIN).replace("registry.example/lstm:1", "registry.example/LSTM:1"),
        passes=container(PLAIN),
        source="github.com/distribution/reference; Kubernetes, InvalidImageName",
    ),
    Rule(
        code="KT279",
        severity="hangs",
        title="A pod in which the collector cannot start",
        explanation="Katib adds its collector to the pod, and the collector's image runs as root. runAsNonRoot for the "
        "whole pod keeps that container from starting, so the trial stays Running until its deadline. With "
        "injectSecurityContext in katib-config, the collector gets the first container's securityContext, and the same "
        "holds for that one.",
        remedy="set runAsNonRoot for the container only, or give the whole pod a numeric runAsUser above 0",
        fails="spec: {trialTemplate: {trialSpec: {spec: {template: {spec: {securityContext: {runAsNonRoot: true}}}}}}}",
        passes="spec: {trialTemplate: {trialSpec: {spec: {template: {spec: {securityContext: {runAsNonRoot: true, "
        "runAsUser: 1000}}}}}}}",
        source="katib v0.19.0, pkg/webhook/v1beta1/pod (inject_webhook.go); Kubernetes, pkg/kubelet/kuberuntime; a "
        "cluster",
    ),
    Rule(
        code="KT280",
        severity="hangs",
        title="An image that runs as root where root is forbidden",
        explanation="Most public images start as root: python, pytorch/pytorch, tensorflow/tensorflow, NVIDIA's NGC. "
        "The kubelet does not start such a container with runAsNonRoot and without a runAsUser "
        "(CreateContainerConfigError), and the trial or step waits until its deadline. The same holds for an image "
        "that gives its user a name: the kubelet compares numbers.",
        remedy="name a user with a number (runAsUser: 1000), or allow root (runAsNonRoot: false); in kftune's files: "
        "security: {run_as_user: 1000} or {run_as_non_root: false}",
        fails=container(PLAIN).replace("registry.example/lstm:1", "pytorch/pytorch:2.6.0-cuda12.4-cudnn9-runtime"),
        passes=container(PLAIN)
        .replace("registry.example/lstm:1", "pytorch/pytorch:2.6.0-cuda12.4-cudnn9-runtime")
        .replace("{runAsNonRoot: true}", "{runAsNonRoot: true, runAsUser: 1000}"),
        source="Kubernetes, pkg/kubelet/kuberuntime (security_context_others.go); the images' Dockerfiles; a cluster",
    ),
    Rule(
        code="KT281",
        severity="hangs",
        title="A trial that its queue never starts",
        explanation="Kueue suspends an object with its label queue-name, and resumes it when the queue has room. "
        "Without the label only a default queue of Kueue resumes a suspended object. Kueue's webhooks reject names and "
        "counts that are not valid, and then Katib cannot create the trial.",
        remedy="add the label kueue.x-k8s.io/queue-name to trialSpec.metadata, remove suspend, or correct the field "
        "named",
        fails="spec: {trialTemplate: {trialSpec: {spec: {suspend: true}}}}",
        passes="spec: {trialTemplate: {trialSpec: {metadata: {labels: {kueue.x-k8s.io/queue-name: gpus}}, spec: "
        "{suspend: true}}}}",
        source="sigs.k8s.io/kueue v0.17.0, pkg/controller/jobframework; Kubernetes, pkg/controller/job; a cluster",
    ),
    Rule(
        code="KT282",
        severity="fails",
        title="A pod in which the collector finds no database",
        explanation="Katib's collector runs in the trial's pod and sends the metrics to katib-db-manager, a name of "
        "the cluster. With dnsPolicy Default, or hostNetwork alone, the pod asks the node's name servers, which do not "
        "know it. The collector stops, and the trial fails whatever the program does.",
        remedy="with hostNetwork set dnsPolicy: ClusterFirstWithHostNet; otherwise remove dnsPolicy",
        fails="spec: {trialTemplate: {trialSpec: {spec: {template: {spec: {hostNetwork: true}}}}}}",
        passes="spec: {trialTemplate: {trialSpec: {spec: {template: {spec: {hostNetwork: true, dnsPolicy: "
        "ClusterFirstWithHostNet}}}}}}",
        source="Kubernetes, pkg/kubelet/network/dns; katib v0.19.0, pkg/webhook/v1beta1/pod; a cluster",
    ),
    Rule(
        code="KT283",
        severity="hangs",
        title="A ConfigMap that the API server rejects",
        explanation="The keys of a ConfigMap or Secret become names of files and variables: letters, digits, '-', '_' "
        "and '.', at most 253 characters, not '.', and not '..' at the beginning. With another key the object is not "
        "created, and pods that need it do not start.",
        remedy="rename the key; to give a file another path, use items of the volume",
        source="Kubernetes, pkg/util/validation, IsConfigMapKey",
    ),
)
