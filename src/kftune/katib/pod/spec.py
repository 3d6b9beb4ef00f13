"""What the API server refuses in the spec of a pod as a whole."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from kftune.katib.go.types import Path
from kftune.katib.go.unstructured import as_list, as_map, maps
from kftune.katib.pod.checks import (
    ADDRESS,
    ID,
    KEY,
    LABEL,
    NAME,
    OPTIONAL_LABEL,
    OPTIONAL_NAME,
    Check,
    Problem,
    all_of,
    each,
    fields,
    labels,
    one_of,
    text,
    unique,
)
from kftune.katib.pod.container import (
    APP_ARMOR,
    CONTAINER,
    TYPES,
    init_problems,
    node_port_problems,
    port_problems,
    profile,
)
from kftune.katib.pod.placing import AFFINITY, SPREAD, TOLERATIONS
from kftune.katib.pod.resources import claim_problems, pod_resource_problems
from kftune.katib.pod.values import VALUES
from kftune.katib.pod.volumes import VOLUMES, mount_problems

_SYSCTL = re.compile(r"(?:[a-z0-9](?:[-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9](?:[-_a-z0-9]*[a-z0-9])?")
_IPC_SYSCTLS = ("kernel.shm", "kernel.msg", "fs.mqueue.", "kernel.sem")
_DOMAIN = r"[a-z0-9_](?:[-_a-z0-9]*[a-z0-9_])?"
_SEARCH = text(re.compile(rf"\.|{_DOMAIN}(?:\.{_DOMAIN})*\.?").fullmatch, "a domain")
_GRACE_SECONDS = 30


def _at_most(count: int) -> Check:
    def check(value: Any, path: Path) -> Iterator[Problem]:
        if len(as_list(value)) > count:
            yield Problem(path, f"{path[-1]} may have at most {count} items")

    return check


def _no_containers(value: object, path: Path) -> Iterator[Problem]:
    if value:
        yield Problem(path, "a pod template has no ephemeralContainers: they are added to a running pod")


_POD = fields(
    {
        "volumes": VOLUMES,
        "initContainers": each(CONTAINER),
        "containers": each(CONTAINER),
        "ephemeralContainers": _no_containers,
        "tolerations": TOLERATIONS,
        "affinity": AFFINITY,
        "topologySpreadConstraints": SPREAD,
        "nodeSelector": labels,
        "dnsPolicy": one_of(*VALUES["dnsPolicy"]),
        "dnsConfig": fields(
            {
                "nameservers": all_of(_at_most(3), each(ADDRESS)),
                "searches": all_of(_at_most(32), each(_SEARCH)),
                "options": each(fields({}, "name")),
            }
        ),
        "hostAliases": each(fields({"ip": ADDRESS, "hostnames": each(NAME)})),
        "hostname": OPTIONAL_LABEL,
        "subdomain": OPTIONAL_LABEL,
        "serviceAccountName": OPTIONAL_NAME,
        "priorityClassName": OPTIONAL_NAME,
        "runtimeClassName": NAME,
        "nodeName": OPTIONAL_NAME,
        "preemptionPolicy": one_of(*VALUES["preemptionPolicy"]),
        "os": fields({"name": one_of("linux", "windows")}, "name"),
        "schedulingGates": all_of(each(fields({"name": KEY}, "name")), unique("name")),
        "readinessGates": each(fields({"conditionType": KEY}, "conditionType")),
        "hostnameOverride": NAME,
        "resourceClaims": each(
            fields({"name": LABEL, "resourceClaimName": NAME, "resourceClaimTemplateName": NAME}, "name")
        ),
        "securityContext": fields(
            {
                "runAsUser": ID,
                "runAsGroup": ID,
                "fsGroup": ID,
                "supplementalGroups": each(ID),
                "fsGroupChangePolicy": one_of("Always", "OnRootMismatch"),
                "supplementalGroupsPolicy": one_of("Merge", "Strict"),
                "seLinuxChangePolicy": one_of("Recursive", "MountOption"),
                "seccompProfile": profile(TYPES),
                "appArmorProfile": APP_ARMOR,
                "sysctls": all_of(
                    each(fields({"name": text(_SYSCTL.fullmatch, "a sysctl's name")}, "name")), unique("name")
                ),
            }
        ),
    }
)


def spec_problems(spec: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    """Yields why the API server refuses a pod with this spec.

    Names, images, ports and resources of containers, and names and sources of volumes, are checked elsewhere.

    Args:
        spec: The spec.
        path: Its path.
    """
    yield from _POD(spec, path)
    if spec.get("dnsPolicy") == "None" and not as_map(spec.get("dnsConfig")).get("nameservers"):
        yield Problem((*path, "dnsPolicy"), "dnsPolicy None needs nameservers in dnsConfig")
    yield from _host_problems(spec, path)
    containers = [*maps(spec, "containers", path)]
    first = [*maps(spec, "initContainers", path)]
    yield from port_problems(containers, shares=spec.get("hostNetwork") is True)
    volumes = {str(volume.get("name")): volume for volume, _ in maps(spec, "volumes", path)}
    for container, at in (*first, *containers):
        yield from mount_problems(container, volumes, at)
        yield from _stop_problems(container, spec, at)
    for container, at in first:
        yield from init_problems(container, at)
    yield from pod_resource_problems(spec, path)
    yield from claim_problems(spec, path)


def creation_problems(spec: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    """Yields why the API server refuses a pod, but not a Job that has it as its template.

    Args:
        spec: The spec.
        path: Its path.
    """
    containers = [*maps(spec, "containers", path)]
    for container, at in (*maps(spec, "initContainers", path), *containers):
        image = container.get("image")
        if isinstance(image, str) and image != image.strip():
            yield Problem((*at, "image"), f"{image!r} starts or ends with a blank")
    if spec.get("hostNetwork") is True:
        yield from node_port_problems(containers)
    if spec.get("priority") and not spec.get("priorityClassName"):
        yield Problem((*path, "priority"), "a pod takes its priority from a priorityClassName")
    if spec.get("nodeName") and spec.get("schedulingGates"):
        yield Problem((*path, "nodeName"), "schedulingGates exclude nodeName")


def _host_problems(spec: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    if spec.get("hostPID") is True and spec.get("shareProcessNamespace") is True:
        yield Problem((*path, "shareProcessNamespace"), "shareProcessNamespace excludes hostPID")
    for name in ("hostNetwork", "setHostnameAsFQDN"):
        if spec.get("hostnameOverride") is not None and spec.get(name) is True:
            yield Problem((*path, "hostnameOverride"), f"{name} excludes hostnameOverride")
    own_users = spec.get("hostUsers") is False
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        if own_users and spec.get(name) is True:
            yield Problem((*path, name), f"hostUsers: false excludes {name}")
    for index, each_one in enumerate(as_list(as_map(spec.get("securityContext")).get("sysctls"))):
        name = str(as_map(each_one).get("name")).replace("/", ".")
        at = (*path, "securityContext", "sysctls", index, "name")
        if spec.get("hostNetwork") is True and name.startswith("net."):
            yield Problem(at, f"hostNetwork excludes {name}")
        if spec.get("hostIPC") is True and name.startswith(_IPC_SYSCTLS):
            yield Problem(at, f"hostIPC excludes {name}")


def _stop_problems(container: Mapping[str, Any], spec: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    """Yields settings of a container that need others of its pod."""
    context = as_map(container.get("securityContext"))
    if context.get("procMount") == "Unmasked" and spec.get("hostUsers") is not False:
        yield Problem((*path, "securityContext", "procMount"), "procMount Unmasked needs hostUsers: false in the pod")
    for index, policy in enumerate(as_list(container.get("resizePolicy"))):
        if as_map(policy).get("restartPolicy") == "RestartContainer" and spec.get("restartPolicy") == "Never":
            at = (*path, "resizePolicy", index, "restartPolicy")
            yield Problem(at, "restartPolicy RestartContainer needs another restartPolicy of the pod than Never")
    grace = spec.get("terminationGracePeriodSeconds", _GRACE_SECONDS)
    hooks = as_map(container.get("lifecycle"))
    for name in ("postStart", "preStop"):
        seconds = as_map(as_map(hooks.get(name)).get("sleep")).get("seconds")
        if isinstance(seconds, int) and isinstance(grace, int) and not 0 <= seconds <= grace:
            message = f"sleep must be between 0 and terminationGracePeriodSeconds {grace}, not {seconds}"
            yield Problem((*path, "lifecycle", name, "sleep", "seconds"), message)
