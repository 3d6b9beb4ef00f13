"""One hyperparameter field: its dotted name, its text on a command line, and whether a domain fits it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import PydanticUserError, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, to_jsonable_python

from kftune.domains import Conditional, Domain, encoding, same
from kftune.domains.domain import ONE_PLAIN_TYPE
from kftune.domains.encoding import DomainValue
from kftune.domains.lattice import Stepped
from kftune.domains.listed import Listed
from kftune.errors import HparamsError
from kftune.hparams.fields.bools import NO_NUMBER, misreads_bool
from kftune.hparams.fields.form import (
    Form,
    in_order,
    is_optional,
    parse_json,
    parse_loosely,
    parts_of,
    takes_text,
    to_json,
)
from kftune.validation import findings

# Every point of a domain up to this size is checked against its field; of a larger one, only the ends.
_POINTS_CHECKED = 256
_MOST_TAKEN = 256

# Values to try a serializer with.
_SAMPLES = (1, 0.5, True, "a")

_WHOLE = "; for whole numbers use IntUniform, Choice, or a whole step, for example QLogUniform(16, 512, 16)"

# Types that are the same in JSON and in Python.
_PLAIN = (str, int, float, bool, type(None))


@dataclass(frozen=True)
class Leaf:
    """One field of a hyperparameter class, nested groups flattened.

    Attributes:
        name: Dotted name, e.g. ``optimizer.lr``.
        path: The name's parts.
        annotation: The declared type.
        form: How its values are written on a command line.
        constraints: The constraints of the declaration (gt, ge, lt, le, …).
        description: The field's docstring.
        domain: The search domain declared on the class.
        has_default: Whether it has a value if omitted.
        is_required: Whether it must be given; a field of an optional group without a default need not.
        default: The default as a JSON-able value; None without one.
        is_group: Whether it is an optional group as a whole; the fields of the group are leaves too.
        is_entry: Whether it is a key inside a field that holds a mapping; its text is then JSON.
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
    is_required: bool = False
    is_group: bool = False
    is_entry: bool = False

    def encode(self, value: object) -> str:
        """Returns the text of a JSON-able value on a command line.

        Raises:
            HparamsError: The value contains a number that is not finite.
        """
        if type(value) is int:
            return repr(value)
        value = self.typed(value)
        if type(value) not in _PLAIN:
            value = to_jsonable_python(value)
        if self.form.startswith("text") and isinstance(value, str):
            if "null" in self.form and (value == "null" or value.startswith('"')):
                return to_json(self.name, value)
            crosses = "\0" not in value and not value.startswith(encoding.PREFIX)
            return value if crosses else encoding.encode_text(value)
        if self._takes_text and isinstance(value, str) and _is_plain(value):
            return value
        text = to_json(self.name, value)
        return to_json(self.name, encoding.encode_inside(value)) if encoding.PREFIX in text else text

    def typed(self, value: Any) -> Any:
        """Returns a value of a domain as the field has it: an int for the whole floats of a domain with steps."""
        return int(value) if type(value) is float and self.is_whole and value.is_integer() else value

    def decode(self, text: str) -> Any:
        """Returns the value of a text from a command line, not yet validated.

        Raises:
            HparamsError: The field needs JSON and the text is not JSON; where text is allowed, other texts are texts.
            DomainError: The text is an encoded value that cannot be decoded.
        """
        if text.startswith(encoding.PREFIX):
            decoded = encoding.decode(text)
            if isinstance(decoded, DomainValue):
                return decoded.value
            text = decoded
        form = self.form
        if form in ("text", "scalar"):
            return text
        if form == "json":
            value = parse_loosely(text) if self._takes_text else parse_json(self.name, text)
            return encoding.decode_inside(value) if encoding.PREFIX in text else value
        if form == "text or null" and text.startswith('"'):
            return parse_json(self.name, text)
        return None if text == "null" else text

    def text_of(self, value: object) -> str | None:
        """Returns the text of a value that was not read from a command line; None if it is as good as not given.

        Raises:
            HparamsError: The value is not valid.
        """
        if value is None and not self.has_default and not self.is_required:
            return None
        if isinstance(value, str) and not self.form.startswith("text") and not self.takes(value):
            value = self.decode(value)
        value = self.jsonable(value)
        return None if self.has_default and same(value, self.default) else self.encode(value)

    @cached_property
    def is_whole(self) -> bool:
        """Whether its numbers are ints: by its type, or by the domain of a key, whose type may be any."""
        if self.is_entry and isinstance(self.domain, Stepped) and self.domain.is_whole:
            return True
        parts = parts_of(self.annotation)
        return int in parts and float not in parts

    @cached_property
    def _takes_text(self) -> bool:
        return takes_text(self.annotation)

    @cached_property
    def adapter(self) -> TypeAdapter[Any]:
        """The adapter that validates one value of the field."""
        annotated: Any = Annotated[self.annotation, *self.constraints] if self.constraints else self.annotation
        try:
            return TypeAdapter(annotated, config={"allow_inf_nan": False})
        except PydanticUserError:  # dataclasses, typed dicts and the like have their own configuration
            return TypeAdapter(annotated)

    @cached_property
    def _validate(self) -> Callable[..., Any]:
        """The adapter's validation, called directly because `TypeAdapter.validate_python` is slower."""
        return self.adapter.validator.validate_python

    def validated(self, value: object) -> Any:
        """Returns `value` as the field's type.

        Raises:
            HparamsError: The value is not valid.
        """
        if misreads_bool(self.annotation, value):
            raise HparamsError(f"{self.name}: {NO_NUMBER.message_template}, but got {value!r}")
        try:
            return self._validate(value, strict=False)
        except ValidationError as error:
            raise HparamsError(f"{self.name}: {findings(error, self.annotation)[0].message}") from error

    def jsonable(self, value: object) -> Any:
        """Returns `value`, validated, as the JSON-able value that `encode` takes."""
        valid = self.validated(value)
        if type(valid) in _PLAIN:
            return valid
        return self._dumped(valid)

    def _dumped(self, valid: object) -> Any:
        """Returns a validated value as its type writes it in JSON."""
        try:
            return in_order(self.adapter.dump_python(valid, mode="json", round_trip=True), valid)
        except (PydanticSerializationError, UnicodeDecodeError) as error:
            problem = str(error).partition("\n")[0]
            raise HparamsError(
                f"{self.name}: must be a value that JSON can write, but got {valid!r}: {problem}"
            ) from error

    def jsonable_default(self, default: object) -> Any:
        """Returns the declared default as a JSON-able value.

        Raises:
            HparamsError: The default is not valid.
        """
        if default is None and is_optional(self.annotation):
            return None
        try:
            return self.jsonable(default)
        except HparamsError as error:
            problem = str(error).partition(": ")[2]
            raise HparamsError(
                f"the default must be a value of the field, but {self.declaration} has default {default!r}: {problem}"
            ) from error

    def check_texts(self, default: object) -> None:
        """Checks that values of types with their own JSON form are read back from their own text.

        Args:
            default: The default as it is declared, if there is one.

        Raises:
            HparamsError: A value is not.
        """
        parts = parts_of(self.annotation)
        serialisers = [mark for mark in _marks(self.annotation, self.constraints) if hasattr(mark, "when_used")]
        options = [option for part in parts for option in _options(part)]
        for value in (*options, *(_SAMPLES if serialisers else ())):
            if self._is_value(value):
                self._check_text(self.validated(value))
        if self.has_default and (serialisers or any(part not in _PLAIN for part in parts)):
            self._check_text(self.validated(default))

    def _check_text(self, value: object) -> None:
        written = self._dumped(value)
        text = self.encode(written)
        try:
            read = self.validated(self.decode(text))
            self.validated(written), self.validated(value)
            problem = f"is read back as {read!r}" if not same(read, value) or type(read) is not type(value) else ""
        except HparamsError:
            problem = "it does not take"
        if problem:
            raise HparamsError(
                f"a value must be read back from its own text, but {self.declaration} writes {value!r} "
                f"as {text!r}, which {problem}; use another type, another value or another serializer"
            )

    def example(self) -> Any:
        """Returns a value of the field: from the middle of its domain, or a simple one; None if none is known."""
        inner = self.domain.domain if isinstance(self.domain, Conditional) else self.domain
        samples = _SAMPLES if inner is None else (inner.quantile(0.5),)
        parts = parts_of(self.annotation)
        options = [
            each for part in parts for each in (get_args(part) if get_origin(part) is Literal else _options(part))
        ]
        return next((value for value in (*samples, *options) if self._is_value(value)), None)

    def _is_value(self, value: object) -> bool:
        try:
            self.validated(value)
        except HparamsError:
            return False
        return True

    def takes(self, value: object) -> bool:
        """Returns whether a JSON-able value is valid without a conversion."""
        try:
            return same(self.jsonable(value), value)
        except HparamsError:
            return False

    def check_domain(self, domain: Domain) -> None:
        """Checks that every value of `domain` is valid for the field without a conversion.

        Raises:
            HparamsError: A value violates the field's constraints or has another type.
        """
        inner = domain.domain if type(domain) is Conditional else domain
        if inner is None:
            return
        has_all = isinstance(inner, Listed) or inner.size <= _POINTS_CHECKED
        points = inner.grid() if has_all else (inner.quantile(0), inner.quantile(1))
        # A cache: thousands of studies have the same lists. Only lists of one type, because True equals 1 in a set.
        kinds = set(map(type, points))
        is_plain_list = kinds in ONE_PLAIN_TYPE
        if is_plain_list and points in self._taken:
            return
        for point in points:
            self._check_point(domain, point, is_whole=has_all or (isinstance(inner, Stepped) and inner.is_whole))
        if is_plain_list and len(self._taken) < _MOST_TAKEN:
            self._taken.add(points)

    @cached_property
    def _taken(self) -> set[Any]:
        """Lists of values that have been checked for the field."""
        return set()

    def check_default(self) -> None:
        """Checks that the default is a value of the field's domain.

        A conditional field needs a default for when its condition does not hold; that one may be outside the domain.

        Raises:
            HparamsError: The default is outside the domain, or a conditional field has none.
        """
        if isinstance(self.domain, Conditional):
            if not self.has_default:
                raise HparamsError(f"a conditional field must have a default, but {self.declaration} has none")
        elif self.domain is not None and self.has_default and not self.domain.contains(self.default):
            raise HparamsError(
                f"the default must be a value of the domain, but {self.declaration} has "
                f"default {self.default!r} and search domain {self.domain!r}; change one of them"
            )

    @property
    def type_name(self) -> str:
        """The declared type as in source code."""
        declared = get_args(self.annotation)[0] if get_origin(self.annotation) is Annotated else self.annotation
        named = getattr(declared, "__name__", None)
        return named if named and not get_args(declared) else str(declared).replace("typing.", "")

    @property
    def declaration(self) -> str:
        """The field with its type and constraints, for messages."""
        limits = ", ".join(map(_limit, self.constraints))
        return f"field {self.name}: {self.type_name}{f' ({limits})' if limits else ''}"

    def _check_point(self, domain: Domain, point: object, *, is_whole: bool) -> None:
        """Raises unless the field takes a point of a domain; `is_whole` says that no point between is a fraction."""
        problem = None
        try:
            taken = self.jsonable(point)
        except HparamsError as error:
            problem = str(error).partition(": ")[2]
        else:
            if taken is point:
                return
            cuts = isinstance(taken, int) and isinstance(point, float)
            if not same(taken, point) or (cuts and not (is_whole and self.is_whole)):
                problem = f"it would become {taken!r}{_WHOLE if cuts and self.is_whole else ''}"
        if problem:
            default = f" with default {self.default!r}" if self.has_default else ""
            raise HparamsError(
                f"a field must take every value of its search domain, but {self.declaration}{default} "
                f"refuses {point!r} of {domain!r}: {problem}"
            )


def _is_plain(text: str) -> bool:
    """Returns whether a text is read as itself where JSON is allowed too."""
    return parse_loosely(text) is text and "\0" not in text and not text.startswith(encoding.PREFIX)


def _options(part: Any) -> tuple[Any, ...]:
    """Returns the values of a type that lists them: an enum, or a Literal of other values than texts and numbers."""
    if get_origin(part) is Literal:
        return tuple(option for option in get_args(part) if type(option) not in _PLAIN)
    return tuple(part) if isinstance(part, type) and issubclass(part, Enum) else ()


def _marks(annotation: Any, constraints: tuple[Any, ...]) -> tuple[Any, ...]:
    """Returns what annotates a type, in it and beside it."""
    return (*constraints, *(get_args(annotation)[1:] if get_origin(annotation) is Annotated else ()))


def _limit(constraint: object) -> str:
    """Returns ``gt=0`` for the constraint that `Hparam(gt=0)` adds to a field."""
    names = (name for name in ("gt", "ge", "lt", "le") if hasattr(constraint, name))
    return ", ".join(f"{name}={getattr(constraint, name)}" for name in names) or repr(constraint)
