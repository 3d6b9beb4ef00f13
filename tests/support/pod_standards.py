"""Settings of a pod, and the strictest Pod Security Standard whose namespaces take it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kftune.spec.container import ContainerSettings

STANDARDS = ("restricted", "baseline", "privileged")


def _helper(**fields: Any) -> dict[str, Any]:
    return {"pod": {"initContainers": [{"name": "helper", "image": "registry.example/helper:1", **fields}]}}


def _of_pod(**context: Any) -> dict[str, Any]:
    return {"pod": {"securityContext": context}}


def _of_container(**context: Any) -> dict[str, Any]:
    return {"container": {"securityContext": context}}


def _capabilities(*names: str) -> dict[str, Any]:
    return {"security": {"capabilities": {"add": names}}}


def _volume(**source: Any) -> dict[str, Any]:
    return {"pod": {"volumes": [{"name": "more", **source}]}}


RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}
_PROBE = {"httpGet": {"port": 80, "host": "example.com"}}

CASES: Mapping[str, tuple[dict[str, Any], str]] = {
    "nothing": ({}, "restricted"),
    "users and groups": ({"security": {"run_as_user": 7, "run_as_group": 7, "fs_group": 7}}, "restricted"),
    "read_only_root": ({"security": {"read_only_root": True}}, "restricted"),
    "shared memory": ({"shared_memory": "8Mi"}, "restricted"),
    "each kind of volume": (
        {
            "volumes": [
                {"name": "a", "mount": "/a", "claim": "a", "sub_path": "b"},
                {"name": "b", "mount": "/b", "config_map": "b"},
                {"name": "c", "mount": "/c", "secret": "c"},
                {"name": "d", "mount": "/d", "empty_dir": True},
                {"name": "e", "mount": "/e", "csi": {"driver": "csi.example.com"}},
                {"name": "f", "mount": "/f", "ephemeral": {"size": "1Gi"}},
            ]
        },
        "restricted",
    ),
    "the one capability that restricted has": (_capabilities("NET_BIND_SERVICE"), "restricted"),
    "queue and labels": ({"queue": "gpus", "labels": {"a": "b"}, "annotations": {"a": "b"}}, "restricted"),
    "affinity": ({"affinity": {"spread": True}, "topology_spread": [{}]}, "restricted"),
    "a helper that is set up as the container": (_helper(securityContext=RESTRICTED), "restricted"),
    "a user for the whole pod": (_of_pod(runAsUser=7, runAsNonRoot=True), "restricted"),
    "a sysctl of the pod": (_of_pod(sysctls=[{"name": "net.ipv4.tcp_rmem", "value": "4096 8192 16384"}]), "restricted"),
    "a type of SELinux": (_of_container(seLinuxOptions={"type": "container_t"}), "restricted"),
    "a projected volume": (_volume(projected={"sources": []}), "restricted"),
    "an image as a volume": (_volume(image={"reference": "registry.example/data:1"}), "restricted"),
    "root": ({"security": {"run_as_non_root": False}}, "baseline"),
    "root by number": ({"security": {"run_as_non_root": False, "run_as_user": 0}}, "baseline"),
    "root by number, unless forbidden": (_of_container(runAsUser=0), "baseline"),
    "root in the pod": (_of_pod(runAsUser=0), "baseline"),
    "no word about root": (_of_container(runAsNonRoot=None), "baseline"),
    "root allowed in the pod": (_of_pod(runAsNonRoot=False), "baseline"),
    "a weak capability": (_capabilities("CHOWN", "SETUID"), "baseline"),
    "capabilities that stay": (_of_container(capabilities={"drop": ["NET_RAW"]}), "baseline"),
    "more rights later": (_of_container(allowPrivilegeEscalation=True), "baseline"),
    "no word about system calls": (_of_container(seccompProfile=None), "baseline"),
    "a helper without a context": (_helper(), "baseline"),
    "NFS": (_volume(nfs={"server": "nfs.example.com", "path": "/"}), "baseline"),
    "host_network": ({"host_network": True}, "privileged"),
    "host_ipc": ({"host_ipc": True}, "privileged"),
    "the node's processes": ({"pod": {"hostPID": True}}, "privileged"),
    "the node's network in Kubernetes' words": ({"pod": {"hostNetwork": True}}, "privileged"),
    "a strong capability": (_capabilities("IPC_LOCK"), "privileged"),
    "a strong capability beside a weak one": (_capabilities("CHOWN", "SYS_PTRACE"), "privileged"),
    "a folder of the node": (_volume(hostPath={"path": "/data"}), "privileged"),
    "a port of the node": (
        {"container": {"ports": [{"containerPort": 29500, "hostPort": 29500}]}},
        "privileged",
    ),
    "privileged": (_of_container(privileged=True, allowPrivilegeEscalation=True), "privileged"),
    "a privileged helper": (_helper(securityContext={"privileged": True}), "privileged"),
    "all system calls": (_of_container(seccompProfile={"type": "Unconfined"}), "privileged"),
    "all system calls of the pod": (_of_pod(seccompProfile={"type": "Unconfined"}), "privileged"),
    "no AppArmor": (_of_container(appArmorProfile={"type": "Unconfined"}), "privileged"),
    "a role of SELinux": (_of_container(seLinuxOptions={"role": "r"}), "privileged"),
    "a type of SELinux that is not confined": (_of_pod(seLinuxOptions={"type": "spc_t"}), "privileged"),
    "a sysctl of the node": (_of_pod(sysctls=[{"name": "kernel.msgmax", "value": "65536"}]), "privileged"),
    "a probe of another host": ({"container": {"livenessProbe": _PROBE}}, "privileged"),
    "a hook on another host": ({"container": {"lifecycle": {"postStart": _PROBE}}}, "privileged"),
}
"""What is set -> the settings, and the standard."""


def container_of(name: str) -> ContainerSettings:
    """Returns the container of a case."""
    return ContainerSettings.model_validate({"image": "registry.example/train:1", **CASES[name][0]})
