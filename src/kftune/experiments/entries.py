"""One experiment of a list: its name, its hyperparameters and their texts, or all that is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from kftune.errors import HparamsError, KftuneError
from kftune.hparams import Hparams
from kftune.hparams.fields import put
from kftune.results import RunFolder
from kftune.spec.load import keys_to
from kftune.study.values import flat_values
from kftune.validation import InputProblem, findings

NAME = "experiment_name"
"""The key of an experiment's name; a field of some classes too."""
FOLDER = "output_dir"
"""The field with the folder of all experiments, in a class with a field for the name."""

_LONGEST_NAME = 100


@dataclass(frozen=True)
class Experiment:
    """One experiment.

    Attributes:
        key: What the file calls it.
        name: Its name.
        hparams: Its hyperparameters.
        given: Those of them that the list gives, by dotted name, as JSON has them.
        texts: The same as texts.
    """

    key: str
    name: str
    hparams: Hparams
    given: Mapping[str, Any]
    texts: Mapping[str, str]


class Entry(NamedTuple):
    """What was read of an experiment."""

    name: str
    problems: list[InputProblem]
    made: Experiment | None

    @property
    def experiment(self) -> Experiment:
        """The experiment, which has no problems."""
        if self.made is None:
            raise HparamsError("\n".join(map(str, self.problems)))
        return self.made


class _Values(NamedTuple):
    """The values of an experiment by field, and the keys in the file that lead to each of them."""

    values: dict[str, Any]
    paths: dict[str, tuple[str, ...]]
    problems: list[InputProblem]


def read_entry(hparams: type[Hparams], key: str, given: object) -> Entry:
    """Returns an experiment, or all that is wrong with it.

    Args:
        hparams: The class of the list.
        key: What the list calls it.
        given: What the list has of it.
    """
    place = ("experiments", key)
    if not isinstance(given, Mapping):
        text = f"an experiment must be a mapping of hyperparameters, or of groups of them, but is {given!r}"
        return Entry(key, [InputProblem(place, text)], None)
    name = given.get(NAME, key)
    wrong = _wrong_name(name)
    found = _values(hparams, given)
    problems = [InputProblem((*place, *each.path), each.message, each.at_key) for each in found.problems]
    if wrong:
        problems.insert(0, InputProblem((*place, NAME) if NAME in given else place, wrong, NAME not in given))
        return Entry(str(name), problems, None)
    leaves = hparams.leaves()
    values = dict(found.values)
    if NAME in leaves:
        values[NAME] = name
        if FOLDER in given:
            text = "all experiments of a list have one folder, which --output-dir names; remove output_dir"
            problems.append(InputProblem((*place, FOLDER), text, at_key=True))
    made, more = _made(hparams, values)
    for each in more:
        path = found.paths.get(".".join(map(str, each.path)), found.paths.get(str(each.path[0]) if each.path else ""))
        problems.append(InputProblem((*place, *(path if path is not None else each.path)), each.message, each.at_key))
    if made is None or problems:
        return Entry(name, problems, None)
    flat = {dotted: leaves[dotted].jsonable(value) for dotted, value in flat_values(hparams, values)}
    texts = {dotted: leaves[dotted].encode(flat[dotted]) for dotted in leaves if dotted in flat}
    return Entry(name, [], Experiment(key, name, made, flat, texts))


def _wrong_name(name: object) -> str:
    """Returns what is wrong with the name of an experiment, which is the name of its folder."""
    if not isinstance(name, str):
        return f"the name of an experiment is a text, but is {name!r}; put it into quotes"
    if name in ("", ".", "..") or set(name) & set("/\\\0\r\n") or len(name.encode()) > _LONGEST_NAME:
        return f"the name of an experiment is that of its folder, of at most {_LONGEST_NAME} bytes, but is {name!r}"
    if name in RunFolder(Path()).own_names():
        return f"an experiment cannot be called {name!r}, because the results have a file or folder of that name"
    return ""


def _values(hparams: type[Hparams], given: Mapping[Any, Any]) -> _Values:
    """Returns the values by field: of groups where the class has some, otherwise as they are."""
    grouped = getattr(hparams, "experiment_values", None)
    if grouped is not None:
        found, wrong = grouped(given)
        problems = [InputProblem(each.path, str(each.error), each.at_key) for each in wrong]
        return _Values({each.field: each.value for each in found}, {each.field: each.path for each in found}, problems)
    values: dict[str, Any] = {}
    paths: dict[str, tuple[str, ...]] = {}
    leaves, problems = hparams.leaves(), []
    own = {str(key): value for key, value in given.items() if key != NAME or NAME in leaves}
    for name, value in flat_values(hparams, own):
        if name in paths:
            problems.append(InputProblem((name,), f"{name} is set twice, as a dotted name and in a group; remove one"))
        paths[name] = keys_to(own, name)
        put(values, leaves[name].path if name in leaves else tuple(name.split(".")), value)
    return _Values(values, paths, problems)


def _made(hparams: type[Hparams], values: dict[str, Any]) -> tuple[Hparams | None, list[InputProblem]]:
    try:
        return hparams.from_dict(values), []
    except KftuneError as error:
        cause = error.__cause__
        if isinstance(cause, ValidationError):
            return None, findings(cause, hparams)
        return None, [InputProblem((), str(error))]
