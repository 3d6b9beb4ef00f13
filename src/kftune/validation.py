"""pydantic's findings in our words: where, what must hold, what was given, and the near names of unknown ones."""

from __future__ import annotations

import re
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic._internal._model_construction import ModelMetaclass  # it has no public name

from kftune.errors import KftuneError, near_names, suggestion


class Finding(NamedTuple):
    """One thing wrong with an input.

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


class OwnErrors(ModelMetaclass):
    """Metaclass that turns pydantic's errors into the class's own where the class is called.

    The class has `own_error(ValidationError) -> KftuneError`. Nested validation does not come through here.
    """

    def __call__(cls, /, *args: Any, **kwargs: Any) -> Any:  # noqa: D102, N805  # a field may be called cls
        if args:
            return super().__call__(*args, **kwargs)  # Python's own refusal: fields have names
        model: Any = cls
        try:
            return model.__pydantic_validator__.validate_python(kwargs)  # as `BaseModel.__init__` does, sooner
        except ValidationError as error:
            raise model.own_error(error) from error


class Frozen:
    """Instances whose fields cannot be set; the class has `own_error`, and `_remedy` says what to do instead."""

    if not TYPE_CHECKING:  # or mypy would let any attribute be set

        def __setattr__(self, name: str, value: object) -> None:
            try:
                super().__setattr__(name, value)
            except ValidationError as error:
                raise self._refusal(name, error) from error

        def __delattr__(self, name: str) -> None:
            try:
                super().__delattr__(name)
            except ValidationError as error:
                raise self._refusal(name, error) from error

    def _refusal(self, name: str, error: ValidationError) -> KftuneError:
        owner: Any = type(self)
        refused: KftuneError = owner.own_error(error)
        if error.errors()[0]["type"] != "frozen_instance":
            return refused
        what = f"{owner.__name__} is frozen, so its {name} stays as it is; make a changed copy"
        return type(refused)(f"{what}: {self._remedy(name)}")

    def _remedy(self, name: str) -> str:
        raise NotImplementedError


def findings(error: ValidationError, model: type[BaseModel]) -> list[Finding]:
    """What an input to `model` has wrong, unknown keys first; findings of several union arms become one."""
    found: dict[tuple[str | int, ...], Finding] = {}
    lacking, short = set(), set()
    details = error.errors(include_url=False)
    for detail in sorted(details, key=lambda detail: detail["type"] != "extra_forbidden"):
        owner, path = _owner(model, detail["loc"])
        message = _message(detail, owner, str(path[-1]) if path else "")
        own = (detail.get("ctx") or {}).get("error")
        # One of our own errors, raised in a validator, may point further down.
        path = (*path, *getattr(own, "path", ()))
        at_key = detail["type"] == "extra_forbidden" or "[key]" in detail["loc"] or getattr(own, "at_key", False)
        found.setdefault(path, Finding(path, message, at_key))
        if detail["type"] == "missing":
            lacking.add(path)
        if detail["type"] == "too_short":
            short.add(path)
    offered = " ".join(finding.message for finding in found.values() if finding.at_key)
    # A key that is missing because it was misspelt is told once, and so is a list that is short of what is wrong in it.
    told = {path for path in lacking if repr(path[-1]) in offered}
    told |= {path for path in short if any(len(path) < len(other) and other[: len(path)] == path for other in found)}
    return [finding for finding in found.values() if finding.path not in told]


def _message(detail: Any, owner: type[BaseModel] | None, name: str) -> str:
    if detail["type"] == "extra_forbidden":
        known = owner.model_fields if owner else ()
        return f"{owner.__name__ if owner else 'this'} has no key {name!r}; {suggestion(name, known)}"
    if detail["type"] == "missing":
        return f"{owner.__name__ if owner else 'this'} needs {name!r}, which has no default"
    return reworded(detail)


def reworded(detail: Any) -> str:
    """One of pydantic's error details as a sentence: what must hold, and what was given."""
    given = detail["input"]
    own = (detail.get("ctx") or {}).get("error")
    if isinstance(own, KftuneError):
        return getattr(own, "message", None) or str(own)
    if own is not None:
        return str(own)
    if detail["type"] == "union_tag_not_found":
        return "must say its kind: one of data, train, tune, evaluate, register, container"
    if detail["type"] == "union_tag_invalid":
        options = re.findall("'([^']*)'", detail["ctx"]["expected_tags"])
        return f"there is no kind {detail['ctx']['tag']!r}; {suggestion(detail['ctx']['tag'], options)}"
    if detail["type"] == "too_short":
        least = detail["ctx"]["min_length"]
        return f"must have at least {least} {'entry' if least == 1 else 'entries'}, but got {_shortened(given)}"
    rule = _RULES.get(detail["type"]) or re.sub("^(Input|String) should ", "must ", detail["msg"])
    near = ""
    if detail["type"] in ("literal_error", "enum"):
        options = re.findall("'([^']*)'", detail["ctx"]["expected"])
        near = f"; {near_names(str(given), options)}".rstrip("; ")
    return f"{rule}{'' if isinstance(given, BaseModel) else f', but got {_shortened(given)}'}{near}"


_RULES = {
    "tuple_type": "must be a list, one item each: [one, two]",
    "list_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
    "string_type": "must be text (put quotes around it)",
}


def _shortened(given: object) -> str:
    text = repr(given)
    return text if len(text) <= 120 else f"{text[:120]}…"


def _owner(model: type[BaseModel], loc: tuple[str | int, ...]) -> tuple[type[BaseModel] | None, tuple[str | int, ...]]:
    """The class that the last part of `loc` belongs to, and `loc` without the names of union arms."""
    owner: type[BaseModel] | None = model
    current: Any = model
    path: list[str | int] = []
    for part in loc:
        owner = current if isinstance(current, type) and issubclass(current, BaseModel) else None
        if owner is not None and part in owner.model_fields:
            current = owner.model_fields[str(part)].annotation
        elif owner is None and part in (kinds := _kinds(current)):
            current = kinds[part]
            continue
        elif owner is None:
            arms = [arm for arm in _arms(current) if getattr(arm, "__name__", None) == part]
            if arms:
                current = arms[0]
                continue
            if isinstance(part, str) and part in ("str", "int", "float", "bool", "none", "function-plain[_read]"):
                continue
            current = _item(current)
        if part == "[key]":
            continue
        path.append(part)
        models = [arm for arm in _arms(current) if isinstance(arm, type) and issubclass(arm, BaseModel)]
        if len(models) == 1:
            current = models[0]
    return owner, tuple(path)


def _kinds(annotation: Any) -> dict[str | int, type[BaseModel]]:
    """The arms of a union whose members are told apart by their field `kind`, by that kind."""
    inner = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
    if get_origin(inner) not in (Union, UnionType):
        return {}
    return {
        arm.model_fields["kind"].default: arm
        for arm in get_args(inner)
        if isinstance(arm, type) and issubclass(arm, BaseModel) and "kind" in arm.model_fields
    }


def _arms(annotation: Any) -> tuple[Any, ...]:
    arms = tuple(arm for part in get_args(annotation) for arm in _arms(part))
    return arms or (annotation,)


def _item(annotation: Any) -> Any:
    arguments = get_args(annotation)
    return arguments[-1] if arguments and arguments[-1] is not Ellipsis else arguments[0] if arguments else None
