"""pydantic's errors in kftune's form: the place, what must hold, what was given, and near names.

Nothing here belongs to one kind of file: names and allowed values come from the classes that validate.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic._internal._model_construction import ModelMetaclass  # it has no public name
from pydantic.fields import FieldInfo

from kftune.errors import KftuneError, near_names, suggestion


class InputProblem(NamedTuple):
    """One problem of an input.

    Attributes:
        path: The keys that lead to it.
        message: What must hold, what was given, what to do.
        at_key: Whether the last key itself is wrong, not its value.
    """

    path: tuple[str | int, ...]
    message: str
    at_key: bool = False

    def __str__(self) -> str:
        return f"{'.'.join(map(str, self.path))}: {self.message}" if self.path else self.message


_MOST_PROBLEMS = 10
"""Of each kind; further ones are counted."""


class OwnErrors(ModelMetaclass):
    """Metaclass that turns pydantic's errors into the class's own when the class is called.

    The class has `own_error(ValidationError) -> KftuneError`. Nested validation does not call this.
    """

    def __call__(cls, /, *args: Any, **kwargs: Any) -> Any:  # noqa: D102, N805  # a field may be called cls
        if args:
            return super().__call__(*args, **kwargs)  # a TypeError: fields are given by name
        model: Any = cls
        try:
            return model.__pydantic_validator__.validate_python(kwargs)  # as `BaseModel.__init__` does, but faster
        except ValidationError as error:
            raise model.own_error(error) from error


class Frozen:
    """Instances with fields that cannot be set; the class has `own_error`, and `_remedy` says what to do instead."""

    if not TYPE_CHECKING:  # or mypy would let any attribute be set

        def __setattr__(self, name: str, value: object) -> None:
            self._change(super().__setattr__, name, value)

        def __delattr__(self, name: str) -> None:
            self._change(super().__delattr__, name)

    def _change(self, change: Callable[..., None], name: str, *value: object) -> None:
        try:
            change(name, *value)
        except ValidationError as error:
            owner: Any = type(self)
            refused: KftuneError = owner.own_error(error)
            if error.errors()[0]["type"] != "frozen_instance":
                raise refused from error
            rule = f"{owner.__name__} is frozen: {name} cannot be changed; use {self._remedy(name)}"
            raise type(refused)(rule) from error

    def _remedy(self, name: str) -> str:
        raise NotImplementedError


def inner_keys(model: type[BaseModel]) -> list[str]:
    """Returns the keys of the sections of a class, and of their sections, as dotted names."""
    found = []
    for name, field in model.model_fields.items():
        section = _section(field.annotation)
        if section is not None:
            found += [f"{name}.{inner}" for inner in (*section.model_fields, *inner_keys(section))]
    return found


def _keys(model: type[BaseModel]) -> list[str]:
    """Returns the keys of a section as a file writes them."""
    return [field.alias or name for name, field in model.model_fields.items()]


def _field(model: type[BaseModel], key: str | int) -> FieldInfo | None:
    """Returns the field that a file writes under a key; None if there is none."""
    found = model.model_fields.get(str(key))
    return found or next((field for field in model.model_fields.values() if field.alias == key), None)


def _section(annotation: Any) -> type[BaseModel] | None:
    """Returns the class of a field that holds one section, or may hold none."""
    if get_origin(annotation) in (Union, UnionType):
        arms = [arm for arm in get_args(annotation) if arm is not type(None)]
        return _section(arms[0]) if len(arms) == 1 else None
    return _as_model(annotation)


def findings(error: ValidationError, model: Any, elsewhere: Iterable[str] = ()) -> list[InputProblem]:
    """Returns the problems of an input, unknown keys first; problems of several union arms become one.

    Args:
        error: pydantic's errors.
        model: The class or type that the input was validated as.
        elsewhere: Dotted names that a key of `model` could have been meant for, besides those of its sections.
    """
    found: dict[tuple[str | int, ...], InputProblem] = {}
    missing, short = set(), set()
    details = sorted(error.errors(include_url=False), key=lambda detail: detail["type"] != "extra_forbidden")
    unknown = [detail for detail in details if detail["type"] == "extra_forbidden"]
    others = details[len(unknown) :]
    for detail in [*unknown[:_MOST_PROBLEMS], *others[:_MOST_PROBLEMS]]:
        owner, annotation, path = _place(model, detail["loc"])
        further = elsewhere if len(path) == 1 else ()
        message = _message(detail, owner, annotation, str(path[-1]) if path else "", further)
        is_tuple = detail["type"] == "missing" and isinstance(detail["loc"][-1], int)
        if is_tuple:
            _, annotation, path = _place(model, detail["loc"][:-1])
        count = _tuple_size(annotation) if is_tuple or detail["type"] == "too_long" else 0
        if count:
            entries = "1 entry" if count == 1 else f"{count} entries"
            message = f"must have {entries}, but got {_shortened(detail['input'])}"
        own = (detail.get("ctx") or {}).get("error")
        # An error of kftune, raised in a validator, may point further down.
        path = (*path, *getattr(own, "path", ()))
        at_key = detail["type"] == "extra_forbidden" or "[key]" in detail["loc"] or getattr(own, "at_key", False)
        found.setdefault(path, InputProblem(path, message, at_key))
        if detail["type"] == "missing" and not is_tuple:
            missing.add(path)
        if detail["type"] == "too_short":
            short.add(path)
    offered = " ".join(finding.message for finding in found.values() if finding.at_key)
    # Skipped as already reported: a key that is missing because it was misspelt, a list that is too short because of
    # an invalid item.
    skipped = {path for path in missing if repr(path[-1]) in offered}
    skipped |= {path for path in short if any(len(path) < len(other) and other[: len(path)] == path for other in found)}
    kept = [finding for finding in found.values() if finding.path not in skipped]
    for more, what in ((unknown, "unknown keys"), (others, "problems")):
        if len(more) > _MOST_PROBLEMS:
            kept.append(InputProblem((), f"and {len(more) - _MOST_PROBLEMS} more {what}"))
    return kept


def _message(
    detail: Any, owner: type[BaseModel] | None, annotation: Any, name: str, elsewhere: Iterable[str] = ()
) -> str:
    if detail["type"] == "extra_forbidden":
        return f"{owner.__name__ if owner else 'this'} has no key {name!r}; {_hint(name, owner, elsewhere)}"
    if detail["type"] == "missing":
        return f"{owner.__name__ if owner else 'this'} needs {name!r}, which has no default"
    if detail["type"] == "union_tag_not_found":
        key = _discriminator(detail)
        return f"needs {key!r}: one of {', '.join(map(str, _tags(annotation, key)))}"
    return _reworded(detail, annotation)


def _hint(name: str, owner: type[BaseModel] | None, elsewhere: Iterable[str]) -> str:
    """Returns what an unknown key of a class was meant to be."""
    if owner is None:
        return suggestion(name, ())
    first, dot, rest = name.partition(".")
    if dot and first in owner.model_fields:
        return f"a file has one key inside the other: {first}: {{{rest}: …}}"
    near = near_names(name, [*_keys(owner), *inner_keys(owner), *elsewhere], keys=True)
    return near or suggestion(name, _keys(owner))


def _reworded(detail: Any, annotation: Any = None) -> str:
    """Returns one of pydantic's error details as a sentence: what must hold, and what was given."""
    given = detail["input"]
    context = detail.get("ctx") or {}
    own = context.get("error")
    if own is not None:
        return getattr(own, "message", None) or str(own)
    if detail["type"] == "too_short":
        least = context["min_length"]
        return f"must have at least {least} {'entry' if least == 1 else 'entries'}, but got {_shortened(given)}"
    if detail["type"] == "too_long":
        most = context["max_length"]
        return f"must have at most {most} {'entry' if most == 1 else 'entries'}, but got {_shortened(given)}"
    if given is None and detail["type"] in _WITHOUT_VALUE:
        return f"must be {_WITHOUT_VALUE[detail['type']]}, but there is no value"
    rule = _RULES.get(detail["type"]) or re.sub("^(Input|String) should ", "must ", detail["msg"])
    options: list[str] = []
    if detail["type"] == "union_tag_invalid":
        given = context["tag"]
        options = re.findall("'([^']*)'", context["expected_tags"])
        rule = f"{_discriminator(detail)} must be one of {', '.join(options)}"
    if detail["type"] in ("literal_error", "enum"):
        options = re.findall("'([^']*)'", context["expected"])
    model = _section(annotation) if detail["type"].startswith("model_") else None
    near = near_names(str(given), options) if options else ""
    if model is not None:
        near = f"its keys are {', '.join(_keys(model))}"
    return f"{rule}{'' if isinstance(given, BaseModel) else f', but got {_shortened(given)}'}{near and f'; {near}'}"


