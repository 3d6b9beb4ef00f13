"""`Hparams`: a typed, frozen class of hyperparameters that is also a mapping and a command line.

    class LstmHparams(Hparams):
        lstm_units: int = Hparam(64, ge=1, search=Choice(32, 64, 128, 256))
        '''Width of the hidden state.'''

The property that everything else rests on: ``C.from_args(h.to_args()) == h``.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, ItemsView, Iterable, Iterator, KeysView, Mapping, Sequence, ValuesView
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Self, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import PydanticUndefined

from kftune import encoding, yaml_text
from kftune.domains import Conditional, Domain
from kftune.encoding import Drawn
from kftune.errors import HparamsError, KftuneError, suggestion
from kftune.fields import Leaf, leaves_of, parse_loosely
from kftune.validation import OwnErrors, findings

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

_RESERVED = frozenset(dir(Mapping)) - {"__doc__", "__module__"}


def Hparam(  # noqa: N802  # named as the thing it declares, like pydantic's Field
    default: Any = PydanticUndefined,
    *,
    gt: float | None = None,
    ge: float | None = None,
    lt: float | None = None,
    le: float | None = None,
    description: str | None = None,
    search: Domain | None = None,
    default_factory: Callable[[], Any] | None = None,
) -> Any:
    """A hyperparameter's default, bounds and search domain.

    Args:
        default: The value without a search; must lie inside `search`. Leave it out for a required field.
        gt: Values must be greater than this.
        ge: Values must be greater than or equal to this.
        lt: Values must be less than this.
        le: Values must be less than or equal to this.
        description: What it is, unit first; a docstring under the field does the same.
        search: What a study may try.
        default_factory: Makes the default, for values that can change.
    """
    arguments: dict[str, Any] = {"gt": gt, "ge": ge, "lt": lt, "le": le, "description": description}
    arguments = {name: value for name, value in arguments.items() if value is not None}
    if search is not None:
        arguments["json_schema_extra"] = {"search": search.to_spec()}
    if default_factory is not None:
        return Field(default_factory=default_factory, **arguments)
    return Field(default, **arguments)


class _HparamsMeta(OwnErrors):
    """Refuses fields that would hide a method of mappings, before pydantic warns of them."""

    def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **kwargs: Any) -> type:
        taken = sorted(_RESERVED & set(namespace.get("__annotations__", ())))
        if taken:
            raise HparamsError(f"{name}: a field cannot be called {taken[0]!r}, a method of every mapping")
        return super().__new__(mcs, name, bases, namespace, **kwargs)


class Hparams(BaseModel, Mapping[str, Any], metaclass=_HparamsMeta):
    """Base class of hyperparameters: typed fields, unknown names refused, values frozen."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        allow_inf_nan=False,
        protected_namespaces=(),
    )

    _leaves: ClassVar[dict[str, Leaf]] = {}
    _flags: ClassVar[dict[str, Leaf]] = {}
    _has_groups: ClassVar[bool] = False

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        cls._leaves = leaves_of(cls)
        cls._has_groups = any(len(leaf.path) > 1 for leaf in cls._leaves.values())
        cls._flags = {f"--{name}": leaf for name, leaf in cls._leaves.items()}
        cls._flags.update({f"--{name.replace('_', '-')}": leaf for name, leaf in cls._leaves.items()})

    # -- a mapping ---------------------------------------------------------------------------------------------

    def __getitem__(self, name: str) -> Any:
        if name in type(self).model_fields or name in (self.model_extra or {}):
            return getattr(self, name)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:  # type: ignore[override]  # a mapping iterates over its keys
        yield from type(self).model_fields
        yield from self.model_extra or {}

    def __len__(self) -> int:
        return len(type(self).model_fields) + len(self.model_extra or {})

    def __contains__(self, name: object) -> bool:
        return name in type(self).model_fields or name in (self.model_extra or {})

    def __hash__(self) -> int:
        return hash(self.content_hash())

    def keys(self) -> KeysView[str]:
        """The names of the fields."""
        return KeysView(self)

    def values(self) -> ValuesView[Any]:
        """The values of the fields."""
        return ValuesView(self)

    def items(self) -> ItemsView[str, Any]:
        """Names and values of the fields."""
        return ItemsView(self)

    # -- what the class declares -------------------------------------------------------------------------------

    @classmethod
    def leaves(cls) -> Mapping[str, Leaf]:
        """The flat table of fields: dotted name -> leaf."""
        return cls._leaves

    @classmethod
    def leaf(cls, name: str) -> Leaf:
        """The field with this dotted name.

        Raises:
            HparamsError: The class has no such field.
        """
        found = cls._leaves.get(name)
        if found is None:
            cls._refuse_name(name)
        return found

    @classmethod
    def space(cls) -> dict[str, Domain]:
        """The search domains declared on the class, by dotted name."""
        return {name: leaf.domain for name, leaf in cls._leaves.items() if leaf.domain is not None}

    # -- from other forms --------------------------------------------------------------------------------------

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """An instance from nested values.

        Raises:
            HparamsError: A name is unknown, or a value is not what its field takes.
        """
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise cls.own_error(error) from error

    @classmethod
    def from_yaml(cls, path: str | Path, key: str | None = None) -> Self:
        """An instance from a YAML file, or from what stands in it under `key` (dots go deeper).

        Raises:
            HparamsError: The key is not there, or the values are not what the class takes.
            YamlError: The file is not YAML.
            OSError: The file cannot be read.
        """
        found: Any = yaml_text.load_file(path)
        for part in key.split(".") if key else ():
            if not isinstance(found, Mapping) or part not in found:
                known = list(map(str, found)) if isinstance(found, Mapping) else []
                raise HparamsError(f"{path}: there is no key {key!r} ({part!r} not found); {suggestion(part, known)}")
            found = found[part]
        if not isinstance(found, Mapping):
            where = f"key {key!r}" if key else "the file"
            raise HparamsError(f"{path}: {where} must hold a mapping of hyperparameters, but holds {found!r}")
        try:
            return cls.from_dict(found)
        except HparamsError as error:
            raise HparamsError(f"{path}{f', key {key}' if key else ''}: {error}") from error

    @classmethod
    def from_config(cls, config: Any) -> Self:
        """An instance from a mapping or an OmegaConf ``DictConfig``, interpolations resolved."""
        if isinstance(config, Mapping):
            return cls.from_dict(config)
        from omegaconf import OmegaConf  # noqa: PLC0415  # only somebody who has a DictConfig comes here

        return cls.from_dict(cast("dict[str, Any]", OmegaConf.to_container(config, resolve=True)))

    @classmethod
    def from_assignments(cls, assignments: Mapping[str, str]) -> Self:
        """An instance from texts by dotted name, as they cross a process border.

        Raises:
            HparamsError: A name is unknown, or a text is not a value of its field.
        """
        return cls._from_texts(assignments.items())

    @classmethod
    def from_args(cls, argv: Sequence[str] | None = None) -> Self:
        """An instance from a command line of ``--name=value`` (dashes or underscores, dots for groups).

        Args:
            argv: The arguments. None takes the process's own, and then behaves as a script should: ``--help`` prints
                the fields and exits 0, a mistake prints one line and exits 2.

        Raises:
            HparamsError: A flag is unknown, or a value is not what its field takes.
        """
        if argv is not None:
            return cls._from_texts(cls._split(argv))
        arguments = sys.argv[1:]
        if {"-h", "--help"} & set(arguments):
            sys.stdout.write(cls.help_text())
            raise SystemExit(0)
        try:
            return cls._from_texts(cls._split(arguments))
        except KftuneError as error:
            sys.stderr.write(f"{sys.argv[0]}: {error}\n")
            raise SystemExit(2) from error

    @classmethod
    def from_namespace(cls, namespace: argparse.Namespace) -> Self:
        """An instance from what a parser prepared by `add_to_argparse` read; other arguments are left alone."""
        texts = vars(namespace).get(_TEXTS, {})
        return cls._from_texts(texts.items())

    def override(self, *overrides: str) -> Self:
        """A changed copy, in Hydra's words.

        ``a.b=1`` sets, ``+new=1`` adds (where the class allows extras), ``~a`` goes back to the default.

        Raises:
            HparamsError: An override is not of these forms, or its name or value is refused.
        """
        data = self.to_dict()
        for override in overrides:
            if override.startswith("~"):
                self._drop(data, override[1:])
                continue
            name, equals, text = override.removeprefix("+").partition("=")
            if not equals:
                raise HparamsError(f"an override is name=value, +name=value or ~name, but got {override!r}")
            if override.startswith("+"):
                self._add(data, name, text)
            else:
                leaf = self._leaves.get(name)
                path, value = (leaf.path, leaf.decode(text)) if leaf else self._inside(name, text)
                _put(data, path, value)
        return self.from_dict(data)

    # -- to other forms ----------------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """Nested JSON-able values."""
        return self.model_dump(mode="json")

    def to_yaml(self) -> str:
        """The values as a YAML document."""
        return yaml_text.dump(self.to_dict())

    def to_flat(self) -> dict[str, Any]:
        """JSON-able values by dotted name; an optional group that is None is one entry."""
        flat: dict[str, Any] = {}
        data = self.to_dict()
        for name, leaf in self._leaves.items():
            present, value = _get(data, leaf.path)
            if present and not (leaf.is_group and isinstance(value, dict) and value):
                flat[name] = value
        flat.update(self.model_extra or {})
        return flat

    def to_assignments(self) -> dict[str, str]:
        """Every value as the text that crosses a process border, by dotted name."""
        return {
            name: leaf.encode(value) if (leaf := self._leaves.get(name)) else json.dumps(value)
            for name, value in self.to_flat().items()
        }

    def to_args(self) -> list[str]:
        """The command line that `from_args` reads back: one ``--name=value`` token a value."""
        return [f"--{name}={text}" for name, text in self.to_assignments().items()]

    def diff(self, other: Hparams) -> dict[str, tuple[Any, Any]]:
        """Where two instances differ: dotted name -> (value here, value there); None where one has no such field."""
        mine, theirs = self.to_flat(), other.to_flat()
        names = dict.fromkeys((*mine, *theirs))
        return {name: (mine.get(name), theirs.get(name)) for name in names if mine.get(name) != theirs.get(name)}

    def content_hash(self) -> str:
        """A SHA-256 of the values (hexadecimal) that does not change between runs, machines or field orders."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @classmethod
    def help_text(cls) -> str:
        """The fields as a command line's ``--help`` shows them."""
        lines = [f"{(cls.__doc__ or cls.__name__).strip()}", "", "hyperparameters (--name=value):"]
        for leaf in cls._leaves.values():
            notes = [f"default {leaf.encode(leaf.default)}" if leaf.has_default else "required"]
            if leaf.domain is not None:
                notes.append(f"searched {json.dumps(leaf.domain.to_spec())}")
            lines.append(f"  --{leaf.name}")
            lines.append(f"        {leaf.description} ({'; '.join(notes)})".replace("         (", "        ("))
        return "\n".join(lines) + "\n"

    @classmethod
    def add_to_argparse(cls, parser: argparse.ArgumentParser) -> None:
        """Gives a hand-written script's parser one option a field.

        The parsed namespace holds typed values under the dotted names, and `from_namespace` makes an instance of it.
        """
        import argparse  # noqa: PLC0415  # so that using a class without a parser does not cost it

        class Store(argparse.Action):
            def __call__(
                self,
                parser: argparse.ArgumentParser,
                namespace: argparse.Namespace,
                values: Any,
                option_string: str | None = None,  # argparse passes it
            ) -> None:
                texts = {**getattr(namespace, _TEXTS, {}), self.dest: values}
                try:
                    setattr(namespace, self.dest, leaves[self.dest].validated(leaves[self.dest].decode(values)))
                except KftuneError as error:
                    parser.error(str(error))
                setattr(namespace, _TEXTS, texts)

        leaves = cls._leaves
        for leaf in leaves.values():
            flags = dict.fromkeys((f"--{leaf.name}", f"--{leaf.name.replace('_', '-')}"))
            default = leaf.validated(leaf.default) if leaf.has_default else None
            described = leaf.description.replace("%", "%%")
            parser.add_argument(
                *flags,
                dest=leaf.name,
                action=Store,
                default=default,
                required=not leaf.has_default,
                metavar="VALUE",
                help=f"{described} (default: {str(default).replace('%', '%%')})" if leaf.has_default else described,
            )

    @classmethod
    def own_error(cls, error: ValidationError) -> HparamsError:
        """pydantic's findings as one error, a line each."""
        return HparamsError("\n".join(map(str, findings(error, cls))))

    # -- how texts become values -------------------------------------------------------------------------------

    @classmethod
    def _from_texts(cls, texts: Iterable[tuple[str, str]]) -> Self:
        data: dict[str, Any] = {}
        conditions: dict[str, Conditional] = {}
        for name, text in texts:
            leaf = cls._leaves.get(name) or cls._leaves.get(name.replace("-", "_"))
            if leaf is None:
                path, value = cls._inside(name, text)
                _put(data, path, value)
                continue
            if text.startswith(encoding.PREFIX):
                drawn = encoding.decode(text)
                if isinstance(drawn, Drawn) and isinstance(drawn.domain, Conditional):
                    conditions[leaf.name] = drawn.domain
            if len(leaf.path) == 1:
                data[leaf.name] = leaf.decode(text)
            else:
                _put(data, leaf.path, leaf.decode(text))
        if cls._has_groups:
            cls._fill_group_defaults(data)
        try:
            made = cls.model_validate(data)
        except ValidationError as error:
            raise cls.own_error(error) from error
        return cls._without_inactive(made, data, conditions) if conditions else made

    @classmethod
    def _without_inactive(cls, made: Self, data: dict[str, Any], conditions: dict[str, Conditional]) -> Self:
        """Gives conditional fields whose condition does not hold their defaults, parents before children."""
        for name in cls._leaves:
            condition = conditions.get(name)
            if condition is not None and not condition.active(made.to_flat()):
                leaf = cls._leaves[name]
                _put(data, leaf.path, leaf.default)
                made = cls.from_dict(data)
        return made

    @classmethod
    def _fill_group_defaults(cls, data: dict[str, Any]) -> None:
        """Completes a group that the texts give in part with the defaults that the enclosing class has for it."""
        for leaf in cls._leaves.values():
            group = data.get(leaf.path[0]) if len(leaf.path) > 1 else None
            if isinstance(group, dict) and leaf.has_default and not leaf.is_group:
                _put(data, leaf.path, leaf.default, keep=True)

    @classmethod
    def _split(cls, argv: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Name and text of each flag; ``--name value`` in two tokens is taken as well."""
        tokens = iter(argv)
        for token in tokens:
            if not token.startswith("--"):
                raise HparamsError(f"arguments are --name=value, but got {token!r}")
            flag, equals, text = token.partition("=")
            leaf = cls._flags.get(flag)
            if not equals:
                following = next(tokens, None)
                if following is None:
                    raise HparamsError(f"{flag} needs a value: {flag}=VALUE")
                text = following
            yield (leaf.name if leaf else flag[2:]), text

    @classmethod
    def _inside(cls, name: str, text: str) -> tuple[tuple[str, ...], Any]:
        """Path and value for a name that goes into a field without a type of its own (a dict, or an extra)."""
        path = tuple(name.split("."))
        for end in range(len(path) - 1, 0, -1):
            leaf = cls._leaves.get(".".join(path[:end]))
            if leaf is not None and leaf.form == "json" and not leaf.is_group:
                return path, parse_loosely(text)
        if cls.model_config.get("extra") == "allow" and len(path) == 1:
            return path, parse_loosely(text)
        return cls._refuse_name(name)

    @classmethod
    def _add(cls, data: dict[str, Any], name: str, text: str) -> None:
        if name in cls._leaves:
            raise HparamsError(f"+{name} adds a name, but {cls.__name__} has it already; write {name}={text}")
        if cls.model_config.get("extra") != "allow" and "." not in name:
            known = suggestion(name, cls._leaves)
            raise HparamsError(f"{cls.__name__} allows no further names, but got +{name}; {known}")
        _put(data, *cls._inside(name, text))

    @classmethod
    def _drop(cls, data: dict[str, Any], name: str) -> None:
        leaf = cls._leaves.get(name)
        if leaf is None and name in data and name not in cls.model_fields:
            del data[name]
        elif leaf is None:
            cls._refuse_name(name)
        elif leaf.has_default:
            _put(data, leaf.path, leaf.default)
        else:
            raise HparamsError(f"~{name} goes back to the default, but {leaf.declaration} has none")

    @classmethod
    def _refuse_name(cls, name: str) -> NoReturn:
        raise HparamsError(f"{cls.__name__} has no hyperparameter {name!r}; {suggestion(name, cls._leaves)}")


_TEXTS = "_kftune_texts"


def _put(data: dict[str, Any], path: Sequence[str], value: Any, *, keep: bool = False) -> None:
    """Sets a value in nested dicts; with `keep` only where there is none."""
    for part in path[:-1]:
        inner = data.get(part)
        if not isinstance(inner, dict):
            if keep and part in data:
                return
            inner = data[part] = {}
        data = inner
    if not keep or path[-1] not in data:
        data[path[-1]] = value


def _get(data: Any, path: Sequence[str]) -> tuple[bool, Any]:
    """Whether nested dicts hold a path, and the value there."""
    for part in path:
        if not isinstance(data, dict) or part not in data:
            return False, None
        data = data[part]
    return True, data
