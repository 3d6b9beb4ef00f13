"""Findings about the fields that a step of a pipeline has in Kubernetes' own words."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from kftune.errors import RenderError
from kftune.katib.go.types import Path
from kftune.katib.pod import creation_problems, resource_problems, spec_problems
from kftune.lint.rules.findings import finding
from kftune.lint.rules.rule import Finding
from kftune.render.pods import mounts, resources, security, volumes, with_fragments
from kftune.spec.container import ContainerSettings


def fragment_findings(step: ContainerSettings, path: Path) -> Iterator[Finding]:
    """Yields why the API server refuses the pod of a step for its `pod` and `container`.

    The settings of kftune are checked when the file is read.

    Args:
        step: The step.
        path: Its place in the file.
    """
    if not step.pod and not step.container:
        return
    try:
        spec = _spec(step)
    except RenderError:
        return  # the targets report it
    first = ("containers", 0)
    problems = itertools.chain(
        spec_problems(spec, ()),
        creation_problems(spec, ()),
        resource_problems(spec["containers"][0].get("resources", {}), (*first, "resources")),
    )
    for problem in problems:
        in_container = problem.path[:2] == first
        key, field = ("container", problem.path[2:3]) if in_container else ("pod", problem.path[:1])
        fragment = step.container if in_container else step.pod
        if not fragment.keys().isdisjoint(field):
            yield finding("KT277", (*path, key, *field), f"{problem.detail}: no pod is created", "fails")


def _spec(step: ContainerSettings) -> dict[str, Any]:
    container = {
        "name": "main",
        "image": step.image or "",
        "resources": resources(step),
        "securityContext": security(step),
        "volumeMounts": mounts(step),
    }
    return with_fragments({"volumes": volumes(step), "containers": [container]}, step, lambda text, _: text)
