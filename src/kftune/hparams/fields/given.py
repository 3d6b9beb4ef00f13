"""What a script is given: config files, variables of the environment, flags and overrides, the last one first."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError

from kftune import yaml_text
from kftune.domains import Conditional, encoding
from kftune.domains.encoding import DomainValue
from kftune.errors import HparamsError, near_names
from kftune.hparams.fields.command_line import CommandLine
from kftune.hparams.fields.groups import group_of
from kftune.hparams.fields.leaf import Leaf
from kftune.hparams.fields.nested import get, put, remove
from kftune.validation import InputProblem, findings

_LINE = "command line"
# Kubernetes sets these for each service: of a service APP, APP_SERVICE_HOST and APP_PORT.
_OF_SERVICES = re.compile(r"(^|_)(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?)?)$")


class _Source(NamedTuple):
    """A config file."""

    file: str
    text: str
    data: dict[str, Any]


class Given:
    """Collects values for the fields of a class; of two for the same field, the later one counts.

    Args:
        model: The class.
        leaves: Its fields by dotted name.
        line: Its command line.
    """

    def __init__(self, model: type[BaseModel], leaves: Mapping[str, Leaf], line: CommandLine) -> None:
        self._model = model
        self._leaves = leaves
        self._line = line
        self._data: dict[str, Any] = {}
        self._conditions: dict[str, Conditional] = {}
        self._files: list[_Source] = []
        self._elsewhere: list[tuple[tuple[str, ...], str]] = []
        """The paths of values that come from no file, and where they come from; the last one counts."""

    def texts(self, texts: Iterable[tuple[str, str]]) -> None:
        """Takes texts by dotted name."""
        data, leaves = self._data, self._leaves
        for name, text in texts:
            leaf = leaves.get(name) or leaves.get(name.replace("-", "_"))
            if leaf is None:
                self._line.put_further(data, name, text)
                continue
            if text.startswith(encoding.PREFIX):
                drawn = encoding.decode(text)
                if isinstance(drawn, DomainValue) and isinstance(drawn.domain, Conditional):
                    self._conditions[leaf.name] = drawn.domain
            if len(leaf.path) == 1:
                data[leaf.name] = leaf.decode(text)
            else:
                put(data, leaf.path, leaf.decode(text))

    def arguments(self, found: Iterable[tuple[str, str]], config: str | None, env: Mapping[str, str]) -> None:
        """Takes a command line: first its config files, then the environment, then flags and overrides in their order.

        Args:
            found: What `CommandLine.texts` yields.
            config: The name of the flag for config files; None for no such flag.
            env: Text of the variables of the environment that count, by dotted name.

        Raises:
            HparamsError: A file cannot be read or is no mapping, or a name or a text is rejected.
        """
        pairs = list(found)
        names = {name for name, _ in pairs}
        if not env and names.isdisjoint(("", config)):
            self.texts(pairs)
            return
        for name, text in pairs:
            if name == config:
                self._file(text, config)
        self.texts(env.items())
        self._elsewhere += [(_path(name), "environment") for name in env]
        for name, text in pairs:
            if not name:
                self._override(text)
            elif name != config:
                self.texts([(name, text)])
                self._elsewhere.append((_path(name), _LINE))

    def made(self, valid: Callable[[dict[str, Any]], Any]) -> Any:
        """Returns the instance.

        Args:
            valid: Makes an instance from nested values.

        Raises:
            HparamsError: A value is not valid for its field.
        """
        if self._files:
            try:
                self._model.model_validate(self._data, strict=False)
            except ValidationError as error:
                problems = findings(error, self._model)
                raise HparamsError("\n".join(map(self._placed, problems))) from error
        made = valid(self._data)
        for name in self._leaves if self._conditions else ():  # parents before children
            condition = self._conditions.get(name)
            if condition is not None and not condition.active(made.to_flat()):
                remove(self._data, self._leaves[name].path)
                made = valid(self._data)
        return made

    def _override(self, token: str) -> None:
        """Takes ``name=value``, ``+name=value`` or ``~name``; a text for a plain field is one as in a flag."""
        name, equals, text = token.partition("=")
        leaf = self._leaves.get(name) if equals else None
        if leaf is not None and leaf.form != "json":
            self.texts([(name, text)])
        else:
            self._line.apply(token, self._data)
        self._elsewhere.append((_path(name.lstrip("+~")), _LINE))

    def _file(self, file: str, option: str) -> None:
        if not file:
            raise HparamsError(f"--{option} names a file, but it is empty; write --{option}=FILE")
        try:
            text = Path(file).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise HparamsError(f"{file}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
        data = yaml_text.load(text, file=file)
        if data is None:
            return
        if not isinstance(data, dict):
            raise HparamsError(f"{file}: a config file holds a mapping of hyperparameters, but this one holds {data!r}")
        self._files.append(_Source(file, text, data))
        self._merge(self._data, data, self._model)

    def _merge(self, data: dict[str, Any], more: Mapping[Any, Any], model: type[BaseModel]) -> None:
        """Lays values over others: group by group, and a field as a whole."""
        for key, value in more.items():
            field = model.model_fields.get(key) if isinstance(key, str) else None
            group = group_of(field.annotation) if field else None
            if group is not None and isinstance(value, dict) and isinstance(data.get(key), dict):
                self._merge(data[key], value, group)
            elif isinstance(key, str) and model is self._model and field is None and "." in key and key in self._leaves:
                put(data, self._leaves[key].path, value)
            else:
                data[key] = _copied(value)

    def _placed(self, problem: InputProblem) -> str:
        """Returns a problem with the file and line, or the place, that its value comes from."""
        path = tuple(takewhile(lambda part: isinstance(part, str), problem.path))  # as far as it leads through mappings
        if self._set_elsewhere(path):
            return str(problem)
        found = self._in_files(path)
        if found is None:
            return str(problem)
        source, where = found
        line, column = yaml_text.locate(source.text, problem.path if where == path else where, key=problem.at_key)
        return f"{source.file}:{line}:{column}: {problem}"

    def origin(self, path: tuple[str, ...]) -> str:
        """Returns where a value comes from: file and line, ``command line``, ``environment`` or ``default``.

        Args:
            path: The keys that lead to the value.
        """
        found = None if (elsewhere := self._set_elsewhere(path)) else self._in_files(path)
        if found is None:
            return elsewhere or "default"
        source, where = found
        return f"{source.file}:{yaml_text.locate(source.text, where, key=True)[0]}"

    def _set_elsewhere(self, path: tuple[Any, ...]) -> str:
        """Returns where a value comes from that is from no file; empty if it is from one, or a default."""
        return next((whence for other, whence in reversed(self._elsewhere) if path[: len(other)] == other), "")

    def _in_files(self, path: tuple[Any, ...]) -> tuple[_Source, tuple[Any, ...]] | None:
        """Returns the last file that has a value, and the keys to it there; None if none has it."""
        dotted = ".".join(path)
        for source in reversed(self._files):
            if get(source.data, path)[0]:
                return source, path
            if dotted in source.data:
                return source, (dotted,)
        return None


def _path(name: str) -> tuple[str, ...]:
    return tuple(name.replace("-", "_").split("."))


def _copied(value: Any) -> Any:
    """Returns a copy of nested mappings, so that what is laid over them changes no file's own values."""
    return {key: _copied(inner) for key, inner in value.items()} if isinstance(value, dict) else value


def of_environment(
    model: type[BaseModel], leaves: Mapping[str, Leaf], prefix: str | None, environ: Mapping[str, str]
) -> dict[str, str]:
    """Returns the texts that variables of the environment give to fields, by dotted name.

    Args:
        model: The class.
        leaves: Its fields by dotted name.
        prefix: What their names begin with; two underscores stand for the dot of a group. None reads none.
        environ: The environment.

    Raises:
        HparamsError: A variable is nearly the name of a field. Others that begin with the prefix are ignored, because
            Kubernetes sets some of its own.
    """
    if prefix is None:
        return {}
    variables = {f"{prefix}{name.replace('.', '__').upper()}": name for name in leaves}
    for variable in environ:
        if variable.startswith(prefix) and variable not in variables:
            # A prefix that all share would make all of them near.
            rest, others = variable.removeprefix(prefix), (each.removeprefix(prefix) for each in variables)
            if near_names(rest, others) and not _OF_SERVICES.search(rest):
                near = near_names(variable, variables)
                raise HparamsError(f"the variable {variable} is no hyperparameter of {model.__name__}; {near}")
    return {name: environ[variable] for variable, name in variables.items() if variable in environ}
