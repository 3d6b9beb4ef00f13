"""Findings about what the API server rejects in the pods of a trial's object.

Source: Kubernetes 1.34, pkg/apis/core/validation and pkg/apis/batch/validation.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from kftune.katib.admission.server import metadata_reasons
from kftune.katib.go.names import IMAGE, is_dns_label
from kftune.katib.go.quantity import parse
from kftune.katib.go.types import Path
from kftune.katib.go.unstructured import as_list, as_map, maps
from kftune.katib.pod import creation_problems, job_problems, resource_problems, spec_problems
from kftune.katib.pod.values import VALUES
from kftune.lint.rules.findings import finding
from kftune.lint.rules.rule import Finding
from kftune.lint.trial.pods import TRIAL, PodTemplate

_VARIABLE = re.compile(r"[!-<>-~ ]+")  # printable ASCII except '=', since Kubernetes 1.34
_ORDINARY_IMAGE = re.compile(r"[a-z0-9.]+(?:[./-][a-z0-9]+)*:[a-z0-9.]{1,30}")
_SECCOMP = ("RuntimeDefault", "Unconfined", "Localhost")
_PULL = (*VALUES["imagePullPolicy"], "")
_NOT_NEGATIVE = ("backoffLimit", "activeDeadlineSeconds", "parallelism", "completions", "ttlSecondsAfterFinished")
_LONGEST = 2**31 - 1
_PLAIN_RESOURCES = frozenset({"cpu", "memory", "ephemeral-storage"})
_GROUPS = ("initContainers", "containers")
_JOB_LABELS = frozenset(
    f"{domain}{name}" for domain in ("", "batch.kubernetes.io/") for name in ("job-name", "controller-uid")
)
_PARTS = {"resources": "KT273", "volumeMounts": "KT272"}
_VOLUME_NEEDS = {
    "hostPath": "path",
    "persistentVolumeClaim": "claimName",
    "configMap": "name",
    "secret": "secretName",
    "nfs": "server",
}


@cache
def _image() -> re.Pattern[str]:
    """Returns the pattern of image names; compiling it takes longer than linting most files."""
    return re.compile(IMAGE + "(?:@[a-z0-9]+:[0-9a-fA-F]{32,})?")


def job_findings(trial: Mapping[str, Any]) -> Iterator[Finding]:
    """Yields what is wrong with a Job, apart from its pod."""
    spec, path = as_map(trial.get("spec")), (*TRIAL, "spec")
    for name in _NOT_NEGATIVE:
        value = spec.get(name)
        if isinstance(value, int) and value < 0:
            yield finding("KT276", (*path, name), f"{name} must be at least 0, not {value}: no Job is created")
    if spec.get("activeDeadlineSeconds") == 0:
        yield finding("KT276", (*path, "activeDeadlineSeconds"), "activeDeadlineSeconds is 0: no Job starts", "fails")
    if spec.get("completionMode") not in (None, "Indexed", "NonIndexed"):
        yield finding("KT276", (*path, "completionMode"), "completionMode must be Indexed or NonIndexed")
    if spec.get("manualSelector") is not True and spec.get("selector") is not None:
        yield finding("KT276", (*path, "selector"), "a selector needs manualSelector: true: no Job is created")
    if spec.get("parallelism") == 0:
        yield finding("KT276", (*path, "parallelism"), "parallelism is 0: the Job waits forever")
    if spec.get("completions") == 0:
        message = "completions is 0: the Job is complete without a pod, and the trial waits for its metrics"
        yield finding("KT276", (*path, "completions"), message)
    for problem in job_problems(spec, path):
        yield finding("KT276", problem.path, f"{problem.detail}: no Job is created")
    metadata = {"name": "x", **_texts(as_map(trial.get("metadata")))}
    for reason in metadata_reasons(metadata):
        yield finding("KT276", (*TRIAL, *reason.path), f"{reason.detail}: no Job is created")


def pod_findings(pod: PodTemplate, kind: str) -> Iterator[Finding]:
    """Yields what is wrong with one pod template.

    Args:
        pod: The template and its path.
        kind: The kind of the trial's object; a Job requires more than a pod does.
    """
    effect = f"no {'Job' if kind == 'Job' else 'pod'} is created"
    yield from _with_effect(_refusals(pod, is_job=kind == "Job"), effect)
    for problem in creation_problems(pod.spec, (*pod.path, "spec")):
        yield finding("KT277", problem.path, f"{problem.detail}: no pod is created")
    for group in _GROUPS:
        for container, path in pod.maps(group):
            yield from setting_findings(container, path, effect)


def setting_findings(container: Mapping[str, Any], path: Path, effect: str) -> Iterator[Finding]:
    """Yields what is wrong with a container's image, variables and resources.

    Args:
        container: The container.
        path: Its path.
        effect: What happens then; it ends the messages.
    """
    image = container.get("image")
    given = image if isinstance(image, str) and "${" not in image else ""
    if given and not _ORDINARY_IMAGE.fullmatch(given) and not _image().fullmatch(given):
        message = f"{given[:80]!r} is not a valid image; it must be [registry/]name[:tag][@sha256:digest]"
        yield finding("KT278", (*path, "image"), message)
    yield from _with_effect(_variable_findings(container, path), effect)
    resources, at = as_map(container.get("resources")), (*path, "resources")
    yield from _with_effect(_resource_findings(resources, at), effect)
    problems = (finding("KT273", *problem) for problem in resource_problems(resources, at))
    yield from _with_effect(problems, effect)


def patch_findings(pod: PodTemplate, effect: str) -> Iterator[Finding]:
    """Yields what is wrong with a patch of a pod, which omits what the pod already has.

    Args:
        pod: The patch and its path.
        effect: What happens then; it ends the messages.
    """
    yield from _with_effect(_patch_refusals(pod), effect)


def _with_effect(found: Iterable[Finding], effect: str) -> Iterator[Finding]:
    for each in found:
        yield each._replace(message=f"{each.message}: {effect}")


def _refusals(pod: PodTemplate, *, is_job: bool) -> Iterator[Finding]:
    policy = pod.spec.get("restartPolicy")
    if is_job and policy not in ("Never", "OnFailure"):
        path = (*pod.path, "spec", "restartPolicy")
        yield finding("KT270", path, f"a Job's restartPolicy must be Never or OnFailure, not {policy or 'left out'}")
    if is_job:
        yield from _own_label_findings(pod)
    yield from _shared_refusals(pod)
    if not as_list(pod.spec.get("containers")):
        yield finding("KT271", (*pod.path, "spec", "containers"), "a pod needs at least one container")
    names: set[str] = set()
    volumes = {str(volume.get("name")) for volume, _ in pod.maps("volumes")}
    for group in _GROUPS:
        for container, path in pod.maps(group):
            yield from _container_findings(container, path, names)
            yield from _mount_findings(container, path, volumes)
    yield from problem_findings(pod)


def problem_findings(pod: PodTemplate, effect: str = "") -> Iterator[Finding]:
    """Yields what the API server refuses in a pod or a part of one.

    Args:
        pod: The template and its path.
        effect: What happens then; empty if it is added later.
    """
    for problem in spec_problems(pod.spec, (*pod.path, "spec")):
        message = f"{problem.detail}: {effect}" if effect else problem.detail
        yield finding(_code(problem.path), problem.path, message)


def _own_label_findings(pod: PodTemplate) -> Iterator[Finding]:
    """Yields the labels that a Job gives its pods itself: its name, which Katib makes up, and its UID."""
    for key, text in as_map(pod.metadata.get("labels")).items():
        if key in _JOB_LABELS and "${" not in str(text):
            yield finding("KT277", (*pod.path, "metadata", "labels", key), f"the Job sets the label {key} itself")


def _code(path: Path) -> str:
    """Returns the rule for a place in a pod."""
    return next((code for part, code in _PARTS.items() if part in path), "KT277")


def _patch_refusals(pod: PodTemplate) -> Iterator[Finding]:
    yield from _shared_refusals(pod)
    for group in _GROUPS:
        for container, path in pod.maps(group):
            name = str(container.get("name"))
            if not is_dns_label(name):
                yield finding("KT271", (*path, "name"), f"{name[:60]!r} is not a valid container name")
            mounts = {str(mount.get("name")) for mount, _ in maps(container, "volumeMounts", path)}
            for mount in sorted(mount for mount in mounts if not is_dns_label(mount)):
                yield finding("KT272", (*path, "volumeMounts"), f"{mount[:60]!r} is not a valid volume name")
            yield from _mount_findings(container, path, mounts)


def _shared_refusals(pod: PodTemplate) -> Iterator[Finding]:
    """Yields what a pod and a patch of a pod have in common."""
    deadline = pod.spec.get("activeDeadlineSeconds")
    if isinstance(deadline, int) and not 1 <= deadline <= _LONGEST:
        path = (*pod.path, "spec", "activeDeadlineSeconds")
        yield finding("KT277", path, f"a pod's activeDeadlineSeconds must be from 1 to {_LONGEST}, not {deadline}")
    yield from _label_findings(pod)
    yield from _volume_findings(pod)
    places = [(pod.spec, (*pod.path, "spec")), *pod.maps("initContainers"), *pod.maps("containers")]
    for holder, path in places:
        profile = as_map(holder.get("securityContext")).get("seccompProfile")
        if isinstance(profile, dict) and profile.get("type") not in _SECCOMP:
            message = f"type must be RuntimeDefault, Unconfined or Localhost, not {profile.get('type')!r}"
            yield finding("KT277", (*path, "securityContext", "seccompProfile"), message)


def _label_findings(pod: PodTemplate) -> Iterator[Finding]:
    texts = _texts(pod.metadata)
    if not texts["labels"] and not texts["annotations"]:
        return
    for reason in metadata_reasons({"name": "x", **texts}):
        yield finding("KT277", (*pod.path, *reason.path), reason.detail)


def _texts(metadata: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Returns the labels and annotations that are texts without placeholders."""
    return {
        group: {
            key: text
            for key, text in as_map(metadata.get(group)).items()
            if isinstance(text, str) and "${" not in f"{key}{text}"
        }
        for group in ("labels", "annotations")
    }


