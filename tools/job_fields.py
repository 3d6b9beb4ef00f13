"""Makes `job_fields.json`: the fields of batch/v1 Job and all below it, with the Go types that decide a conversion.

    python tools/job_fields.py FOLDER

FOLDER holds the modules of the package `lightkube-models` (made from the published OpenAPI of Kubernetes; 1.34 was
used). OpenAPI does not say which Go fields are pointers, nor which integers have 64 bits; the tables here add that.

A type is written as `s` text, `b` bool, `i` int32, `I` int64, `q` quantity, `x` int or text, `t` time, `o` any object,
`=Name` a struct, `[T` a list, `{T` a map by text. Before it stands `*` for a pointer, `!` for a field that Go writes
even when it is empty.

Source: k8s.io/api batch/v1 and core/v1, k8s.io/apimachinery meta/v1 (types.go).
"""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterator
from pathlib import Path

INT64 = frozenset(
    {
        "activeDeadlineSeconds",
        "terminationGracePeriodSeconds",
        "runAsUser",
        "runAsGroup",
        "fsGroup",
        "supplementalGroups",
        "tolerationSeconds",
        "expirationSeconds",
        "generation",
        "observedGeneration",
        "deletionGracePeriodSeconds",
        "seconds",
    }
)

_QUANTITIES = frozenset({"limits", "requests", "overhead"})

# Scalars that are no pointers, although Go leaves them out when they are empty; all other optional ones are pointers.
_PLAIN_NUMBERS = frozenset(
    [
        "ContainerPort.hostPort",
        "Probe.initialDelaySeconds",
        "Probe.timeoutSeconds",
        "Probe.periodSeconds",
        "Probe.successThreshold",
        "Probe.failureThreshold",
        "GCEPersistentDiskVolumeSource.partition",
        "AWSElasticBlockStoreVolumeSource.partition",
        "ObjectMeta.generation",
        "JobStatus.active",
        "JobStatus.succeeded",
        "JobStatus.failed",
        "ISCSIVolumeSource.lun",
    ]
)
_PLAIN_FLAGS = frozenset(
    [
        "PodSpec.hostNetwork",
        "PodSpec.hostPID",
        "PodSpec.hostIPC",
        "Container.stdin",
        "Container.stdinOnce",
        "Container.tty",
        "EphemeralContainer.stdin",
        "EphemeralContainer.stdinOnce",
        "EphemeralContainer.tty",
        "VolumeMount.readOnly",
        "PersistentVolumeClaimVolumeSource.readOnly",
    ]
)
# Flags of old volume sources are plain too, but for these.
_POINTER_FLAGS = frozenset(
    ["optional", "readOnly:CSIVolumeSource", "readOnly:AzureDiskVolumeSource", "controller", "blockOwnerDeletion"]
)
_OLD_FLAGS = frozenset({"readOnly", "chapAuthDiscovery", "chapAuthSession", "sslEnabled"})
_POINTER_TEXTS = frozenset(
    [
        "runtimeClassName",
        "preemptionPolicy",
        "restartPolicy:Container",
        "restartPolicy:EphemeralContainer",
        "mountPropagation",
        "recursiveReadOnly",
        "procMount",
        "localhostProfile",
        "supplementalGroupsPolicy",
        "fsGroupChangePolicy",
        "seLinuxChangePolicy",
        "hostProcess",
        "gmsaCredentialSpecName",
        "gmsaCredentialSpec",
        "runAsUserName",
        "storageClassName",
        "volumeMode",
        "volumeAttributesClassName",
        "apiGroup:TypedLocalObjectReference",
        "apiGroup:TypedObjectReference",
        "namespace:TypedObjectReference",
        "nodeAffinityPolicy",
        "nodeTaintsPolicy",
        "value:PodDNSConfigOption",
        "resourceClaimName",
        "resourceClaimTemplateName",
        "completionMode",
        "podReplacementPolicy",
        "managedBy",
        "containerName:PodFailurePolicyOnExitCodesRequirement",
        "succeededIndexes",
        "failedIndexes",
        "service:GRPCAction",
        "stopSignal",
        "type:HostPathVolumeSource",
        "fsType:CSIVolumeSource",
        "cachingMode",
        "fsType:AzureDiskVolumeSource",
        "kind:AzureDiskVolumeSource",
        "initiatorName",
        "hostnameOverride",
        "name:ClusterTrustBundleProjection",
        "signerName:ClusterTrustBundleProjection",
    ]
)
# Structs that are no pointers: Go writes them always, empty or not.
_PLAIN_STRUCTS = frozenset(
    {
        "metadata",
        "status:Job",
        "spec:Job",
        "spec:PodTemplateSpec",
        "spec:PersistentVolumeClaimTemplate",
        "resources:Container",
        "resources:EphemeralContainer",
        "resources:PersistentVolumeClaimSpec",
        "template",
        "preference",
        "podAffinityTerm",
    }
)
_SCALARS = {"str": "s", "bool": "b", "int": "i", "resource.Quantity": "q", "IntOrString": "x", "meta_v1.Time": "t"}


