"""Rules for what works, but has a safer alternative."""

from __future__ import annotations

from kftune.lint.rules.example import PLAIN, UNPRIVILEGED, container
from kftune.lint.rules.rule import Rule

SOURCE = "Kubernetes, batch/v1 Job and core/v1 Pod"


def _pod(inside: str) -> str:
    return f"spec: {{trialTemplate: {{trialSpec: {{spec: {{template: {inside}}}}}}}}}"


def _shared_memory(size: str) -> str:
    mount = f"{PLAIN}, volumeMounts: [{{name: shm, mountPath: /dev/shm}}]"
    volume = f"volumes: [{{name: shm, emptyDir: {{medium: Memory, sizeLimit: {size}}}}}], "
    return container(mount, volume).replace("limits: {cpu: '1'}", "limits: {cpu: '1', memory: 2Gi}")


RULES = (
    Rule(
        code="KT301",
        severity="advice",
        title="A Job without backoffLimit",
        explanation="By default a Job retries a failing pod six times; a failed training usually fails again.",
        remedy="set backoffLimit: 0",
        fails="spec: {trialTemplate: {trialSpec: {spec: {backoffLimit: null}}}}",
    ),
    Rule(
        code="KT302",
        severity="advice",
        title="A Job without a deadline",
        explanation="A trial that hangs keeps its GPU and its place until somebody notices.",
        remedy="set activeDeadlineSeconds for the pod, where it counts from the pod's start on a node",
        fails="spec: {trialTemplate: {trialSpec: {spec: {activeDeadlineSeconds: null}}}}",
    ),
    Rule(
        code="KT303",
        severity="advice",
        title="A container without resource limits",
        explanation="Trials run in parallel; one without limits affects the measurements of the others.",
        remedy="set resources.limits",
        fails=container(PLAIN).replace("resources: {limits: {cpu: '1'}}, ", ""),
    ),
    Rule(
        code="KT304",
        severity="advice",
        title="A container that may run as root",
        explanation="Training does not need root. Set this for the container: set for the pod, it would stop Katib's "
        "collector, whose image runs as root (KT279).",
        remedy="set securityContext: {runAsNonRoot: true} for the container",
        fails=container(PLAIN).replace(f"{UNPRIVILEGED}, ", ""),
    ),
    Rule(
        code="KT305",
        severity="advice",
        title="An image that may change",
        explanation="Without a tag, or with latest, two trials of one Experiment may run different programs.",
        remedy="use the tag of one version, or a digest",
        fails=container(PLAIN).replace("lstm:1", "lstm"),
    ),
    Rule(
        code="KT306",
        severity="advice",
        title="A secret in plain text",
        explanation="Anyone who can read the Experiment can read the value, in the manifest and in the cluster.",
        remedy="take the value from a Secret with valueFrom.secretKeyRef",
        fails=container(f"{PLAIN}, env: [{{name: API_TOKEN, value: abc}}]"),
    ),
    Rule(
        code="KT307",
        severity="advice",
        title="Istio's proxy is not disabled",
        explanation="The collector waits until all processes of the pod end, and the proxy never ends.",
        remedy="annotate the pod template: sidecar.istio.io/inject: 'false'",
        fails=_pod("{metadata: null}"),
        source="katib issue 1638",
    ),
    Rule(
        code="KT308",
        severity="advice",
        title="Double braces in a template",
        explanation="If Argo or KFP creates the Experiment in a step, it replaces or rejects {{...}} first.",
        remedy="write the text without double braces, or load it from a file",
        fails=_pod("{metadata: {annotations: {note: '{{x}}', sidecar.istio.io/inject: 'false'}}}"),
        source="Argo Workflows, template tags",
    ),
    Rule(
        code="KT309",
        severity="advice",
        title="A queue that does not see the trial",
        explanation="Kueue reads the labels of the Job, PyTorchJob or TrainJob, not those of its pods, and counts what "
        "they request. Volcano and KAI read the pods, but only those whose schedulerName is theirs. The trial runs "
        "beside the queue and its quota.",
        remedy="move Kueue's labels to trialSpec.metadata.labels, name the scheduler, or request resources; in "
        "kftune's files: queue and scheduler",
        fails=_pod(
            "{metadata: {labels: {kueue.x-k8s.io/queue-name: gpus}, annotations: {sidecar.istio.io/inject: 'false'}}}"
        ),
        passes="spec: {trialTemplate: {trialSpec: {metadata: {labels: {kueue.x-k8s.io/queue-name: gpus}}}}}",
        source="sigs.k8s.io/kueue v0.17.0, pkg/controller/jobframework; Volcano and KAI, documentation",
    ),
    Rule(
        code="KT310",
        severity="advice",
        title="A folder larger than its container may fill",
        explanation="What is written to an emptyDir in memory, such as /dev/shm, counts as memory of the container; "
        "one on disk counts as its ephemeral-storage. A trial that fills it is killed or evicted before it is full.",
        remedy="raise the limit of the container above sizeLimit, or lower sizeLimit",
        fails=_shared_memory("64Gi"),
        passes=_shared_memory("1Gi"),
        source="Kubernetes, pkg/volume/emptydir and pkg/kubelet/eviction",
    ),
    Rule(
        code="KT311",
        severity="advice",
        title="Early stopping that needs kftune's service",
        explanation="Katib has no such algorithm. kftune has a service for it, which an administrator adds to "
        "katib-config once; a cluster without it refuses the Experiment. With --katib-config lint knows.",
        remedy="let an administrator apply what kftune render --with-service writes, and pass --katib-config FILE",
        fails="spec: {earlyStopping: {algorithmName: kftune-asha}}",
        passes="spec: {earlyStopping: {algorithmName: medianstop}}",
        source="Katib, katib-config: runtime.earlyStoppings",
    ),
)
