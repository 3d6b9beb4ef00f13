"""What Kubernetes' Pod Security Standards reject in a pod.

Source: k8s.io/pod-security-admission v0.36, policy. Its newest rules let more pass that have a user namespace of their
own (`hostUsers: false`); older clusters do not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_HANDLERS = ("httpGet", "tcpSocket")
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
_SYSCTLS = frozenset(
    {
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.ping_group_range",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes",
        "net.ipv4.tcp_keepalive_time",
        "net.ipv4.tcp_rmem",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.tcp_wmem",
    }
)
_SELINUX_TYPES = frozenset({"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"})
_RESTRICTED_VOLUMES = frozenset(
    {
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "image",
        "persistentVolumeClaim",
        "projected",
        "secret",
    }
)
# Field of a security context -> whether baseline takes its value.
_BASELINE: dict[str, Callable[[Any], bool]] = {
    "appArmorProfile": lambda value: value.get("type") != "Unconfined",
    "capabilities": lambda value: _BASELINE_CAPABILITIES.issuperset(value.get("add") or ()),
    "privileged": lambda value: not value,
    "procMount": lambda value: value == "Default",
    "seLinuxOptions": lambda value: (
        value.get("type", "") in _SELINUX_TYPES and not value.get("user") and not value.get("role")
    ),
    "seccompProfile": lambda value: value.get("type") != "Unconfined",
    "sysctls": lambda value: all(each.get("name") in _SYSCTLS for each in value),
    "windowsOptions": lambda value: not value.get("hostProcess"),
}


def outside_baseline(spec: Mapping[str, Any]) -> Iterator[str]:
    """Yields what namespaces of the standard *baseline* reject in a pod.

    Args:
        spec: The pod's spec; its first container is the one that kftune writes.
    """
    for name in ("hostIPC", "hostNetwork", "hostPID"):
        if spec.get(name):
            yield f"pod.{name}"
    if any("hostPath" in volume for volume in spec.get("volumes") or ()):
        yield "pod.volumes with hostPath"
    for place, owner in (("pod", spec), *_containers(spec)):
        for field, value in (owner.get("securityContext") or {}).items():
            if field in _BASELINE and value is not None and not _BASELINE[field](value):
                yield f"{place}.securityContext.{field}"
    for place, container in _containers(spec):
        if any(port.get("hostPort") for port in container.get("ports") or ()):
            yield f"{place}.ports with hostPort"
        if any((handler.get(kind) or {}).get("host") for handler in _handlers(container) for kind in _HANDLERS):
            yield f"{place} with the host of a probe or hook"


def outside_restricted(spec: Mapping[str, Any]) -> Iterator[str]:
    """Yields what namespaces of the standard *restricted* reject in a pod, without what *baseline* rejects.

    Args:
        spec: As for `outside_baseline`.
    """
    for volume in spec.get("volumes") or ():
        yield from (f"pod.volumes with {kind}" for kind in volume.keys() - {"name"} - _RESTRICTED_VOLUMES)
    shared = spec.get("securityContext") or {}
    if shared.get("runAsNonRoot") is False:
        yield "pod.securityContext.runAsNonRoot"
    if shared.get("runAsUser") == 0:
        yield "pod.securityContext.runAsUser"
    for place, container in _containers(spec):
        own = container.get("securityContext") or {}
        yield from (f"{place}.securityContext.{field}" for field in _missing(own, {**shared, **own}))


def _missing(own: Mapping[str, Any], whole: Mapping[str, Any]) -> Iterator[str]:
    """Yields the fields of a container's security context that *restricted* wants to be different.

    Args:
        own: The container's security context.
        whole: The same, with what it takes from the pod.
    """
    if whole.get("runAsNonRoot") is not True:
        yield "runAsNonRoot"
    if own.get("runAsUser") == 0:
        yield "runAsUser"
    if own.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation"
    if (whole.get("seccompProfile") or {}).get("type") not in ("RuntimeDefault", "Localhost"):
        yield "seccompProfile"
    capabilities = own.get("capabilities") or {}
    if "ALL" not in (capabilities.get("drop") or ()) or {*(capabilities.get("add") or ())} - {"NET_BIND_SERVICE"}:
        yield "capabilities"


def _containers(spec: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yields the containers of a pod, each with the place where a file has it."""
    for container in spec["containers"]:
        yield "container", container
    for index, container in enumerate(spec.get("initContainers") or ()):
        yield f"pod.initContainers[{index}]", container


def _handlers(container: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yields the probes and hooks of a container."""
    yield from (container.get(name) or {} for name in _PROBES)
    yield from (handler or {} for handler in (container.get("lifecycle") or {}).values() if isinstance(handler, dict))
