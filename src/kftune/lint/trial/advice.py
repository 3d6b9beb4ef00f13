"""Advice about trials that work, but could be safer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from kftune.katib.go.text import json_text
from kftune.katib.go.types import Path
from kftune.katib.go.unstructured import as_map, maps
from kftune.lint.rules.findings import finding
from kftune.lint.rules.rule import Finding
from kftune.lint.trial.pods import TRIAL, PodTemplate, pods_of
from kftune.lint.trial.queues import queue_advice
from kftune.lint.trial.run_object import RunObject
from kftune.lint.trial.security import may_be_root
from kftune.lint.trial.sizes import size_advice

_NO = ("false", "no", "n", "off")
_SECRET = re.compile(r"(?i)(?:^|_)(?:password|passwd|token|secret|api_?key|access_?key|credentials?)(?:$|_)")


def advice_findings(run: RunObject | None) -> list[Finding]:
    """Returns the advice about the trial's object; none if it is unknown."""
    return list(run.placed(_advice(run.value))) if run is not None else []


def _advice(trial: Mapping[str, Any]) -> Iterator[Finding]:
    spec = as_map(trial.get("spec"))
    if trial.get("kind") == "Job" and "backoffLimit" not in spec:
        yield finding("KT301", (*TRIAL, "spec"), "without backoffLimit a failing trial runs seven times")
    of_pod = as_map(as_map(spec.get("template")).get("spec"))
    if trial.get("kind") == "Job" and not any("activeDeadlineSeconds" in each for each in (spec, of_pod)):
        yield finding("KT302", (*TRIAL, "spec"), "without activeDeadlineSeconds a trial that hangs runs forever")
    if "{{" in json_text(trial) and not str(trial.get("apiVersion")).startswith("argoproj.io/"):
        yield finding("KT308", TRIAL, "Argo and KFP replace {{...}} in the objects that their steps create")
    yield from queue_advice(trial)
    for pod in pods_of(trial):
        yield from _pod_advice(pod)


def _pod_advice(pod: PodTemplate) -> Iterator[Finding]:
    marks = [as_map(pod.metadata.get(group)).get("sidecar.istio.io/inject") for group in ("annotations", "labels")]
    if not any(str(mark).lower() in _NO for mark in marks):
        message = "if Istio injects its proxy, the collector waits for it forever"
        yield finding("KT307", (*pod.path, "metadata"), message)
    yield from size_advice(pod)
    for container, path in pod.maps("containers"):
        if not as_map(container.get("resources")).get("limits"):
            yield finding("KT303", path, "without resource limits one trial can take a whole node")
        if may_be_root(pod, container):
            yield finding("KT304", path, "the container may run as root")
        image = container.get("image")
        yield from image_advice(image if isinstance(image, str) else "", (*path, "image"))
        for variable, at in maps(container, "env", path):
            yield from secret_advice(str(variable.get("name", "")), str(variable.get("value") or ""), (*at, "value"))


def image_advice(image: str, path: Path) -> Iterator[Finding]:
    """Yields a finding if another image may have the name tomorrow.

    Args:
        image: The image's name.
        path: Its place.
    """
    tag = image.rpartition("/")[2].partition(":")[2]
    if image and "@" not in image and "${" not in image and tag in ("", "latest"):
        yield finding("KT305", path, f"{image} may be another image tomorrow")


def secret_advice(name: str, value: str, path: Path) -> Iterator[Finding]:
    """Yields a finding if a variable looks like a secret.

    Args:
        name: The variable's name.
        value: Its value; empty if it is taken from elsewhere.
        path: The place of the value.
    """
    if value and _SECRET.search(name):
        yield finding("KT306", path, f"{name} looks like a secret in plain text")
