"""Optuna: studies in an SQLite or journal storage, and distributions as JSON. Optuna itself is not needed.

Source: optuna 5.0, optuna.distributions.distribution_to_json.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kftune import json_input
from kftune.errors import ForeignFileError, suggestion
from kftune.importers.document import find, text_of
from kftune.importers.draft import Draft
from kftune.importers.imported import Imported, Options
from kftune.importers.node import Node, Source
from kftune.importers.spaces import Space, choice, uniform
from kftune.results.sources.optuna_storage import StoredStudy, range_of, studies_in_journal, studies_in_sqlite

_SQLITE = b"SQLite format 3\x00"
_FLOATS = ("FloatDistribution", "UniformDistribution", "LogUniformDistribution", "DiscreteUniformDistribution")
_INTEGERS = ("IntDistribution", "IntUniformDistribution", "IntLogUniformDistribution")
DISTRIBUTIONS = (*_FLOATS, *_INTEGERS, "CategoricalDistribution")


def read(path: Path, options: Options) -> Imported:
    """Returns the study of an Optuna study or of its distributions.

    Args:
        path: An SQLite storage, a journal storage, or JSON: a mapping of names to distributions, each as
            ``{"name": "FloatDistribution", "attributes": {"low": 0.0, "high": 1.0, …}}`` or the text of that.
        options: What the user decides; `pick` is the name of the study.

    Raises:
        ForeignFileError: There is no study, or it is invalid.
        OSError: The file cannot be read.
    """
    if _is_sqlite(path):
        return _stored(path, _in_sqlite(path), options)
    if _is_journal(path):
        return _stored(path, _in_journal(path), options)
    found = find(path, _wanted, "an Optuna study")
    node = found.node or found.assigned(_wanted)
    if node is None:
        raise ForeignFileError(
            "this is not an Optuna study: neither a storage nor a mapping of distributions", str(path)
        )
    draft = Draft(path.stem, options)
    for name, each in node.items():
        draft.search(name, each, _space(_parsed(each)))
    draft.to_fill("objective", "distributions say nothing about the objective; write it")
    return draft.finish()


def _wanted(value: Mapping[str, Any]) -> bool:
    return bool(value) and any(_is_distribution(each) for each in value.values())


def _is_distribution(value: Any) -> bool:
    if isinstance(value, str) and value.lstrip().startswith("{"):
        return '"attributes"' in value
    return isinstance(value, Mapping) and "attributes" in value and "name" in value


def _parsed(node: Node) -> Node:
    """Returns a distribution that may be written as the text of its JSON."""
    if not isinstance(node.value, str):
        return node
    try:
        value = json_input.loads(node.value)
    except ValueError as error:
        raise node.fail(f"must be the JSON of a distribution: {error}") from error
    return Node(node.source, value, node.path, node.line)


def _space(node: Node) -> Space:
    given = node.need("name", "a distribution").text()
    if given not in DISTRIBUTIONS:
        raise node.fail(f"unknown distribution {given!r}; {suggestion(given, DISTRIBUTIONS)}")
    attributes = node.need("attributes", given)
    if given == "CategoricalDistribution":
        return choice(attributes.need("choices", given).values())
    low, high = attributes.need("low", given), attributes.need("high", given)
    log, step = attributes.get("log"), attributes.first("step", "q")
    is_whole = given in _INTEGERS
    found: dict[str, Any] = {
        "low": low.integer() if is_whole else low.number(),
        "high": high.integer() if is_whole else high.number(),
        "step": None if step is None else step.integer() if is_whole else step.number(),
        "log": log is not None and log.value is True,
    }
    if not is_whole and found["low"] == found["high"]:
        return uniform(found["low"], found["high"])
    return Space(range_of(given, found), "int" if is_whole else "float")


# -- storages ----------------------------------------------------------------------------------------------------------


def _is_sqlite(path: Path) -> bool:
    if path.is_dir():
        return False
    with path.open("rb") as file:
        return file.read(len(_SQLITE)) == _SQLITE


def _is_journal(path: Path) -> bool:
    """Returns whether a file is a journal of Optuna: lines of JSON with an operation each."""
    if path.is_dir():
        return False
    with path.open("rb") as file:
        first = file.readline(100_000)
    try:
        return "op_code" in json_input.loads(first)
    except (ValueError, TypeError):
        return False


def _in_sqlite(path: Path) -> list[StoredStudy]:
    try:
        return studies_in_sqlite(path)
    except sqlite3.Error as error:
        raise ForeignFileError(
            f"this database is not a storage of Optuna that can be read: {error}", str(path)
        ) from error


def _in_journal(path: Path) -> list[StoredStudy]:
    def refuse(number: int, error: Exception) -> ForeignFileError:
        problem = f"this line is not an operation of Optuna's journal: {type(error).__name__}: {error}"
        return ForeignFileError(problem, str(path), number)

    return studies_in_journal(text_of(path), refuse)


def _stored(path: Path, studies: list[StoredStudy], options: Options) -> Imported:
    names = [each.name for each in studies]
    if not studies:
        raise ForeignFileError("the storage has no study", str(path))
    if len(studies) > 1 and options.pick not in names:
        raise ForeignFileError(
            f"the storage has {len(names)} studies; choose one with --pick"
            f"{f', but got {options.pick!r}' if options.pick else ''}; {suggestion(options.pick, names)}",
            str(path),
        )
    if options.pick and options.pick not in names:
        raise ForeignFileError(
            f"the storage has no study {options.pick!r}; {suggestion(options.pick, names)}", str(path)
        )
    study = studies[names.index(options.pick)] if options.pick else studies[0]
    draft = Draft(study.name, options)
    found: dict[str, list[str]] = {}
    for trial in study.trials:
        for name, (_, distribution) in trial.params.items():
            found.setdefault(name, []).append(distribution)
    if not found:
        raise ForeignFileError(
            f"the study {study.name!r} has no trial with parameters, so its space is not known", str(path)
        )
    count = len(study.trials)
    last = {name: distributions[-1] for name, distributions in found.items()}
    for name, each in Node(Source(str(path)), last, ("distributions",)).items():
        draft.search(name, each, _space(_parsed(each)))
        if len(found[name]) < count:
            draft.lost(each, f"{len(found[name])} of {count} trials have it: write its condition with when")
        if len(set(found[name])) > 1:
            draft.lost(each, "its distribution differs between trials; that of the last trial is taken")
    _objectives(draft, study, Node(Source(str(path)), [*study.directions], ("directions",)))
    draft.carry(Node(Source(str(path)), count, ("trials",)), "budget", "max_trials")
    sampler = Node(Source(str(path)), None, ("sampler",))
    draft.lost(sampler, "a storage does not say how values were chosen; the study uses its default, multivariate-tpe")
    draft.to_fill(
        "step.command", "the objective is a function; write the script that trains, or see docs/guides/your-script.md"
    )
    return draft.finish()


def _objectives(draft: Draft, study: StoredStudy, node: Node) -> None:
    names = study.names or [f"value_{index}" for index in range(len(study.directions))]
    if len(study.directions) == 1:
        name = study.names[0] if study.names else "value"
        draft.objective(node, name, study.directions[0])
    else:
        draft.put(
            "objectives",
            value=[{"metric": name, "direction": each} for name, each in zip(names, study.directions, strict=False)],
        )
        draft.exact(node, f"objectives: {', '.join(study.directions)}")
    if not study.names:
        draft.to_fill("objective.metric", "the study does not name its values; write the name that the script prints")