_RULES = {
    "tuple_type": "must be a list, one item each: [one, two]",
    "list_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
    "path_type": "must be a path, written as text (put quotes around it)",
    "string_type": "must be text (put quotes around it)",
}


# The errors about `key:` with nothing after it.
_WITHOUT_VALUE = {"string_type": "text", "float_type": "a number", "int_type": "a whole number"}

# How pydantic calls the arms of a union that are no models; it calls a validator "function-plain[name]".
_SCALARS = ("str", "int", "float", "bool", "none")


def _shortened(given: object) -> str:
    text = repr(given)
    return text if len(text) <= 120 else f"{text[:120]}…"


def _place(model: Any, loc: tuple[str | int, ...]) -> tuple[type[BaseModel] | None, Any, tuple[str | int, ...]]:
    """Returns the class with the last key of `loc`, the type at `loc`, and `loc` without the names of union arms."""
    owner = _as_model(model)
    current: Any = model
    path: list[str | int] = []
    for part in loc:
        owner = _as_model(current)
        field = None if owner is None else _field(owner, part)
        if field is not None:
            current = field.annotation
        elif owner is None:
            arm = _arm(current, part)
            if arm is not None:
                current = arm
                continue
            if isinstance(part, str) and (part in _SCALARS or part.startswith("function-")):
                continue
            current = _item(current)
        if part == "[key]":
            continue
        path.append(part)
        models = [arm for arm in _arms(current) if _as_model(arm)]
        if len(models) == 1:
            current = models[0]
    return owner, current, tuple(path)