def _volume_findings(pod: PodTemplate) -> Iterator[Finding]:
    names: set[str] = set()
    for volume, path in pod.maps("volumes"):
        name = str(volume.get("name") or "")
        if "${" not in name and not is_dns_label(name):
            yield finding("KT277", (*path, "name"), f"{name!r} is not a valid volume name")
        if name in names:
            yield finding("KT277", (*path, "name"), f"two volumes have the name {name!r}")
        names.add(name)
        sources = [field for field in volume if field != "name" and volume[field] is not None]
        if len(sources) > 1:
            yield finding("KT277", path, f"a volume has one source, but this one has {' and '.join(sources)}")
        for source in sources:
            needed = _VOLUME_NEEDS.get(source)
            if needed is not None and not as_map(volume[source]).get(needed):
                yield finding("KT277", (*path, source), f"{source} needs {needed}")


def _container_findings(container: Mapping[str, Any], path: Path, names: set[str]) -> Iterator[Finding]:
    name = str(container.get("name") or "")
    if name in names:
        yield finding("KT271", (*path, "name"), f"two containers have the name {name!r}")
    names.add(name)
    if not name or not container.get("image"):
        yield finding("KT271", path, f"a container needs {'a name' if not name else 'an image'}")
    elif "${" not in name and not is_dns_label(name):
        yield finding("KT271", (*path, "name"), f"the name {name!r} may have lower-case letters, digits and '-' only")
    pull = container.get("imagePullPolicy")
    if isinstance(pull, str) and "${" not in pull and pull not in _PULL:
        message = f"imagePullPolicy must be Always, IfNotPresent or Never, not {pull!r}"
        yield finding("KT271", (*path, "imagePullPolicy"), message)
    for port, at in maps(container, "ports", path):
        number = port.get("containerPort")
        if isinstance(number, int) and not 0 < number < 65536:
            yield finding("KT271", at, f"containerPort must be between 1 and 65535, not {number}")


