"""One hyperparameter field: its dotted name, its text on a command line, and whether a domain fits it.

Text forms: a string is itself; everything else is JSON (``true``, ``null``, ``1e-05``, ``[1, 2]``). Where a string may
also be None, the strings that JSON would read as something else are quoted.
"""

from __future__ import annotations

import json
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, PydanticUserError, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined, to_jsonable_python

from kftune import encoding
from kftune.domains import Conditional, Domain, domain_from_spec, same
from kftune.encoding import Drawn
from kftune.errors import HparamsError
from kftune.validation import reworded

Form = Literal["text", "text or null", "scalar", "scalar or null", "json"]

# Every point of a domain up to this size is tried against its field; of a larger one, only the ends.
_POINTS_TRIED = 256

_to_json = json.JSONEncoder(ensure_ascii=False).encode


@dataclass(frozen=True)
class Leaf:
    """One field of a hyperparameter class, nested groups flattened.

    Attributes:
        name: Dotted name, e.g. ``optimizer.lr``.
        path: The name's parts.
        annotation: The declared type.
        form: How its values are written on a command line.
        constraints: What the declaration adds to the type (gt, ge, lt, le, …).
        description: The field's docstring.
        domain: The search domain declared on the class.
        has_default: Whether it may be left out.
        default: The default as JSON-able value; None without one.
        is_group: True for an optional group as a whole, whose own fields are leaves too.
    """

    name: str
    path: tuple[str, ...]
    annotation: Any
    form: Form
    constraints: tuple[Any, ...] = ()
    description: str = ""
    domain: Domain | None = None
    has_default: bool = False
    default: Any = None
    is_group: bool = False

    def encode(self, value: object) -> str:
        """The text of a JSON-able `value` on a command line."""
        if self.form.startswith("text") and isinstance(value, str):
            if "null" in self.form and (value == "null" or value.startswith('"')):
                return json.dumps(value)
            crosses = "\0" not in value and not value.startswith(encoding.PREFIX)
            return value if crosses else encoding.encode_text(value)
        return _to_json(value if isinstance(value, (int, float)) else to_jsonable_python(value))

    def decode(self, text: str) -> Any:
        """The value, still to be validated, that a command line's `text` stands for.

        Raises:
            HparamsError: The field needs JSON and the text is none.
            DomainError: The text is an encoded value that cannot be decoded.
        """
        if text.startswith(encoding.PREFIX):
            decoded = encoding.decode(text)
            if isinstance(decoded, Drawn):
                return decoded.value
            text = decoded
        return self._decode_plain(text)

    def _decode_plain(self, text: str) -> Any:
        form = self.form
        if form in ("text", "scalar"):
            return text
        if form == "json" or (form == "text or null" and text.startswith('"')):
            return parse_json(self.name, text)
        return None if text == "null" else text

    @cached_property
    def adapter(self) -> TypeAdapter[Any]:
        """What validates one value of the field."""
        annotated: Any = Annotated[self.annotation, *self.constraints] if self.constraints else self.annotation
        return TypeAdapter(annotated, config={"allow_inf_nan": False})

    def validated(self, value: object) -> Any:
        """`value` as the field's own type.

        Raises:
            HparamsError: The field does not take it.
        """
        try:
            return self.adapter.validate_python(value)
        except ValidationError as error:
            raise HparamsError(f"{self.name}: {reworded(error.errors()[0])}") from error

    def jsonable(self, value: object) -> Any:
        """`value`, validated, as the JSON-able value that `encode` takes."""
        return self.adapter.dump_python(self.validated(value), mode="json")

    def check_domain(self, domain: Domain) -> None:
        """Makes sure that every value of `domain` is one that the field takes as it is.

        Raises:
            HparamsError: Some value is outside the field's constraints or of another type.
        """
        inner = domain.domain if isinstance(domain, Conditional) else domain
        if inner is None:
            return
        points = inner.grid() if inner.size <= _POINTS_TRIED else (inner.quantile(0), inner.quantile(1))
        for point in points:
            self._check_point(domain, point)

    def check_default(self) -> None:
        """Makes sure that the default is one of the values of the field's own domain.

        Raises:
            HparamsError: It is not.
        """
        if self.domain is not None and self.has_default and not self.domain.contains(self.default):
            raise HparamsError(
                f"the default must be a value of the domain, but {self.declaration} has "
                f"default {self.default!r} and search domain {self.domain!r}; change one of them"
            )

    @property
    def type_name(self) -> str:
        """The declared type as people write it."""
        named = getattr(self.annotation, "__name__", None)
        return named if named and not get_args(self.annotation) else str(self.annotation).replace("typing.", "")

    @property
    def declaration(self) -> str:
        """The field with its type and constraints, for messages."""
        limits = ", ".join(map(_limit, self.constraints))
        return f"field {self.name}: {self.type_name}{f' ({limits})' if limits else ''}"

    def _check_point(self, domain: Domain, point: object) -> None:
        problem = None
        try:
            taken = self.jsonable(point)
        except HparamsError as error:
            problem = str(error).partition(": ")[2]
        else:
            if not same(taken, point) or (isinstance(taken, int) and isinstance(point, float)):
                problem = f"it would become {taken!r}{_remedy(point)}"
        if problem:
            raise HparamsError(
                f"a field must take every value of its search domain, but {self.declaration}{self._default_note} "
                f"refuses {point!r} of {domain!r}: {problem}"
            )

    @property
    def _default_note(self) -> str:
        return f" with default {self.default!r}" if self.has_default else ""


