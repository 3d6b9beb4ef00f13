"""Lists of experiments: named sets of values that are tried one after the other."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kftune.errors import ForeignFileError
from kftune.importers.document import find
from kftune.importers.draft import Draft
from kftune.importers.imported import Field, Imported, Options
from kftune.importers.node import Node
from kftune.importers.spaces import choice, typed_values

_TYPES = frozenset({"str", "int", "float", "bool", "list", "['float', 'float']", "None"})
_NOT_VALUES = ("experiment_name", "description", "targets", "notes", "output")


def read(path: Path, options: Options) -> Imported:
    """Returns a study that tries the listed experiments, each once, in their order.

    Args:
        path: YAML or JSON with ``experiments: {NAME: {values, in groups or not}}``.
        options: What the user decides.

    Raises:
        ForeignFileError: There is no list of experiments, or it is invalid.
        OSError: The file cannot be read.
    """
    found = find(path, _wanted, "a list of experiments")
    node = found.node or found.assigned(_wanted)
    if node is None:
        raise ForeignFileError(
            "this is not a list of experiments: it has no mapping with the key experiments", str(path)
        )
    draft = Draft(path.stem, options)
    listed = node.need("experiments")
    experiments = {name: each for name, each in listed.items() if each.mapping()}
    if not experiments:
        raise listed.fail("must have at least one experiment, but is empty")
    points = {name: _flat(each) for name, each in experiments.items()}
    words = {str(value) for point in points.values() for value in point.values()}
    if words and words <= _TYPES:
        raise listed.fail("its values are names of types, so it describes a list; give a list with values")
    _space(draft, listed, points)
    draft.put("budget", "max_trials", value=len(points))
    draft.put("algorithm", "name", value="random")
    draft.converted(
        listed, f"points: the {len(points)} experiments in their order, and budget.max_trials: {len(points)}"
    )
    if "search" in draft.study:
        draft.lost(listed, "Katib takes no points to try first: a render draws from the values of all experiments")
    _objective(draft, experiments)
    for name, each in experiments.items():
        given = each.get("targets")
        if given is not None:
            draft.lost(
                given, f"the targets of {name}: write stopping.target, or objective.goal, with the metric's name"
            )
    node.ignore(["experiments"])
    draft.leave(
        node, {"default_experiment": "run one point alone: kftune run with values", "targets": "write stopping.target"}
    )
    return draft.finish()


def _wanted(value: Mapping[str, Any]) -> bool:
    return isinstance(value.get("experiments"), Mapping)


def _flat(node: Node, prefix: str = "") -> dict[str, Any]:
    """Returns the values of an experiment by dotted name."""
    found: dict[str, Any] = {}
    for key, each in node.items():
        if not prefix and key in _NOT_VALUES:
            continue
        if isinstance(each.value, Mapping):
            found |= _flat(each, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = each.value
    return found


def _space(draft: Draft, listed: Node, points: Mapping[str, Mapping[str, Any]]) -> None:
    names = list(dict.fromkeys(name for point in points.values() for name in point))
    made: list[dict[str, Any]] = [{} for _ in points]
    for name in names:
        values = [point.get(name) for point in points.values()]
        node = Node(listed.source, values, (name,), listed.line)
        if all(value == values[0] and type(value) is type(values[0]) for value in values):
            draft.fix(name, node, values[0])
            continue
        annotation, typed, _ = typed_values(values)
        # Each experiment is a point, so how often a value is there says nothing.
        draft.search(name, node, choice([value for index, value in enumerate(values) if value not in values[:index]]))
        if any(name not in point for point in points.values()):
            draft.fields[name] = Field(annotation, None)
            draft.converted(node, "null in the experiments that do not name it: the script's own default")
        for point, value in zip(made, typed, strict=True):
            point[name] = value
    if not any(made):
        _one_value(draft)
    else:
        draft.study["points"] = [dict(point) for point in made if point]


def _one_value(draft: Draft) -> None:
    """Searches a value that is the same in all experiments, as a constant: a study has something to search."""
    values = draft.study.get("values", {})
    name = next((each for each, value in values.items() if value is not None), None)
    if name is not None:
        draft.study["search"] = {name: {"constant": values.pop(name)}}


def _objective(draft: Draft, experiments: Mapping[str, Node]) -> None:
    for each in experiments.values():
        early = each.get("early_stopping")
        monitor = None if early is None or not isinstance(early.value, Mapping) else early.get("monitor")
        if early is not None and monitor is not None:
            mode = early.get("mode")
            direction = "minimize" if mode is not None and mode.value == "min" else "maximize"
            draft.objective(monitor, monitor.text(), direction)
            return