def _mount_findings(container: Mapping[str, Any], path: Path, volumes: set[str]) -> Iterator[Finding]:
    places: set[str] = set()
    for mount, at in maps(container, "volumeMounts", path):
        if str(mount.get("name")) not in volumes:
            yield finding("KT272", (*at, "name"), f"the pod has no volume {mount.get('name')!r}")
        place = mount.get("mountPath")
        if not place:
            yield finding("KT272", at, "a mount needs mountPath")
        elif str(place) in places:
            yield finding("KT272", (*at, "mountPath"), f"two mounts have the path {place}")
        places.add(str(place))


def _variable_findings(container: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    for variable, at in maps(container, "env", path):
        name = variable.get("name")
        if not isinstance(name, str) or not _VARIABLE.fullmatch(name):
            yield finding("KT277", (*at, "name"), f"{name!r} is not a valid variable name")
        source = as_map(variable.get("valueFrom"))
        if source and variable.get("value"):
            yield finding("KT277", at, "a variable has value or valueFrom, not both")
        elif "valueFrom" in variable and len(source) != 1:
            yield finding("KT277", (*at, "valueFrom"), "valueFrom needs exactly one source")


def _resource_findings(resources: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    limits, requests = as_map(resources.get("limits")), as_map(resources.get("requests"))
    for group, given in (("limits", limits), ("requests", requests)):
        for name, text in given.items():
            if "${" in str(text):
                continue
            amount, at = parse(str(text)), (*path, group, name)
            if amount is None:
                yield finding("KT273", at, f"{text!r} is not a quantity such as 2 or 4Gi")
            elif amount < 0:
                yield finding("KT273", at, f"{name} must be at least 0, not {text}")
            elif name not in _PLAIN_RESOURCES and not name.startswith("hugepages-") and "/" not in name:
                yield finding("KT273", at, f"unknown resource {name!r}; give the full name, such as nvidia.com/gpu")
    for name, text in requests.items():
        asked, most = parse(str(text)), parse(str(limits.get(name, "")))
        if asked is not None and most is not None and asked > most:
            yield finding("KT273", (*path, "requests", name), f"the request {text} exceeds the limit {limits[name]}")
        elif asked is not None and "/" in name and asked != most:
            yield finding("KT273", (*path, "requests", name), f"{name} needs a limit equal to its request")