def main(arguments: list[str]) -> int:
    """Writes the file beside this module."""
    (folder,) = arguments
    classes = _classes(Path(folder))
    fields: dict[str, dict[str, str]] = {}
    todo = ["Job"]
    while todo:
        name = todo.pop()
        if name not in fields:
            fields[name] = dict(_fields(name, classes[name]))
            todo += [kind.split("=")[1] for kind in fields[name].values() if "=" in kind]
    target = Path(__file__).parents[1] / "src/kftune/katib/go/job_fields.json"
    rows = ",\n".join(f"{json.dumps(name)}: {json.dumps(fields[name])}" for name in sorted(fields))
    target.write_text(f"{{\n{rows}\n}}\n", encoding="utf-8")
    return 0


def _classes(folder: Path) -> dict[str, ast.ClassDef]:
    found: dict[str, ast.ClassDef] = {}
    for module in ("meta_v1", "core_v1", "batch_v1"):
        tree = ast.parse((folder / f"{module}.py").read_text(encoding="utf-8"))
        found |= {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    return found


def _fields(owner: str, declared: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for node in declared.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            annotation = ast.literal_eval(node.annotation)
            name = _json_name(node)
            required = not annotation.startswith("Optional[")
            inner = annotation.removeprefix("Optional[")[: None if required else -1]
            yield name, _mark(owner, name, inner, required) + _type(name, inner)


def _json_name(node: ast.AnnAssign) -> str:
    """Python's reserved words carry their name in the metadata of the field."""
    if isinstance(node.value, ast.Call):
        for keyword in node.value.keywords:
            if keyword.arg == "metadata":
                return str(ast.literal_eval(keyword.value)["json"])
    assert isinstance(node.target, ast.Name)  # noqa: S101 - the caller looked
    return node.target.id.rstrip("_")


def _type(name: str, annotation: str) -> str:
    if annotation.startswith("List["):
        return "[" + _type(name, annotation[5:-1])
    if annotation.startswith(("dict", "Dict")) and "," in annotation:
        return "{" + _type(name, annotation.split(",", 1)[1].rstrip("]").strip())
    if annotation in ("dict", "Dict"):
        return "{q" if name in _QUANTITIES else "{s"
    scalar = _SCALARS.get(annotation, _SCALARS.get(annotation.rsplit(".", maxsplit=1)[-1]))
    if annotation.endswith("Time"):
        scalar = "t"
    if annotation.endswith("FieldsV1"):
        scalar = "o"
    if scalar is None:
        return "=" + annotation.rsplit(".", maxsplit=1)[-1]
    return "I" if scalar == "i" and name in INT64 else scalar


def _mark(owner: str, name: str, annotation: str, required: bool) -> str:
    """`*` for a pointer, `!` for a field without omitempty."""
    kind = _type(name, annotation)
    if kind[0] in "[{":
        return "!" if required else ""
    if required:
        return "*" if name == "apiGroup" else "!"
    pointer = {
        "s": name in _POINTER_TEXTS or f"{name}:{owner}" in _POINTER_TEXTS,
        "b": _is_pointer_flag(owner, name),
        "i": f"{owner}.{name}" not in _PLAIN_NUMBERS,
        "I": f"{owner}.{name}" not in _PLAIN_NUMBERS,
        "q": name == "sizeLimit",
        "=": name not in _PLAIN_STRUCTS and f"{name}:{owner}" not in _PLAIN_STRUCTS,
        "t": name != "creationTimestamp",
    }.get(kind[0], False)
    if pointer:
        return "*"
    return "!" if kind[0] in "=qxt" else ""


def _is_pointer_flag(owner: str, name: str) -> bool:
    if f"{owner}.{name}" in _PLAIN_FLAGS:
        return False
    old_volume = owner.endswith("VolumeSource") and name in _OLD_FLAGS
    return not old_volume or f"{name}:{owner}" in _POINTER_FLAGS


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
