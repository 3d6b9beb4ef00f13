"""Checks parts of a pod that a file writes in Kubernetes' own words, for what kftune has no setting for.

Source: the published schema of pods (Kubernetes 1.36), with the lists of values that the API server checks by hand.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Annotated, Any

from pydantic import AfterValidator

from kftune.errors import near_names, suggestion
from kftune.spec.part import PartError

_REASONS = {
    "pod": {
        "containers": "kftune writes the one container; change it with container, and add helpers as initContainers "
        "(in a pipeline on Argo, with restartPolicy: Always they keep running beside it)",
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
_WORDS = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "integer,string": "a number or text",
    "number": "a number",
    "object": "a mapping",
    "string": "text",
}
# Fields that Kubernetes requires and kftune writes.
_NOT_OURS = (("containers",), ("name",))


def _checked(kind: str, given: dict[str, Any]) -> dict[str, Any]:
    if given:
        _check(kind, given)
    return given


def _check(kind: str, given: Mapping[str, Any]) -> None:
    from kftune.katib.crd.cleaning import cleaned  # noqa: PLC0415  # few files have a fragment
    from kftune.katib.crd.schema import SchemaNode  # noqa: PLC0415
    from kftune.katib.crd.validation import problems  # noqa: PLC0415
    from kftune.katib.pod.values import VALUES  # noqa: PLC0415

    for name, reason in _REASONS[kind].items():
        if name in given:
            raise PartError(f"{kind} must not set {name}: {reason}", (name,), at_key=True)
    node = SchemaNode("=PodSpec" if kind == "pod" else "=Container")
    unknown: list[tuple[str | int, ...]] = []
    found = problems(cleaned(given, node, (), unknown), node, ())
    # A value of a wrong type hides what is in it, and a misspelt field explains why another is missing.
    for problem in found:
        if problem.kind == "TypeInvalid":
            raise PartError(_type_problem(problem.detail, _at(given, problem.path)), problem.path)
    for path in unknown:
        raise PartError(
            f"Kubernetes has no field {path[-1]!r} in {_written((kind, *path[:-1]))}; "
            f"{suggestion(str(path[-1]), _fields(node, path[:-1]))}",
            path,
            at_key=True,
        )
    for problem in found:
        if problem.path not in _NOT_OURS:
            text = "Kubernetes requires a value" if problem.kind == "Required" else problem.detail
            raise PartError(text, problem.path)
    for path, value in _texts(given):
        names = [part for part in path if isinstance(part, str)]
        known = VALUES.get(".".join(names[-2:]), VALUES.get(names[-1]))
        if known is not None and value not in known:
            near = near_names(value, known)
            raise PartError(f"must be one of {', '.join(known)}, but got {value!r}{near and f'; {near}'}", path)


def _type_problem(detail: str, value: object) -> str:
    wanted = detail.removeprefix("must be of type ").partition(":")[0]
    return f"must be {_WORDS[wanted]}, but got {value!r:.60}"


def _at(value: Any, path: Iterable[str | int]) -> Any:
    for part in path:
        value = value[part]
    return value


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
