"""`Hparams`: a typed, frozen class of hyperparameters that is also a mapping and a command line.

    class LstmHparams(Hparams):
        lstm_units: int = Hparam(64, ge=1, search=Choice(32, 64, 128, 256))
        '''Width of the hidden state.'''

The main property: ``C.from_args(h.to_args()) == h``.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticSerializationError, PydanticUndefined

from kftune import yaml_text
from kftune.argv import to_arguments
from kftune.domains import Conditional, Domain, encoding
from kftune.domains.encoding import DomainValue
from kftune.errors import HparamsError, KftuneError, suggestion
from kftune.hparams.fields.bools import NO_NUMBER, refused_bools
from kftune.hparams.fields.command_line import CommandLine
from kftune.hparams.fields.entry import entry_of, holder_of
from kftune.hparams.fields.form import in_order, to_json
from kftune.hparams.fields.groups import FieldGroup, completed, extras_of, groups_of
from kftune.hparams.fields.leaf import Leaf
from kftune.hparams.fields.nested import get, put, remove
from kftune.hparams.fields.reading import check_reading
from kftune.hparams.fields.table import leaves_of
from kftune.validation import Frozen, OwnErrors, findings

if TYPE_CHECKING:
    import argparse
    from pathlib import Path


def Hparam(  # noqa: N802  # named as the thing it declares, like pydantic's Field
    default: Any = PydanticUndefined,
    *,
    gt: float | None = None,
    ge: float | None = None,
    lt: float | None = None,
    le: float | None = None,
    description: str | None = None,
    search: Domain | None = None,
    default_factory: Callable[[], Any] | Callable[[dict[str, Any]], Any] | None = None,
) -> Any:
    """Declares a hyperparameter's default, bounds and search domain.

    Args:
        default: The value without a search; must be in `search`. Omit it for a required field.
        gt: Values must be greater than this.
        ge: Values must be greater than or equal to this.
        lt: Values must be less than this.
        le: Values must be less than or equal to this.
        description: What it means, with the unit first; a docstring under the field does the same.
        search: The values that a study may try.
        default_factory: Makes the default, for mutable values; a function of one argument gets the fields above.
    """
    arguments: dict[str, Any] = {"gt": gt, "ge": ge, "lt": lt, "le": le, "description": description}
    arguments = {name: value for name, value in arguments.items() if value is not None}
    if search is not None and not isinstance(search, Domain):
        raise HparamsError(f"search takes a domain, for example LogUniform(1e-4, 1e-2), but got {search!r}")
    if search is not None:
        arguments["json_schema_extra"] = {"search": search.to_spec()}
    if default_factory is not None:
        return Field(default_factory=default_factory, **arguments)
    return Field(default, **arguments)


class Hparams(Frozen, BaseModel, Mapping[str, Any], metaclass=OwnErrors):
    """Base class of hyperparameters: typed and frozen fields; unknown names are rejected."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        protected_namespaces=(),
        validate_default=True,
        ser_json_inf_nan="constants",
    )

    _leaves: ClassVar[dict[str, Leaf]] = {}
    _groups: ClassVar[dict[str, FieldGroup]] = {}
    _command_line: ClassVar[CommandLine]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._refuse_taken(vars(cls).get("__annotations__", ()))  # before pydantic warns about them

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        cls._refuse_taken(cls.model_fields)  # from Python 3.14 on, annotations are not in the namespace
        cls._leaves = leaves_of(cls)
        cls._groups = groups_of(cls)
        cls._command_line = CommandLine(cls, cls._leaves)
        check_reading(cls, cls._leaves)

    @model_validator(mode="before")
    @classmethod
    def _complete_groups(cls, data: Any) -> Any:
        """Refuses true and false as numbers; completes partly given groups from the defaults that this class has."""
        if isinstance(data, dict):
            refused = refused_bools(cls.model_fields, data)
            if refused:
                lines = [InitErrorDetails(type=NO_NUMBER, loc=(name,), input=data[name]) for name in refused]
                raise ValidationError.from_exception_data(cls.__name__, lines)
        return completed(cls._groups, data) if cls._groups and isinstance(data, dict) else data

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

    def __hash__(self) -> int:
        return hash(self.content_hash())

    # -- what the class declares -------------------------------------------------------------------------------

    @classmethod
    def leaves(cls) -> Mapping[str, Leaf]:
        """Returns the flat table of fields: dotted name -> leaf."""
        return cls._leaves

    @classmethod
    def leaf(cls, name: str) -> Leaf:
        """Returns the field with this dotted name, or a key inside a field that holds a mapping.

        Raises:
            HparamsError: The class has no such field or key.
        """
        found = cls._leaves.get(name)
        if found is not None:
            return found
        holder = holder_of(cls._leaves, name)
        return cls._command_line.refuse(name) if holder is None else entry_of(holder, name)

    @classmethod
    def space(cls) -> dict[str, Domain]:
        """Returns the search domains declared on the class, by dotted name."""
        return {name: leaf.domain for name, leaf in cls._leaves.items() if leaf.domain is not None}

    # -- from other forms --------------------------------------------------------------------------------------

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Returns an instance from nested values.

        Raises:
            HparamsError: A name is unknown, or a value is not valid for its field.
        """
        if not isinstance(values, Mapping):
            raise HparamsError(f"{cls.__name__} is made from a mapping of names to values, but got {values!r}")
        return cls._valid(dict(values))

    @classmethod
    def from_yaml(cls, path: str | Path, key: str | None = None) -> Self:
        """Returns an instance from a YAML file.

        Args:
            path: The file.
            key: The key of the mapping to read, with dots for inner keys; None for the whole file.

        Raises:
            HparamsError: The key is missing, or the values are not valid.
            YamlError: The file is not YAML.
            OSError: The file cannot be read.
        """
        found: Any = yaml_text.load_file(path)
        for part in key.split(".") if key is not None else ():
            inner = {str(name): value for name, value in found.items()} if isinstance(found, Mapping) else {}
            if part not in inner:
                raise HparamsError(f"{path}: no key {key!r} ({part!r} not found); {suggestion(part, inner)}")
            found = inner[part]
        if not isinstance(found, Mapping):
            where = "the file" if key is None else f"key {key!r}"
            raise HparamsError(f"{path}: {where} must hold a mapping of hyperparameters, but holds {found!r}")
        try:
            return cls.from_dict(found)
        except HparamsError as error:
            raise HparamsError(f"{path}{'' if key is None else f', key {key}'}: {error}") from error

    @classmethod
    def from_config(cls, config: Any) -> Self:
        """Returns an instance from a mapping or an OmegaConf ``DictConfig``, with interpolations resolved.

        Raises:
            HparamsError: A name is unknown, a value is not valid for its field or is missing (``???``), or an
                interpolation cannot be resolved.
        """
        if type(config).__module__.partition(".")[0] == "omegaconf":
            from kftune.hparams.omegaconf_reader import plain  # noqa: PLC0415  # only a caller with such a config has it

            config = plain(config)
        return cls.from_dict(config)

    @classmethod
    def from_assignments(cls, assignments: Mapping[str, str]) -> Self:
        """Returns an instance from texts by dotted name, as they cross a process border.

        Raises:
            HparamsError: A name is unknown, or a text is not valid for its field.
        """
        return cls._from_texts(assignments.items())

    @classmethod
    def from_args(cls, argv: Sequence[str] | None = None) -> Self:
        """Returns an instance from a command line of ``--name=value`` (dashes or underscores, dots for groups).

        Args:
            argv: The arguments. None takes those of the process, and exits as a script should: ``--help`` prints the
                fields and exits 0, a mistake prints one line and exits 2.

        Raises:
            HparamsError: A flag is unknown, or a value is not valid for its field.
        """
        if argv is not None:
            return cls._from_texts(cls._command_line.texts(argv))
        arguments = sys.argv[1:]
        if {"-h", "--help"} & set(arguments):
            sys.stdout.write(cls.help_text())
            raise SystemExit(0)
        try:
            return cls._from_texts(cls._command_line.texts(arguments))
        except KftuneError as error:
            sys.stderr.write(f"{sys.argv[0]}: {error}\n")
            raise SystemExit(2) from error

    @classmethod
    def from_namespace(cls, namespace: argparse.Namespace) -> Self:
        """Returns an instance from the values of a namespace; ignores other arguments.

        The values count, whether the command line, `set_defaults` or an assignment has set them.

        Raises:
            HparamsError: A value is not valid for its field.
        """
        return cls._from_texts(cls._command_line.texts_of(namespace).items())

    def override(self, *overrides: str) -> Self:
        """Returns a changed copy, with overrides in Hydra's syntax.

        ``a.b=1`` sets, ``+new=1`` adds (if the class allows extras), ``~a`` restores the default.

        Raises:
            HparamsError: An override is not of these forms, or its name or value is rejected.
        """
        data = self.to_dict()
        for override in overrides:
            self._command_line.apply(override, data)
        return self._valid(data, strict=False)

    # -- to other forms ----------------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """Returns nested JSON-able values."""
        try:
            return cast("dict[str, Any]", in_order(self.model_dump(mode="json", round_trip=True), self))
        except (PydanticSerializationError, UnicodeDecodeError) as error:
            raise HparamsError(f"JSON must be able to write all values, but {self!r} has another: {error}") from error

    def to_yaml(self) -> str:
        """Returns the values as a YAML document."""
        return yaml_text.dump(self.to_dict())

    def to_flat(self) -> dict[str, Any]:
        """Returns JSON-able values by dotted name; an optional group that is None is one entry."""
        flat: dict[str, Any] = {}
        data = self.to_dict()
        for name, leaf in self._leaves.items():
            present, value = get(data, leaf.path)
            if present and not (leaf.is_group and isinstance(value, dict) and value):
                flat[name] = value
        for path in extras_of(self):
            flat[".".join(path)] = get(data, path)[1]
        return flat

    def to_assignments(self) -> dict[str, str]:
        """Returns every value as the text that crosses a process border, by dotted name."""
        return {
            name: leaf.encode(value) if (leaf := self._leaves.get(name)) else to_json(name, value)
            for name, value in self.to_flat().items()
        }

    def to_args(self) -> list[str]:
        """Returns the command line that `from_args` reads back: one ``--name=value`` token for each value."""
        return to_arguments(self.to_assignments())

    def diff(self, other: Hparams) -> dict[str, tuple[Any, Any]]:
        """Returns the differences, dotted name -> (value here, value there); None if one has no such field."""
        mine, theirs = self.to_flat(), other.to_flat()
        names = dict.fromkeys((*mine, *theirs))
        return {name: (mine.get(name), theirs.get(name)) for name in names if mine.get(name) != theirs.get(name)}

    def content_hash(self) -> str:
        """Returns a SHA-256 of the values (hexadecimal), the same in all runs, machines and field orders."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @classmethod
    def help_text(cls) -> str:
        """Returns the fields as a command line's ``--help`` shows them."""
        return cls._command_line.help_text()

    @classmethod
    def add_to_argparse(cls, parser: argparse.ArgumentParser) -> None:
        """Adds an option for each field to a script's parser.

        The parsed namespace has typed values under the dotted names; `from_namespace` makes an instance from it.
        """
        cls._command_line.add_options(parser)

    def _remedy(self, name: str) -> str:
        return f"hparams.override('{name}=...')"

    @classmethod
    def own_error(cls, error: ValidationError) -> HparamsError:
        """Returns pydantic's errors as one error, with a line for each."""
        return HparamsError("\n".join(map(str, findings(error, cls))))

    # -- how texts become values -------------------------------------------------------------------------------

    @classmethod
    def _from_texts(cls, texts: Iterable[tuple[str, str]]) -> Self:
        data: dict[str, Any] = {}
        conditions: dict[str, Conditional] = {}
        for name, text in texts:
            leaf = cls._leaves.get(name) or cls._leaves.get(name.replace("-", "_"))
            if leaf is None:
                cls._command_line.put_further(data, name, text)
                continue
            if text.startswith(encoding.PREFIX):
                drawn = encoding.decode(text)
                if isinstance(drawn, DomainValue) and isinstance(drawn.domain, Conditional):
                    conditions[leaf.name] = drawn.domain
            if len(leaf.path) == 1:
                data[leaf.name] = leaf.decode(text)
            else:
                put(data, leaf.path, leaf.decode(text))
        made = cls._valid(data, strict=False)
        return cls._without_inactive(made, data, conditions) if conditions else made

    @classmethod
    def _without_inactive(cls, made: Self, data: dict[str, Any], conditions: dict[str, Conditional]) -> Self:
        """Restores the default of each inactive conditional field, parents before children."""
        for name in cls._leaves:
            condition = conditions.get(name)
            if condition is not None and not condition.active(made.to_flat()):
                remove(data, cls._leaves[name].path)
                made = cls._valid(data, strict=False)
        return made

    @classmethod
    def _valid(cls, data: dict[str, Any], *, strict: bool | None = None) -> Self:
        """Returns an instance from nested values; `strict` False also takes texts for values of a strict class."""
        try:
            return cls.model_validate(data, strict=strict)
        except ValidationError as error:
            if strict is None and cls.model_config.get("strict"):
                with suppress(ValidationError):
                    made = cls.model_validate(data, strict=False)
                    if (
                        data.items() <= made.to_dict().items()
                    ):  # as the class writes it: lists for tuples, texts for paths
                        return made
            raise cls.own_error(error) from error

    @classmethod
    def _refuse_taken(cls, names: Iterable[str]) -> None:
        for name in names:
            if name == "help" or (hasattr(Hparams, name) and not name.startswith("_")):
                raise HparamsError(
                    f"{cls.__name__}: a field cannot be called {name!r}: every hyperparameter class has an attribute "
                    f"with that name; choose another"
                )


# For subclasses only: Hparams has no fields, and reading its source takes longer than the rest of this module.
Hparams.model_config["use_attribute_docstrings"] = True
