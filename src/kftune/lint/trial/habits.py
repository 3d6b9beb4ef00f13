"""What works and would be safer otherwise."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from kftune.katib.go.text import json_text
from kftune.lint.rules.findings import finding
from kftune.lint.rules.rule import Finding
from kftune.lint.trial.pods import TRIAL, Pod, as_list, as_map, pods_of
from kftune.lint.trial.run_object import RunObject

_NO = ("false", "no", "n", "off")
_SECRET = re.compile(r"(?i)(?:^|_)(?:password|passwd|token|secret|api_?key|access_?key|credentials?)(?:$|_)")


def habit_findings(run: RunObject | None) -> list[Finding]:
    """The findings about the habits of the trial's object, where it is known."""
    return list(run.placed(_habits(run.value))) if run is not None else []


def _habits(trial: Mapping[str, Any]) -> Iterator[Finding]:
    if trial.get("kind") == "Job":
        yield from _job_findings(trial)
    if "{{" in json_text(trial) and not str(trial.get("apiVersion")).startswith("argoproj.io/"):
        yield finding("KT308", TRIAL, "Argo and KFP replace {{...}} in what their steps create")
    for pod in pods_of(trial):
        yield from _pod_findings(pod)


def _job_findings(trial: Mapping[str, Any]) -> Iterator[Finding]:
    spec = as_map(trial.get("spec"))
    if "backoffLimit" not in spec:
        yield finding("KT301", (*TRIAL, "spec"), "without backoffLimit a failing trial runs seven times")
    if "activeDeadlineSeconds" not in spec:
        yield finding("KT302", (*TRIAL, "spec"), "without activeDeadlineSeconds a trial that hangs runs for ever")


def _pod_findings(pod: Pod) -> Iterator[Finding]:
    annotations = as_map(as_map(pod.template.get("metadata")).get("annotations"))
    labels = as_map(as_map(pod.template.get("metadata")).get("labels"))
    if not any(str(given.get("sidecar.istio.io/inject")).lower() in _NO for given in (annotations, labels)):
        message = "where Istio injects its proxy, the collector waits for that proxy for ever"
        yield finding("KT307", (*pod.path, "metadata"), message)
    unprivileged = as_map(pod.spec.get("securityContext")).get("runAsNonRoot") is True
    for container, path in pod.containers():
        if not as_map(container.get("resources")).get("limits"):
            yield finding("KT303", path, "without resource limits one trial can take all of a node")
        if not unprivileged and as_map(container.get("securityContext")).get("runAsNonRoot") is not True:
            yield finding("KT304", path, "the container may run as root")
        yield from _image_findings(container, path)
        for index, variable in enumerate(map(as_map, as_list(container.get("env")))):
            name = str(variable.get("name", ""))
            if variable.get("value") and _SECRET.search(name):
                yield finding("KT306", (*path, "env", index, "value"), f"{name} looks like a secret, in plain text")


def _image_findings(container: Mapping[str, Any], path: tuple[str | int, ...]) -> Iterator[Finding]:
    image = container.get("image")
    if isinstance(image, str) and image and "@" not in image and "${" not in image:
        tag = image.rpartition("/")[2].partition(":")[2]
        if tag in ("", "latest"):
            yield finding("KT305", (*path, "image"), f"{image} may be another image tomorrow")