def _discriminator(detail: Any) -> str:
    return str(detail["ctx"]["discriminator"]).strip("'")


def _tags(annotation: Any, key: str | None = None) -> dict[Any, Any]:
    """Returns the classes of a union by the values of their literal fields, or of the field `key` alone."""
    return {
        tag: arm
        for arm in filter(_as_model, _arms(annotation))
        for name, field in arm.model_fields.items()
        if key in (None, name) and get_origin(field.annotation) is Literal
        for tag in get_args(field.annotation)
    }


def _as_model(annotation: Any) -> type[BaseModel] | None:
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _arm(annotation: Any, part: str | int) -> Any:
    """Returns the arm of a union that pydantic calls `part`: by its name, or by the value of its discriminator."""
    named = next((arm for arm in _arms(annotation) if getattr(arm, "__name__", None) == part), None)
    inner = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
    return _tags(annotation).get(part) if named is None and get_origin(inner) in (Union, UnionType) else named


def _arms(annotation: Any) -> tuple[Any, ...]:
    arms = tuple(arm for part in get_args(annotation) for arm in _arms(part))
    return arms or (annotation,)


def _tuple_size(annotation: Any) -> int:
    """Returns the number of items of the tuple that a type declares, optional or not; 0 without a fixed number."""
    if get_origin(annotation) is tuple:
        return 0 if Ellipsis in get_args(annotation) else len(get_args(annotation))
    return max(map(_tuple_size, get_args(annotation)), default=0)


def _item(annotation: Any) -> Any:
    arguments = get_args(annotation)
    return arguments[-1] if arguments and arguments[-1] is not Ellipsis else arguments[0] if arguments else None
