"""What the API server refuses in a container, apart from its name, image, resources and mounted volumes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from kftune.katib.go.names import is_config_key
from kftune.katib.go.types import Path
from kftune.katib.go.unstructured import PlacedMap, as_list, as_map, maps
from kftune.katib.pod.checks import (
    BELOW,
    ID,
    NAME,
    Check,
    Problem,
    all_of,
    each,
    fields,
    is_key,
    is_open,
    on_map,
    one_of,
    text,
    unique,
    whole,
)
from kftune.katib.pod.values import VALUES
from kftune.katib.pod.volumes import DEVICES, MOUNTS

_PORT_NAME = re.compile(r"(?=.*[a-z])(?!.*--)[a-z0-9](?:[a-z0-9-]{0,13}[a-z0-9])?")
_HEADER = re.compile(r"[-A-Za-z0-9]+")
_VARIABLE = re.compile(r"[ -<>-~]*")
_FIELDS = re.compile(
    r"metadata\.(?:name|namespace|uid)|spec\.(?:nodeName|host|serviceAccountName)|status\.(?:hostIP|podIP)s?"
    r"|metadata\.(?:labels|annotations)\['[^']+'\]"
)
_UNITS = re.compile(r"0|1(?:[kMGTPE]|[KMGTPE]i)?")


def _divisor(value: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    resource, given = str(value.get("resource")), str(value.get("divisor", 1))
    right = given in ("0", "1", "1m", "1000m") if resource.endswith(".cpu") else _UNITS.fullmatch(given)
    if not right and not is_open(given):
        must = "1 or 1m" if resource.endswith(".cpu") else "1 or a unit such as 1Mi"
        yield Problem((*path, "divisor"), f"divisor must be {must}, not {given!r}")


_RESOURCES = re.compile(r"(?:limits|requests)\.(?:cpu|memory|ephemeral-storage|hugepages-.*)")
_KEY = fields({"name": NAME, "key": text(is_config_key, "letters, digits, '-', '_' and '.'")}, "name", "key")
_FROM = fields({"name": NAME}, "name")


def _is_field(value: str) -> bool:
    inner = value.partition("['")[2].removesuffix("']")
    return _FIELDS.fullmatch(value) is not None and (not inner or is_key(inner))


_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_PROBE_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")
_HOOK_HANDLERS = ("exec", "httpGet", "tcpSocket", "sleep")


def _handler(names: tuple[str, ...]) -> Check:
    def counted(value: Mapping[str, Any], path: Path) -> Iterator[Problem]:
        given = [name for name in names if value.get(name) is not None]
        if len(given) != 1:
            yield Problem(path, f"{path[-1]} needs exactly one of {', '.join(names)}, not {', '.join(given) or 'none'}")

    def port(value: Any, path: Path) -> Iterator[Problem]:
        yield from whole(1, 65535)(value, path)
        yield from text(_PORT_NAME.fullmatch, "a number or the name of a port")(value, path)

    checks = {
        "exec": fields({}, "command"),
        "httpGet": fields(
            {
                "port": port,
                "scheme": one_of("HTTP", "HTTPS"),
                "httpHeaders": each(fields({"name": text(_HEADER.fullmatch, "letters, digits and '-'")}, "name")),
            },
            "port",
        ),
        "tcpSocket": fields({"port": port}, "port"),
        "grpc": fields({"port": whole(1, 65535)}, "port"),
    }
    return all_of(on_map(counted), fields(checks))


def _probe(kind: str) -> Check:
    def settled(value: Mapping[str, Any], path: Path) -> Iterator[Problem]:
        if kind != "readinessProbe":
            threshold = value.get("successThreshold")
            if isinstance(threshold, int) and threshold > 1:
                yield Problem((*path, "successThreshold"), f"successThreshold must be 1, not {threshold}")
        elif value.get("terminationGracePeriodSeconds") is not None:
            yield Problem((*path, "terminationGracePeriodSeconds"), "a readinessProbe ends no container")

    names = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")
    counts = {name: whole(0) for name in names}
    return all_of(
        _handler(_PROBE_HANDLERS),
        on_map(settled),
        fields({**counts, "terminationGracePeriodSeconds": whole(1)}),
    )


def profile(kinds: tuple[str, ...]) -> Check:
    """Returns a check of a seccomp or AppArmor profile.

    Args:
        kinds: Its types.
    """

    def local(value: Mapping[str, Any], path: Path) -> Iterator[Problem]:
        if value.get("type") == "Localhost" and not value.get("localhostProfile"):
            yield Problem(path, "type Localhost needs localhostProfile")
        elif value.get("type") in kinds and value.get("type") != "Localhost" and value.get("localhostProfile"):
            yield Problem((*path, "localhostProfile"), "localhostProfile needs type Localhost")

    return all_of(on_map(local), fields({"localhostProfile": BELOW}))


TYPES = ("RuntimeDefault", "Unconfined", "Localhost")
APP_ARMOR = all_of(fields({"type": one_of(*TYPES)}, "type"), profile(TYPES))


def _one_reference(value: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    if ("configMapRef" in value) == ("secretRef" in value):
        yield Problem(path, "envFrom needs either configMapRef or secretRef")


def _rights(value: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    if value.get("allowPrivilegeEscalation") is False:
        if value.get("privileged") is True:
            yield Problem((*path, "privileged"), "privileged: true excludes allowPrivilegeEscalation: false")
        if "CAP_SYS_ADMIN" in as_list(as_map(value.get("capabilities")).get("add")):
            place = (*path, "capabilities", "add")
            yield Problem(place, "the capability CAP_SYS_ADMIN excludes allowPrivilegeEscalation: false")


CONTAINER = fields(
    {
        "ports": all_of(
            each(
                fields(
                    {
                        "name": text(_PORT_NAME.fullmatch, "at most 15 lower-case letters, digits and '-'"),
                        "protocol": one_of(*VALUES["protocol"]),
                        "hostPort": whole(0, 65535),
                    },
                    "containerPort",
                )
            ),
            unique("name"),
        ),
        "env": each(
            fields(
                {
                    "valueFrom": fields(
                        {
                            "fieldRef": fields(
                                {"fieldPath": text(_is_field, "a field such as metadata.name or status.podIP")},
                                "fieldPath",
                            ),
                            "resourceFieldRef": all_of(
                                fields(
                                    {"resource": text(_RESOURCES.fullmatch, "a resource such as limits.memory")},
                                    "resource",
                                ),
                                on_map(_divisor),
                            ),
                            "secretKeyRef": _KEY,
                            "configMapKeyRef": _KEY,
                        }
                    )
                }
            )
        ),
        "envFrom": each(
            all_of(
                fields(
                    {
                        "configMapRef": _FROM,
                        "secretRef": _FROM,
                        "prefix": text(_VARIABLE.fullmatch, "the beginning of a variable's name"),
                    }
                ),
                on_map(_one_reference),
            )
        ),
        "volumeMounts": MOUNTS,
        "volumeDevices": DEVICES,
        "terminationMessagePolicy": one_of(*VALUES["terminationMessagePolicy"]),
        "securityContext": all_of(
            fields(
                {
                    "runAsUser": ID,
                    "runAsGroup": ID,
                    "procMount": one_of(*VALUES["procMount"]),
                    "seccompProfile": profile(TYPES),
                    "appArmorProfile": APP_ARMOR,
                }
            ),
            on_map(_rights),
        ),
        "lifecycle": fields({"postStart": _handler(_HOOK_HANDLERS), "preStop": _handler(_HOOK_HANDLERS)}),
        "restartPolicy": one_of("Always", "OnFailure", "Never"),
        "resizePolicy": all_of(
            unique("resourceName"),
            each(
                fields(
                    {
                        "resourceName": one_of("cpu", "memory"),
                        "restartPolicy": one_of("NotRequired", "RestartContainer"),
                    }
                )
            ),
        ),
        **{kind: _probe(kind) for kind in _PROBES},
    }
)


def init_problems(container: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    """Yields what an init container that ends cannot have.

    Args:
        container: The init container.
        path: Its path.
    """
    if container.get("restartPolicy") != "Always" and not is_open(container.get("restartPolicy")):
        for name in ("lifecycle", *_PROBES):
            if container.get(name) is not None:
                yield Problem((*path, name), f"an init container has {name} only with restartPolicy: Always")


def port_problems(containers: list[tuple[Mapping[str, Any], Path]], *, shares: bool) -> Iterator[Problem]:
    """Yields ports of the node that containers of one pod cannot have.

    Args:
        containers: The containers with their paths.
        shares: Whether the pod uses the node's network.
    """
    for port, at in _ports(containers):
        outside = port.get("hostPort")
        if shares and outside and outside != port.get("containerPort"):
            yield Problem((*at, "hostPort"), "hostPort must be containerPort in a pod with hostNetwork")
    yield from _taken_twice([(port, port.get("hostPort"), at) for port, at in _ports(containers)])


def node_port_problems(containers: list[tuple[Mapping[str, Any], Path]]) -> Iterator[Problem]:
    """Yields ports that containers of one pod cannot have on their node's network, where each is a port of the node.

    Args:
        containers: The containers with their paths.
    """
    inside = [(port, port.get("containerPort"), at) for port, at in _ports(containers) if not port.get("hostPort")]
    yield from _taken_twice(inside)


def _ports(containers: list[tuple[Mapping[str, Any], Path]]) -> Iterator[PlacedMap]:
    for container, path in containers:
        yield from maps(container, "ports", path)


def _taken_twice(ports: list[tuple[Mapping[str, Any], object, Path]]) -> Iterator[Problem]:
    taken: set[tuple[str, ...]] = set()
    for port, number, at in ports:
        key = (str(port.get("protocol") or "TCP"), str(port.get("hostIP") or ""), str(number))
        if number and key in taken:
            yield Problem(at, f"two containers have the port {number} of the node")
        taken.add(key)
