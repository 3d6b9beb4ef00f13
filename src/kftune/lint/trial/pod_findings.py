"""What the API server refuses of the pods in a trial's object.

Source: Kubernetes 1.34, pkg/apis/core/validation and pkg/apis/batch/validation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from kftune.katib.admission.server import metadata_reasons
from kftune.katib.go.quantity import parse
from kftune.katib.go.types import Path
from kftune.lint.rules.findings import finding
from kftune.lint.rules.rule import Finding
from kftune.lint.trial.pods import TRIAL, Pod, as_list, as_map

_LABEL = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")
_VARIABLE = re.compile(r"[!-<>-~ ]+")  # printable ASCII but for '=', since Kubernetes 1.34
_ORDINARY_IMAGE = re.compile(r"[a-z0-9.]+(?:[./-][a-z0-9]+)*:[a-z0-9.]{1,30}")
_SECCOMP = ("RuntimeDefault", "Unconfined", "Localhost")
_PULL = ("Always", "IfNotPresent", "Never", "")
_NOT_BELOW_ZERO = ("backoffLimit", "activeDeadlineSeconds", "parallelism", "completions", "ttlSecondsAfterFinished")
_PLAIN_RESOURCES = frozenset({"cpu", "memory", "ephemeral-storage"})
_VOLUME_NEEDS = {
    "hostPath": "path",
    "persistentVolumeClaim": "claimName",
    "configMap": "name",
    "secret": "secretName",
    "nfs": "server",
}


@cache
def _image() -> re.Pattern[str]:
    """An image's name; it takes longer to compile than most files to lint, so that it is left for odd names.

    Source: github.com/distribution/reference (regexp.go).
    """
    part = r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
    return re.compile(
        rf"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]+)?/)?{part}(?:/{part})*"
        r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@[a-z0-9]+:[0-9a-fA-F]{32,})?"
    )


def job_findings(trial: Mapping[str, Any]) -> Iterator[Finding]:
    """What is wrong with a Job around its pod."""
    spec = as_map(trial.get("spec"))
    for name in _NOT_BELOW_ZERO:
        value = spec.get(name)
        if isinstance(value, int) and value < 0:
            yield finding("KT276", (*TRIAL, "spec", name), f"{name} is {value}, and below 0 no Job is created")
    if spec.get("activeDeadlineSeconds") == 0:
        message = "activeDeadlineSeconds is 0: each trial's Job is stopped before it begins"
        yield finding("KT276", (*TRIAL, "spec", "activeDeadlineSeconds"), message, "fails")
    if spec.get("completionMode") == "Indexed" and spec.get("completions") is None:
        yield finding("KT276", (*TRIAL, "spec"), "an Indexed Job needs completions: no Job is created")
    elif spec.get("completionMode") not in (None, "Indexed", "NonIndexed"):
        yield finding("KT276", (*TRIAL, "spec", "completionMode"), "completionMode is Indexed or NonIndexed")
    if spec.get("manualSelector") is not True and spec.get("selector") is not None:
        message = "a Job makes its selector itself; with one of its own and no manualSelector no Job is created"
        yield finding("KT276", (*TRIAL, "spec", "selector"), message)


def pod_findings(pod: Pod, kind: str) -> Iterator[Finding]:
    """What is wrong with one pod template.

    Args:
        pod: The template and its path.
        kind: The kind of the trial's object; a Job asks for more than a pod does.
    """
    refused = f"no {'Job' if kind == 'Job' else 'pod'} is created"
    policy = pod.spec.get("restartPolicy")
    if kind == "Job" and policy not in ("Never", "OnFailure"):
        message = f"a Job's restartPolicy is Never or OnFailure, and this is {policy or 'not given'}: {refused}"
        yield finding("KT270", (*pod.path, "spec", "restartPolicy"), message)
    yield from _label_findings(pod, refused)
    yield from _volume_findings(pod, refused)
    if not as_list(pod.spec.get("containers")):
        yield finding("KT271", (*pod.path, "spec", "containers"), f"a pod has at least one container: {refused}")
    names: set[str] = set()
    volumes = {str(volume.get("name")) for volume in map(as_map, as_list(pod.spec.get("volumes")))}
    yield from _seccomp_findings(as_map(pod.spec.get("securityContext")), (*pod.path, "spec"), refused)
    for group in ("initContainers", "containers"):
        for container, path in pod.containers(group):
            yield from _container_findings(container, path, names, refused)
            yield from _mount_findings(container, path, volumes, refused)
            yield from _seccomp_findings(as_map(container.get("securityContext")), path, refused)
            yield from setting_findings(container, path, refused)


def setting_findings(container: Mapping[str, Any], path: Path, refused: str) -> Iterator[Finding]:
    """What is wrong with a container's image, variables and resources.

    Args:
        container: The container.
        path: Where it stands.
        refused: What comes of it.
    """
    image = container.get("image")
    if (
        isinstance(image, str)
        and image
        and not _ORDINARY_IMAGE.fullmatch(image)
        and "${" not in image
        and not _image().fullmatch(image)
    ):
        message = f"{image[:80]!r} is no image that can be pulled, which is [registry/]name[:tag][@sha256:digest]"
        yield finding("KT278", (*path, "image"), message)
    yield from _variable_findings(container, path, refused)
    yield from _resource_findings(as_map(container.get("resources")), (*path, "resources"), refused)


def patch_findings(pod: Pod, refused: str) -> Iterator[Finding]:
    """What is wrong with a patch of a pod, which leaves out what the pod has already.

    Args:
        pod: The patch and its path.
        refused: What comes of it.
    """
    yield from _label_findings(pod, refused)
    yield from _volume_findings(pod, refused)
    yield from _seccomp_findings(as_map(pod.spec.get("securityContext")), (*pod.path, "spec"), refused)
    for group in ("initContainers", "containers"):
        for container, path in pod.containers(group):
            name = str(container.get("name"))
            if not _LABEL.fullmatch(name):
                yield finding("KT271", (*path, "name"), f"{name[:60]!r} is no container's name: {refused}")
            mounts = {str(mount.get("name")) for mount in map(as_map, as_list(container.get("volumeMounts")))}
            for mount in sorted(mount for mount in mounts if not _LABEL.fullmatch(mount)):
                yield finding("KT272", (*path, "volumeMounts"), f"{mount[:60]!r} is no name for a volume: {refused}")
            yield from _mount_findings(container, path, mounts, refused)
            yield from _seccomp_findings(as_map(container.get("securityContext")), path, refused)


def _seccomp_findings(context: Mapping[str, Any], path: Path, refused: str) -> Iterator[Finding]:
    profile = context.get("seccompProfile")
    if isinstance(profile, dict) and profile.get("type") not in _SECCOMP:
        at = (*path, "securityContext", "seccompProfile")
        message = f"type is RuntimeDefault, Unconfined or Localhost, not {profile.get('type')!r}: {refused}"
        yield finding("KT277", at, message)


def _label_findings(pod: Pod, refused: str) -> Iterator[Finding]:
    metadata = as_map(pod.template.get("metadata"))
    texts = {
        group: {key: text for key, text in as_map(metadata.get(group)).items() if isinstance(text, str)}
        for group in ("labels", "annotations")
    }
    if not texts["labels"] and not texts["annotations"]:
        return
    for reason in metadata_reasons({"name": "x", **texts}):
        inside = reason.path[1:]
        if not any("${" in str(part) for part in (*inside, texts[str(inside[0])].get(str(inside[-1]), ""))):
            yield finding("KT277", (*pod.path, "metadata", *inside), f"{reason.detail}: {refused}")


def _volume_findings(pod: Pod, refused: str) -> Iterator[Finding]:
    names: set[str] = set()
    for index, volume in enumerate(map(as_map, as_list(pod.spec.get("volumes")))):
        path = (*pod.path, "spec", "volumes", index)
        name = str(volume.get("name") or "")
        if "${" not in name and not _LABEL.fullmatch(name):
            yield finding("KT277", (*path, "name"), f"{name!r} is no name for a volume: {refused}")
        if name in names:
            yield finding("KT277", (*path, "name"), f"two volumes are called {name!r}: {refused}")
        names.add(name)
        sources = [field for field in volume if field != "name" and volume[field] is not None]
        if len(sources) > 1:
            yield finding("KT277", path, f"a volume has one source, and this has {' and '.join(sources)}: {refused}")
        for source in sources:
            needed = _VOLUME_NEEDS.get(source)
            if needed is not None and not as_map(volume[source]).get(needed):
                yield finding("KT277", (*path, source), f"{source} needs {needed}: {refused}")


def _container_findings(container: Mapping[str, Any], path: Path, names: set[str], refused: str) -> Iterator[Finding]:
    name = str(container.get("name") or "")
    if name in names:
        yield finding("KT271", (*path, "name"), f"two containers are called {name!r}: {refused}")
    names.add(name)
    if not name or not container.get("image"):
        missing = "name" if not name else "image"
        yield finding("KT271", path, f"a container has no {missing}: {refused}")
    elif "${" not in name and not _LABEL.fullmatch(name):
        message = f"{name!r} is no container's name, which has lower case letters, digits and '-': {refused}"
        yield finding("KT271", (*path, "name"), message)
    image = container.get("image")
    if isinstance(image, str) and image != image.strip():
        yield finding("KT271", (*path, "image"), f"{image!r} has blanks at its ends: {refused}")
    pull = container.get("imagePullPolicy")
    if isinstance(pull, str) and "${" not in pull and pull not in _PULL:
        message = f"imagePullPolicy is Always, IfNotPresent or Never, not {pull!r}: {refused}"
        yield finding("KT271", (*path, "imagePullPolicy"), message)
    for index, port in enumerate(map(as_map, as_list(container.get("ports")))):
        number = port.get("containerPort")
        if isinstance(number, int) and not 0 < number < 65536:
            yield finding("KT271", (*path, "ports", index), f"{number} is no port: {refused}")


def _mount_findings(container: Mapping[str, Any], path: Path, volumes: set[str], refused: str) -> Iterator[Finding]:
    places: set[str] = set()
    for index, mount in enumerate(map(as_map, as_list(container.get("volumeMounts")))):
        at = (*path, "volumeMounts", index)
        if str(mount.get("name")) not in volumes:
            message = f"volumeMounts names {mount.get('name')!r}, which is no volume of the pod: {refused}"
            yield finding("KT272", (*at, "name"), message)
        place = mount.get("mountPath")
        if not place:
            yield finding("KT272", at, f"a mount has no mountPath: {refused}")
        elif str(place) in places:
            yield finding("KT272", (*at, "mountPath"), f"two mounts stand at {place}: {refused}")
        places.add(str(place))


def _variable_findings(container: Mapping[str, Any], path: Path, refused: str) -> Iterator[Finding]:
    for index, variable in enumerate(map(as_map, as_list(container.get("env")))):
        at = (*path, "env", index)
        name = variable.get("name")
        if not isinstance(name, str) or not _VARIABLE.fullmatch(name):
            yield finding("KT277", (*at, "name"), f"{name!r} is no name for a variable: {refused}")
        source = as_map(variable.get("valueFrom"))
        if source and variable.get("value"):
            yield finding("KT277", at, f"a variable has value or valueFrom, not both: {refused}")
        elif "valueFrom" in variable and len(source) != 1:
            yield finding("KT277", (*at, "valueFrom"), f"valueFrom names one source: {refused}")


def _resource_findings(resources: Mapping[str, Any], path: Path, refused: str) -> Iterator[Finding]:
    limits, requests = as_map(resources.get("limits")), as_map(resources.get("requests"))
    for group, given in (("limits", limits), ("requests", requests)):
        for name, text in given.items():
            if "${" in str(text):
                continue
            amount = parse(str(text))
            if amount is None:
                yield finding("KT273", (*path, group, name), f"{text!r} is no quantity such as 2 or 4Gi: {refused}")
            elif amount < 0:
                yield finding("KT273", (*path, group, name), f"{name} is below 0: {refused}")
            elif not _is_resource(name):
                message = f"{name!r} is no resource; give its whole name, such as nvidia.com/gpu: {refused}"
                yield finding("KT273", (*path, group, name), message)
    for name, text in requests.items():
        asked, most = parse(str(text)), parse(str(limits.get(name, "")))
        if asked is not None and most is not None and asked > most:
            message = f"the request of {name}, {text}, is above its limit, {limits[name]}: {refused}"
            yield finding("KT273", (*path, "requests", name), message)
        elif asked is not None and "/" in name and asked != most:
            message = f"{name} cannot be shared out: its limit must be given and equal its request: {refused}"
            yield finding("KT273", (*path, "requests", name), message)


def _is_resource(name: str) -> bool:
    return name in _PLAIN_RESOURCES or name.startswith("hugepages-") or "/" in name
