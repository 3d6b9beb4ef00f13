"""Notes about pods: what they need of the cluster and its namespaces."""

from __future__ import annotations

from collections.abc import Iterator

from kftune.render import pods
from kftune.render.pod_security import outside_baseline, outside_restricted
from kftune.spec.container import ContainerSettings

_STANDARDS = "namespaces of the Pod Security Standard"
# What the rest of a file's settings give, every standard takes.
_RELEVANT = frozenset({"container", "host_ipc", "host_network", "pod", "security"})
# What a check calls it -> the setting that writes it, unless it is in Kubernetes' own words.
_SETTINGS = {
    "container.securityContext.capabilities": "security.capabilities",
    "pod.hostIPC": "host_ipc",
    "pod.hostNetwork": "host_network",
}
_ROOT = frozenset({"container.securityContext.runAsNonRoot", "container.securityContext.runAsUser"})


def pod_notes(container: ContainerSettings, owner: str) -> Iterator[str]:
    """Yields what a pod needs of the cluster.

    Args:
        container: The container that runs in it.
        owner: What runs in it (``the trial``, ``step train``).
    """
    if _RELEVANT.isdisjoint(container.model_fields_set):
        return
    security = container.security
    if not security.run_as_non_root:
        yield f"{owner} may run as root: {_STANDARDS} restricted reject it; use baseline"
    standard, rejected = least_strict_standard(container)
    if standard == "privileged":
        yield f"{owner} has {', '.join(rejected)}: {_STANDARDS}s baseline and restricted reject it; use privileged"
    elif rejected:
        yield f"{owner} has {', '.join(rejected)}: {_STANDARDS} restricted reject it; use baseline"
    if security.capabilities.add and (security.run_as_user or security.run_as_non_root):
        # Seen on a cluster: Kubernetes adds them to the bounding set, and a program without root gets none of those.
        yield (
            f"{owner} adds capabilities, which only a program that runs as root has: they have no effect without "
            f"security.run_as_non_root: false and, unless the image runs as root, run_as_user: 0"
        )
    shared = container.pod.get("securityContext") or {}
    if shared.get("runAsNonRoot") and not shared.get("runAsUser"):  # studies refuse it
        yield (
            f"{owner} forbids root for its whole pod (pod.securityContext.runAsNonRoot): the containers that Argo adds "
            f"run as root and do not start, unless their image is argoexec-nonroot; add runAsUser, or use "
            f"security.run_as_non_root"
        )
    if container.pod or container.container:
        yield f"{owner} has fields in Kubernetes' own words (pod, container), which other targets may refuse"


def least_strict_standard(container: ContainerSettings) -> tuple[str, list[str]]:
    """Returns the strictest Pod Security Standard that admits a pod, and what the next stricter one rejects.

    That the container may run as root is not in the list if ``run_as_non_root`` says so.

    Args:
        container: The container that runs in it.
    """
    first = {"name": "main", "securityContext": pods.security(container)}
    spec = {"hostNetwork": container.host_network, "hostIPC": container.host_ipc, "containers": [first]}
    spec = pods.with_fragments(spec, container, lambda text, _: text)
    if rejected := sorted({_SETTINGS.get(name, name) for name in outside_baseline(spec)}):
        return "privileged", rejected
    if reasons := {*outside_restricted(spec)}:
        wanted = frozenset() if container.security.run_as_non_root else _ROOT
        return "baseline", sorted(_SETTINGS.get(name, name) for name in reasons - wanted)
    return "restricted", []