def _limit(constraint: object) -> str:
    """``gt=0`` for what `Hparam(gt=0)` leaves on a field."""
    names = (name for name in ("gt", "ge", "lt", "le") if hasattr(constraint, name))
    return ", ".join(f"{name}={getattr(constraint, name)}" for name in names) or repr(constraint)


def _remedy(point: object) -> str:
    return "; for whole numbers use IntUniform or Choice" if isinstance(point, float) else ""


def parse_json(name: str, text: str) -> Any:
    """The value of a JSON `text` given for field `name`; NaN and Infinity are refused."""
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except ValueError as error:
        raise HparamsError(f"{name}: the value must be JSON, for example [1, 2] or null, but got {text!r}") from error


def _refuse_constant(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


def parse_loosely(text: str) -> Any:
    """The JSON value of `text`, or the text itself: for values of fields that declare no type."""
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except ValueError:
        return text


def leaves_of(model: type[BaseModel]) -> dict[str, Leaf]:
    """The flat table of a class's fields: dotted name -> leaf, in declaration order.

    Raises:
        HparamsError: A domain does not fit its field, or a condition names no field.
    """
    leaves = {leaf.name: leaf for leaf in _walk(model, (), None, ())}
    for leaf in leaves.values():
        if isinstance(leaf.domain, Conditional):
            for parent in leaf.domain.parents:
                if parent not in leaves:
                    known = ", ".join(leaves)
                    raise HparamsError(
                        f"a condition must name another field, but {leaf.name} depends on {parent!r}; known: {known}"
                    )
        leaf.check_default()
    return leaves


def _walk(model: type[BaseModel], path: tuple[str, ...], defaults: object, when: tuple[Any, ...]) -> Iterator[Leaf]:
    for name, field in model.model_fields.items():
        full = (*path, name)
        has_default, default = _default(field, name, defaults)
        domain = _absolute(declared_domain(field), path, model)
        group = group_of(field.annotation)
        if group is None or _is_optional(field.annotation):
            yield _leaf(full, field, has_default, default, domain, when, is_group=group is not None)
        if group is not None:
            inner = (*when, *domain.when) if isinstance(domain, Conditional) else when
            yield from _walk(group, full, default if has_default else None, inner)


def _leaf(
    path: tuple[str, ...],
    field: FieldInfo,
    has_default: bool,
    default: object,
    domain: Domain | None,
    when: tuple[Any, ...],
    *,
    is_group: bool,
) -> Leaf:
    if domain is not None and when:
        own = domain.when if isinstance(domain, Conditional) else ()
        inner = domain.domain if isinstance(domain, Conditional) else domain
        domain = Conditional(inner, (*when, *own))
    leaf = Leaf(
        name=".".join(path),
        path=path,
        annotation=field.annotation,
        form="json" if is_group else form_of(field.annotation),
        constraints=tuple(field.metadata),
        description=(field.description or "").strip(),
        domain=None if is_group else domain,
        has_default=has_default,
        default=to_jsonable_python(default) if has_default else None,
        is_group=is_group,
    )
    if leaf.domain is not None:
        leaf.check_domain(leaf.domain)
    return leaf


def _default(field: FieldInfo, name: str, defaults: object) -> tuple[bool, Any]:
    """Whether a field has a default, and which: the enclosing group's default decides over the field's own."""
    if isinstance(defaults, BaseModel):
        return True, getattr(defaults, name)
    value = field.get_default(call_default_factory=True, validated_data={})
    return value is not PydanticUndefined, value


def _absolute(domain: Domain | None, path: tuple[str, ...], model: type[BaseModel]) -> Domain | None:
    """The domain with the fields that it depends on named from the top of the class."""
    if not isinstance(domain, Conditional) or not path:
        return domain
    when = tuple(
        (".".join((*path, name)) if name.partition(".")[0] in model.model_fields else name, options)
        for name, options in domain.when
    )
    return Conditional(domain.domain, when)


def declared_domain(field: FieldInfo) -> Domain | None:
    """The search domain that `Hparam(search=…)` left on a field."""
    extra = field.json_schema_extra
    spec = extra.get("search") if isinstance(extra, Mapping) else None
    return None if spec is None else domain_from_spec(spec)


def group_of(annotation: object) -> type[BaseModel] | None:
    """The class of a nested group that `annotation` declares, optional or not."""
    candidates = [part for part in _parts(annotation) if part is not type(None)]
    if len(candidates) == 1 and isinstance(candidates[0], type) and issubclass(candidates[0], BaseModel):
        return candidates[0]
    return None


def _is_optional(annotation: object) -> bool:
    return type(None) in _parts(annotation)


def _parts(annotation: object) -> tuple[Any, ...]:
    """The alternatives of a union (or the one type), Annotated taken off."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _parts(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return tuple(part for arm in get_args(annotation) for part in _parts(arm))
    if origin is Literal and None in get_args(annotation) and len(get_args(annotation)) > 1:
        return (Literal[tuple(arm for arm in get_args(annotation) if arm is not None)], type(None))
    return (annotation,)


def form_of(annotation: object) -> Form:
    """How values of a type are written on a command line."""
    parts = _parts(annotation)
    optional = type(None) in parts
    forms = {_form_of_part(part) for part in parts if part is not type(None)}
    if len(forms) != 1 or "json" in forms or (forms == {"scalar"} and len(parts) > 1 + optional):
        return "json"
    if forms == {"text"}:
        return "text or null" if optional else "text"
    return "scalar or null" if optional else "scalar"


def _form_of_part(part: Any) -> Form:
    if part is str:
        return "text"
    if part in (int, float, bool):
        return "scalar"
    if get_origin(part) is Literal:
        return "text" if all(type(option) is str for option in get_args(part)) else "json"
    if isinstance(part, type) and issubclass(part, Enum):
        return "text" if all(isinstance(member.value, str) for member in part) else "json"
    return "text" if isinstance(part, type) and _serialises_to_string(part) else "json"


def _serialises_to_string(part: type) -> bool:
    """Whether JSON values of a type are always strings (paths, dates, UUIDs)."""
    if part in (list, dict, tuple, set, frozenset, object):
        return False
    try:
        schema = TypeAdapter(part).json_schema(mode="serialization")
    except PydanticUserError:
        return False
    return schema.get("type") == "string"
