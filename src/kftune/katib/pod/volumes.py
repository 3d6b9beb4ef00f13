"""What the API server refuses in a pod's volumes and in how containers mount them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from kftune.katib.go.types import Path
from kftune.katib.go.unstructured import as_list, as_map
from kftune.katib.pod.checks import (
    ABSOLUTE,
    AMOUNT,
    BELOW,
    FILE,
    MODE,
    NO_STEPS_BACK,
    SOME,
    Check,
    Problem,
    all_of,
    each,
    fields,
    is_subdomain,
    on_map,
    one_of,
    text,
    unique,
    whole,
)
from kftune.katib.pod.values import VALUES

_ITEMS = each(fields({"path": FILE, "mode": MODE}, "key", "path"))
_FIELDS = re.compile(r"metadata\.(?:name|namespace|uid|labels|annotations)|metadata\.(?:labels|annotations)\['[^']+'\]")


def _one_source(*names: str, least: int = 1) -> Check:
    def check(value: Mapping[str, Any], path: Path) -> Iterator[Problem]:
        given = [name for name in names if value.get(name) is not None]
        if not least <= len(given) <= 1:
            yield Problem(path, f"exactly one of {', '.join(names)} is needed, not {', '.join(given) or 'none'}")

    return on_map(check)


_DOWNWARD = each(
    all_of(
        _one_source("fieldRef", "resourceFieldRef"),
        fields(
            {
                "path": FILE,
                "mode": MODE,
                "fieldRef": fields({"fieldPath": text(_FIELDS.fullmatch, "a field of metadata")}, "fieldPath"),
                "resourceFieldRef": fields({}, "containerName", "resource"),
            },
            "path",
        ),
    )
)
_NAMED = fields({"items": _ITEMS, "defaultMode": MODE}, "name")
_PROJECTIONS = ("configMap", "secret", "downwardAPI", "serviceAccountToken", "clusterTrustBundle", "podCertificate")
_PROJECTED = fields(
    {
        "defaultMode": MODE,
        "sources": each(
            all_of(
                _one_source(*_PROJECTIONS, least=0),
                fields(
                    {
                        "configMap": _NAMED,
                        "secret": _NAMED,
                        "downwardAPI": fields({"items": _DOWNWARD}),
                        "serviceAccountToken": fields({"path": BELOW, "expirationSeconds": whole(600, 2**32)}, "path"),
                    }
                ),
            )
        ),
    }
)


def _alone(value: object, path: Path) -> Iterator[Problem]:
    if isinstance(value, list) and "ReadWriteOncePod" in value and len(value) > 1:
        yield Problem(path, "ReadWriteOncePod excludes other access modes")


_CLAIM = fields(
    {
        "accessModes": all_of(
            each(one_of("ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod")), _alone
        ),
        "storageClassName": text(lambda value: not value or is_subdomain(value), "the name of a storage class"),
        "volumeMode": one_of("Filesystem", "Block"),
        "resources": fields(
            {"requests": fields({"storage": SOME}, "storage")},
            "requests",
        ),
    },
    "accessModes",
    "resources",
)


def _no_name(value: object, path: Path) -> Iterator[Problem]:
    if as_map(value).get("name"):
        yield Problem((*path, "name"), "the claim's name is made from those of pod and volume")


_PATH_TYPES = ("DirectoryOrCreate", "Directory", "FileOrCreate", "File", "Socket", "CharDevice", "BlockDevice")
VOLUMES = each(
    fields(
        {
            "configMap": fields({"items": _ITEMS, "defaultMode": MODE}),
            "secret": fields({"items": _ITEMS, "defaultMode": MODE}),
            "downwardAPI": fields({"items": _DOWNWARD, "defaultMode": MODE}),
            "projected": _PROJECTED,
            "hostPath": fields(
                {
                    "path": NO_STEPS_BACK,
                    "type": one_of("", *_PATH_TYPES),
                }
            ),
            "nfs": fields({"path": ABSOLUTE}, "path"),
            "emptyDir": fields({"sizeLimit": AMOUNT}),
            "csi": fields(
                {
                    "driver": text(lambda value: is_subdomain(value.lower()), "the name of a driver"),
                    "nodePublishSecretRef": fields({}, "name"),
                },
                "driver",
            ),
            "ephemeral": fields(
                {"volumeClaimTemplate": fields({"spec": _CLAIM, "metadata": _no_name}, "spec")}, "volumeClaimTemplate"
            ),
            "image": fields({"pullPolicy": one_of(*VALUES["imagePullPolicy"])}),
            "cephfs": fields({}, "monitors"),
            "flexVolume": fields({}, "driver"),
        }
    )
)


def _mount(value: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    if value.get("subPath") and value.get("subPathExpr"):
        yield Problem((*path, "subPathExpr"), "a mount has subPath or subPathExpr, not both")
    if value.get("recursiveReadOnly") in ("Enabled", "IfPossible"):
        if value.get("readOnly") is not True:
            yield Problem((*path, "recursiveReadOnly"), "recursiveReadOnly needs readOnly: true")
        if value.get("mountPropagation") in ("Bidirectional", "HostToContainer"):
            yield Problem((*path, "recursiveReadOnly"), "recursiveReadOnly excludes mountPropagation")


MOUNTS = each(
    all_of(
        fields(
            {
                "subPath": BELOW,
                "subPathExpr": BELOW,
                "mountPropagation": one_of(*VALUES["mountPropagation"]),
                "recursiveReadOnly": one_of("Disabled", "IfPossible", "Enabled"),
            }
        ),
        on_map(_mount),
    )
)
DEVICES = all_of(
    each(fields({"devicePath": NO_STEPS_BACK}, "name", "devicePath")), unique("name"), unique("devicePath")
)


def mount_problems(container: Mapping[str, Any], volumes: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    """Yields what is wrong with mounts and devices of a container that depends on other fields.

    Args:
        container: The container.
        volumes: The pod's volumes by name.
        path: The container's path.
    """
    mounts = [as_map(mount) for mount in as_list(container.get("volumeMounts"))]
    if as_map(container.get("securityContext")).get("privileged") is not True:
        for index, mount in enumerate(mounts):
            if mount.get("mountPropagation") == "Bidirectional":
                at = (*path, "volumeMounts", index, "mountPropagation")
                yield Problem(at, "only a privileged container has mountPropagation Bidirectional")
    places = {str(mount.get("mountPath")) for mount in mounts}
    mounted = {str(mount.get("name")) for mount in mounts}
    for index, device in enumerate(as_list(container.get("volumeDevices"))):
        name, at = as_map(device).get("name"), (*path, "volumeDevices", index, "name")
        volume = volumes.get(str(name))
        if volume is None:
            yield Problem(at, f"the pod has no volume {name!r}")
        elif not {"persistentVolumeClaim", "ephemeral"} & {*volume}:
            yield Problem(at, f"{name} is no device: it needs persistentVolumeClaim or ephemeral")
        if str(name) in mounted:
            yield Problem(at, f"{name} is in volumeMounts too")
        if str(as_map(device).get("devicePath")) in places:
            yield Problem((*path, "volumeDevices", index, "devicePath"), "a mount has this path too")
