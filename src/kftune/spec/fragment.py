"""Checks parts of a pod that a file writes in Kubernetes' own words, for what kftune has no setting for.

Source: the published schema of pods (Kubernetes 1.36), with the lists of values that the API server checks by hand.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Annotated, Any

from pydantic import AfterValidator

from kftune.errors import suggestion
from kftune.spec.part import PartError

_REASONS = {
    "pod": {
        "containers": "kftune writes the one container; change it with container, and add helpers as initContainers "
        "(with restartPolicy: Always they keep running beside it)",
        "ephemeralContainers": "they can only be added to a running pod",
        "restartPolicy": "kftune sets it so that a failed program is not started again unnoticed; use retries or "
        "preemption",
        "activeDeadlineSeconds": "the time limit is budget.trial_timeout of a study and timeout of a step",
    },
    "container": {
        "name": "engines find the container by the name that kftune gives it",
        "command": "kftune makes the command line; use module or command",
        "args": "kftune makes the command line; use args of the step",
        "image": "use image of the step",
    },
}
# Source: k8s.io/kubernetes v1.36, pkg/apis/core/validation. The schema says only that these are texts.
_VALUES = {
    "dnsPolicy": ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"),
    "effect": ("NoSchedule", "PreferNoSchedule", "NoExecute"),
    "imagePullPolicy": ("Always", "IfNotPresent", "Never"),
    "mountPropagation": ("None", "HostToContainer", "Bidirectional"),
    "preemptionPolicy": ("Never", "PreemptLowerPriority"),
    "procMount": ("Default", "Unmasked"),
    "protocol": ("TCP", "UDP", "SCTP"),
    "terminationMessagePolicy": ("File", "FallbackToLogsOnError"),
    "whenUnsatisfiable": ("DoNotSchedule", "ScheduleAnyway"),
}


def _checked(kind: str, given: dict[str, Any]) -> dict[str, Any]:
    if given:
        _check(kind, given)
    return given


def _check(kind: str, given: Mapping[str, Any]) -> None:
    from kftune.katib.crd.cleaning import cleaned  # noqa: PLC0415  # few files have a fragment
    from kftune.katib.crd.schema import SchemaNode  # noqa: PLC0415
    from kftune.katib.crd.validation import problems  # noqa: PLC0415

    for name, reason in _REASONS[kind].items():
        if name in given:
            raise PartError(f"{kind} must not set {name}: {reason}", (name,), at_key=True)
    node = SchemaNode("=PodSpec" if kind == "pod" else "=Container")
    unknown: list[tuple[str | int, ...]] = []
    found = cleaned(given, node, (), unknown)
    if unknown:
        path = unknown[0]
        raise PartError(
            f"Kubernetes has no field {path[-1]!r} in {_written((kind, *path[:-1]))}; "
            f"{suggestion(str(path[-1]), _fields(node, path[:-1]))}",
            path,
            at_key=True,
        )
    for problem in problems(found, node, ()):
        if problem.path[-1] not in ("containers", "name") or len(problem.path) > 1:
            raise PartError(f"{_written((kind, *problem.path))}: {_detail(problem, given)}", problem.path)
    for path, value in _texts(given):
        known = _VALUES.get(str(path[-1]))
        if known is not None and value not in known:
            raise PartError(
                f"{_written((kind, *path))} is one of {', '.join(known)}, but got {value!r}; "
                f"{suggestion(value, known)}",
                path,
            )
        if str(path[-1]).startswith("$"):
            raise PartError(f"directives such as {path[-1]} are not supported; null removes a field", path, at_key=True)


def _detail(problem: Any, given: Any) -> str:
    """Returns what is wrong with a value, with the value if it has the wrong type."""
    if problem.kind != "TypeInvalid":
        return str(problem.detail)
    for part in problem.path:
        given = given[part]
    wanted = problem.detail.removeprefix("must be of type ").partition(":")[0].replace(",", " or ")
    return f"must be of type {wanted}, but got {given!r:.60}"


def _fields(node: Any, path: Iterable[str | int]) -> list[str]:
    """Returns the fields that Kubernetes has at a path below a type."""
    from kftune.katib.crd.schema import fields_of, node_of  # noqa: PLC0415

    for part in path:
        node = node_of(fields_of(node.kind[1:])[str(part)]) if node.kind[0] == "=" else node.items
    return [name for name in fields_of(node.kind[1:]) if name != "!"] if node.kind[0] == "=" else []


def _texts(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _texts(inner, (*path, key))
    elif isinstance(value, (list, tuple)):
        for index, inner in enumerate(value):
            yield from _texts(inner, (*path, index))


def _written(path: Iterable[str | int]) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


PodFragment = Annotated[dict[str, Any], AfterValidator(partial(_checked, "pod"))]
"""Fields of a pod's spec."""
ContainerFragment = Annotated[dict[str, Any], AfterValidator(partial(_checked, "container"))]
"""Fields of a container."""
