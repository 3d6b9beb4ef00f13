"""The fields on a command line: flags and their texts, overrides, options of a parser, the text of ``--help``."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from typing import TYPE_CHECKING, Any, NoReturn

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from kftune import yaml_text
from kftune.errors import HparamsError, KftuneError, YamlError, suggestion
from kftune.hparams.fields.entry import holder_of
from kftune.hparams.fields.form import parse_json, parse_loosely, to_json
from kftune.hparams.fields.groups import group_of
from kftune.hparams.fields.kinds import kinds_of
from kftune.hparams.fields.leaf import Leaf
from kftune.hparams.fields.nested import get, put, remove

if TYPE_CHECKING:
    import argparse

CONFIG = "config"
"""The flag that names a config file."""

# The attribute of a namespace with the texts that a parser prepared by `CommandLine.add_options` has read.
TEXTS = "_kftune_texts"


def _from_yaml(name: str, text: str) -> Any:
    """Returns the value of an override that is no text: YAML, as in overrides of a study."""
    try:
        return yaml_text.load(text, file=f"override {name}={text}")
    except YamlError as error:
        raise HparamsError(f"{name}: the value must be YAML, for example [1, 2] or null: {error}") from error


def _is_bool(leaf: Leaf) -> bool:
    return kinds_of({leaf.name: leaf})[leaf.name].is_boolean


class CommandLine:
    """What a command line can say about the fields of a class.

    Args:
        model: The class.
        leaves: Its fields by dotted name.
    """

    def __init__(self, model: type[BaseModel], leaves: Mapping[str, Leaf]) -> None:
        self._model = model
        self._leaves = leaves
        dashed = {f"--{name.replace('_', '-')}": leaf for name, leaf in leaves.items()}
        self._flags = {**dashed, **{f"--{name}": leaf for name, leaf in leaves.items()}}

    @property
    def config(self) -> str | None:
        """The name of the flag for config files; None if ``--config`` sets a field, or a name that the class allows."""
        has_own = CONFIG in self._model.model_fields or self._model.model_config.get("extra") == "allow"
        return None if has_own else CONFIG

    def refuse(self, name: str) -> NoReturn:
        """Raises the error for a name that the class does not have."""
        near = " or ".join(map(repr, self._in_groups(name)))
        known = f"did you mean {near}?" if near else suggestion(name, self._leaves)
        raise HparamsError(f"{self._model.__name__} has no hyperparameter {name!r}; {known}")

    def _in_groups(self, name: str) -> list[str]:
        """Returns what a name is called that lacks the group around it, or has another: ``model.`` for ``net.``."""
        groups = {".".join(leaf.path[:depth]) for leaf in self._leaves.values() for depth in range(1, len(leaf.path))}
        found: list[str] = []
        for rest in (name, name.partition(".")[2]):
            wholes = [f"{group}.{rest}" for group in sorted(groups) if rest and f"{group}.{rest}" != name]
            found = found or [each for each in wholes if each in self._leaves or holder_of(self._leaves, each)]
        return found[:3]

    def texts(self, argv: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Yields name and text of each flag, given as ``--name=value`` or in two tokens; ``--name`` is true for a bool.

        ``--no-name`` is false for one. An override has no name.

        Raises:
            HparamsError: A token is not a flag, or a flag has no value or is followed by another flag.
        """
        tokens, at = list(argv), 0
        while at < len(tokens):
            token, following = tokens[at], (tokens[at + 1] if at + 1 < len(tokens) else None)
            at += 1
            if not token.startswith("--"):
                yield "", self._checked_override(token)
                continue
            flag, equals, text = token.partition("=")
            leaf = self._flags.get(flag)
            if not equals and (bare := self._bare(flag, following)):
                yield bare
                continue
            if not equals:
                if following is None or self._is_flag(following):
                    if leaf is None and flag != "--":
                        self._place(flag[2:])  # an unknown name is the worse problem
                    found = f", but the next argument is {following!r}" if following else ""
                    raise HparamsError(f"{flag} needs a value: {flag}=VALUE{found}")
                text = following
                at += 1
            yield (leaf.name if leaf else flag[2:] or self.refuse("")), text

    def _checked_override(self, token: str) -> str:
        if token[:1] != "~" and (token[:1] == "-" or "=" not in token):
            raise HparamsError(f"arguments are --name=value, or name=value, but got {token!r}")
        return token

    def _bare(self, flag: str, following: str | None) -> tuple[str, str] | None:
        """Returns name and text of a flag without a value, ``--amp`` or ``--no-amp`` for a bool; None for others."""
        leaf = self._flags.get(flag)
        if leaf is not None:
            is_bare = following is None or following.startswith(("--", "~", "+")) or "=" in following
            return (leaf.name, "true") if is_bare and _is_bool(leaf) else None
        leaf = self._flags.get(f"--{flag[5:]}") if flag.startswith("--no-") else None
        return (leaf.name, "false") if leaf is not None and _is_bool(leaf) else None

    def texts_of(self, namespace: argparse.Namespace) -> dict[str, str]:
        """Returns the texts of the fields whose values in a namespace differ from their defaults.

        Args:
            namespace: A namespace of a parser prepared by `add_options`, changed afterwards or not, or any other.

        Raises:
            HparamsError: A value is not valid for its field.
        """
        held = vars(namespace)
        texts: dict[str, str] = {}
        for name, text in held.get(TEXTS, {}).items():  # an encoded text says more than its value
            leaf = self._leaves[name]
            if name in held and leaf.jsonable(held[name]) == leaf.jsonable(leaf.decode(text)):
                texts[name] = text
        for name, value in held.items():
            if name in texts:
                continue
            if name in self._leaves:
                text = self._leaves[name].text_of(value)
                if text is not None:
                    texts[name] = text
            elif name in self._model.model_fields and value is not None:
                texts[name] = to_json(name, to_jsonable_python(value))
        return texts

    def put_further(self, data: dict[str, Any], name: str, text: str) -> None:
        """Sets what is not a field: a whole group, an entry of a dict, or an extra.

        Other entries of a dict stay as in its default.

        Args:
            data: The nested values, which it changes.
            name: The dotted name.
            text: The text given for it: JSON, or for an entry or an extra any text.

        Raises:
            HparamsError: The name is none of these.
        """
        path, is_group = self._place(name)
        holder = holder_of(self._leaves, name)
        if holder is not None and isinstance(holder.default, dict) and not get(data, holder.path)[0]:
            put(data, holder.path, deepcopy(holder.default))
        put(data, path, parse_json(name, text) if is_group else parse_loosely(text))

    def _place(self, name: str) -> tuple[tuple[str, ...], bool]:
        """Returns the path of a name that is not a field, and whether it is a whole group."""
        path = tuple(name.split("."))
        owner, depth = self._owner_of(path)
        if owner is not self._model and depth == len(path):
            return path, True
        leaf = self._leaves.get(".".join(path[: depth + 1]))
        if leaf is not None and leaf.form == "json":
            return path, False
        if leaf is None and owner.model_config.get("extra") == "allow":
            return (*path[:depth], ".".join(path[depth:])), False
        return self.refuse(name)

    def apply(self, override: str, data: dict[str, Any]) -> None:
        """Applies ``name=value``, ``+name=value`` or ``~name``.

        Args:
            override: One of these.
            data: The nested values, which it changes.

        Raises:
            HparamsError: The override is not of these forms, or its name or value is rejected.
        """
        if override.startswith("~"):
            self._drop(override[1:], data)
            return
        name, equals, text = override.removeprefix("+").partition("=")
        if not equals:
            raise HparamsError(f"an override is name=value, +name=value or ~name, but got {override!r}")
        leaf = self._leaves.get(name)
        if override.startswith("+"):
            self._check_new(name, text)
        if leaf is not None and leaf.form != "json":
            put(data, leaf.path, leaf.decode(text))
        else:
            put(data, leaf.path if leaf else self._place(name)[0], _from_yaml(name, text))

    def help_text(self) -> str:
        """Returns the fields as ``--help`` shows them."""
        lines = [inspect.cleandoc(self._model.__doc__ or self._model.__name__), "", "hyperparameters (--name=value):"]
        for leaf in self._leaves.values():
            group = ".".join(leaf.path[:-1])
            given = f"default {leaf.encode(leaf.default)}" if leaf.has_default else "computed"
            if not leaf.has_default and group:
                given = f"required in {group}"
            notes = ["required" if leaf.is_required else given]
            if leaf.domain is not None:
                notes.append(f"searched {json.dumps(leaf.domain.to_spec())}")
            lines.append(f"  --{leaf.name}")
            lines.append(f"        {leaf.description} ({'; '.join(notes)})".replace("         (", "        ("))
        if self.config:
            lines += ["", "also:", f"  --{self.config} FILE"]
            lines.append("        YAML file of hyperparameters, once or more; a later one counts more, and flags most")
            lines += ["  name=value, +name=value, ~name", "        set a value, add one, restore a default"]
        return "\n".join(lines) + "\n"

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Adds an option for each field, which stores a typed value and, under `TEXTS`, its text."""
        import argparse  # noqa: PLC0415  # so that using a class without a parser does not cost it

        leaves = self._leaves

        class Store(argparse.Action):
            def __call__(
                self,
                parser: argparse.ArgumentParser,
                namespace: argparse.Namespace,
                values: Any,
                option_string: str | None = None,  # argparse passes it
            ) -> None:
                text = values if isinstance(values, str) else "--"  # argparse drops this text before Python 3.13
                texts = {**getattr(namespace, TEXTS, {}), self.dest: text}
                try:
                    setattr(namespace, self.dest, leaves[self.dest].validated(leaves[self.dest].decode(text)))
                except KftuneError as error:
                    parser.error(str(error))
                setattr(namespace, TEXTS, texts)

        for leaf in leaves.values():
            shown = f" (default: {leaf.encode(leaf.default)})" if leaf.has_default else ""
            parser.add_argument(
                *dict.fromkeys((f"--{leaf.name}", f"--{leaf.name.replace('_', '-')}")),
                dest=leaf.name,
                action=Store,
                default=leaf.validated(leaf.default) if leaf.has_default else None,
                required=leaf.is_required,
                metavar="VALUE",
                help=f"{leaf.description}{shown}".strip().replace("%", "%%"),
            )

    def _is_flag(self, token: str) -> bool:
        """Returns whether a token names a field, a group, or something in one."""
        name = token.removeprefix("--").partition("=")[0].partition(".")[0]
        return token.startswith("--") and name.replace("-", "_") in self._model.model_fields

    def _owner_of(self, path: tuple[str, ...]) -> tuple[type[BaseModel], int]:
        """Returns the innermost group on a path, and how many parts of the path lead to it."""
        model = self._model
        for depth, part in enumerate(path):
            field = model.model_fields.get(part)
            group = group_of(field.annotation) if field else None
            if group is None:
                return model, depth
            model = group
        return model, len(path)

    def _check_new(self, name: str, text: str) -> None:
        model = self._model
        if name in self._leaves:
            raise HparamsError(f"+{name} adds a name, but {model.__name__} already has it; write {name}={text}")
        if model.model_config.get("extra") != "allow" and "." not in name:
            known = suggestion(name, self._leaves)
            raise HparamsError(f"{model.__name__} allows no further names, but got +{name}; {known}")

    def _drop(self, name: str, data: dict[str, Any]) -> None:
        leaf = self._leaves.get(name)
        if leaf is not None and not leaf.has_default:
            raise HparamsError(f"~{name} restores the default, but {leaf.declaration} has none")
        path = leaf.path if leaf else tuple(name.split("."))
        if leaf is None and not get(data, path)[0]:
            self.refuse(name)
        remove(data, path)
