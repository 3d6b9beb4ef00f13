"""Notes about pods: what they need of the cluster and its namespaces."""

from __future__ import annotations

from collections.abc import Iterator

from kftune.spec.container import ContainerSettings

# Source: Kubernetes, Pod Security Standards, policy Baseline: the capabilities that a container may add.
_BASELINE_CAPABILITIES = frozenset(
    {
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    }
)
_RESTRICTED_CAPABILITIES = frozenset({"NET_BIND_SERVICE"})
# Source: as above: the volumes that Restricted allows leave out those of the host; csi and ephemeral are allowed.


def pod_notes(container: ContainerSettings, owner: str) -> Iterator[str]:
    """Yields what a pod needs of the cluster.

    Args:
        container: The container that runs in it.
        owner: What runs in it (``the trial``, ``step train``).
    """
    if not container.security.run_as_non_root:
        yield f"{owner} may run as root: namespaces of the Pod Security Standard restricted reject it; use baseline"
    rejected = sorted(_outside_baseline(container))
    if rejected:
        yield (
            f"{owner} has {', '.join(rejected)}: namespaces of the Pod Security Standards baseline and restricted "
            f"reject it; use privileged"
        )
    elif not _RESTRICTED_CAPABILITIES.issuperset(container.security.capabilities.add):
        yield (f"{owner} adds capabilities: namespaces of the Pod Security Standard restricted reject it; use baseline")
    if container.pod or container.container:
        yield f"{owner} has fields in Kubernetes' own words (pod, container), which other targets may refuse"


def _outside_baseline(container: ContainerSettings) -> Iterator[str]:
    if container.host_network:
        yield "host_network"
    if container.host_ipc:
        yield "host_ipc"
    if not _BASELINE_CAPABILITIES.issuperset(container.security.capabilities.add):
        yield "capabilities"
    own = container.container.get("securityContext") or {}
    if own.get("privileged"):
        yield "container.securityContext.privileged"
    for name in ("hostPID", "hostNetwork", "hostIPC"):
        if container.pod.get(name):
            yield f"pod.{name}"
    if any(volume.get("hostPath") for volume in container.pod.get("volumes") or ()):
        yield "pod.volumes with hostPath"
