"""References to values that are known only in a run. YAML has them as text.

${parameters.circuit}              a parameter of the run
${steps.train.outputs.model}       an output of another step
${steps.tune.outputs.best}         all best hyperparameters of a tune step, for `values_from`
${steps.tune.outputs.best.epochs}  one of them
${item}, ${item.circuit}           the current item of the loop, or a field of it
${run.status}                      how the run ended, for the exit step: Succeeded or Failed
$${                                no reference, but the text ${
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from kftune.errors import near_names
from kftune.spec.part import PartError

_MARK = re.compile(r"(?<!\$)\$\{")
_LITERAL = "$${"
_OR_LITERAL = f"write a literal ${{ as {_LITERAL}"
_TEXT = re.compile(
    r"\$\{(?:parameters\.(?P<parameter>[^.{}]+)|steps\.(?P<step>[^.{}]+)\.outputs\.(?P<output>[^{}]+)"
    r"|(?P<item>item)(?:\.(?P<field>[^.{}]+))?|(?P<status>run\.status))\}"
)
_FIRST_WORDS = ("parameters", "steps", "item", "run")
_LOOKS_LIKE = re.compile(r"\$\{\s*(?:parameters|steps|items?|run)\b")


class LiteralText(str):
    """A text that was read as no reference; it may hold ``${``, and is not read a second time."""

    __slots__ = ()


@dataclass(frozen=True)
class Reference:
    """A value that is known only in a run. `str` returns its text in YAML."""

    @property
    def path(self) -> str:
        """The text between the braces."""
        raise NotImplementedError

    def __str__(self) -> str:
        return f"${{{self.path}}}"


@dataclass(frozen=True)
class ParameterReference(Reference):
    """A parameter of the run.

    Attributes:
        name: The parameter.
    """

    name: str

    @property
    def path(self) -> str:
        """The text between the braces."""
        return f"parameters.{self.name}"


@dataclass(frozen=True)
class OutputReference(Reference):
    """An output of a step. ``best`` of a tune step has each hyperparameter as an attribute and as an item.

    Attributes:
        step: The step that writes it.
        output: The name of the output.
    """

    step: str
    output: str

    @property
    def path(self) -> str:
        """The text between the braces."""
        return f"steps.{self.step}.outputs.{self.output}"

    def __getitem__(self, name: str) -> OutputReference:
        return OutputReference(self.step, f"{self.output}.{name}")

    def __getattr__(self, name: str) -> OutputReference:
        if name.startswith("_"):
            raise AttributeError(name)
        return self[name]


@dataclass(frozen=True)
class ItemReference(Reference):
    """The current item of the step's loop.

    Attributes:
        field: One of its fields; None means the item.
    """

    field: str | None = None

    @property
    def path(self) -> str:
        """The text between the braces."""
        return "item" if self.field is None else f"item.{self.field}"


@dataclass(frozen=True)
class StatusReference(Reference):
    """How the run ended: ``Succeeded`` or ``Failed``. Only the exit step can have it."""

    @property
    def path(self) -> str:
        """The text between the braces."""
        return "run.status"


def parameter(name: str) -> ParameterReference:
    """Returns a reference to a parameter of the run."""
    return ParameterReference(name)


def item(field: str | None = None) -> ItemReference:
    """Returns a reference to the current item of the step's loop, or to a field of it."""
    return ItemReference(field)


def run_status() -> StatusReference:
    """Returns a reference to the status of the run."""
    return StatusReference()


def read_value(value: Any) -> Any:
    """Returns `value` with ``${`` for each ``$${``, or the reference that it is the text of.

    Raises:
        PartError: A text contains ``${`` but is not a reference, or is inside a list or mapping.
    """
    return parse(value) if _may_refer(value) else _read(value, ())


def _may_refer(value: Any) -> bool:
    return isinstance(value, str) and not isinstance(value, LiteralText) and _MARK.search(value) is not None


def _read(value: Any, path: tuple[str | int, ...]) -> Any:
    if _may_refer(value):
        raise PartError(
            f"a reference must be a whole value, not inside a list or mapping, but got {value!r}; "
            f"make it a separate input, or {_OR_LITERAL}",
            path,
        )
    if isinstance(value, str):
        is_read = isinstance(value, LiteralText) or _LITERAL not in value
        return value if is_read else LiteralText(value.replace(_LITERAL, "${"))
    if isinstance(value, dict):
        return {key: _read(inner, (*path, key)) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        found = [_read(inner, (*path, index)) for index, inner in enumerate(value)]
        return found if isinstance(value, list) else tuple(found)
    return value


def parse(text: str) -> Reference:
    """Returns the reference that a text describes.

    Raises:
        PartError: The text is not a reference.
    """
    found = _TEXT.fullmatch(text)
    if found is None:
        within = _TEXT.search(text)
        if within is not None:
            raise PartError(
                f"a reference must be a whole value, but {text!r} has more than {within[0]}; "
                f"make it a separate input, and build the text in the step; {_OR_LITERAL}"
            )
        word = re.sub(r"\$\{\s*(\w*).*", r"\1", text, flags=re.DOTALL)
        hint = "" if word in _FIRST_WORDS else near_names(word, _FIRST_WORDS)
        raise PartError(
            f"a reference is ${{parameters.NAME}}, ${{steps.STEP.outputs.NAME}}, ${{item}}, ${{item.FIELD}} or "
            f"${{run.status}}, but got {text!r}; {_OR_LITERAL}{hint and f'; {hint}'}"
        )
    if found["parameter"]:
        return ParameterReference(found["parameter"])
    if found["step"]:
        return OutputReference(found["step"], found["output"])
    return StatusReference() if found["status"] else ItemReference(found["field"])


def write_value(value: Any) -> Any:
    """Returns `value` as `read_value` reads it: the text of a reference, and ``$${`` for each ``${``."""
    if isinstance(value, Reference):
        return str(value)
    if isinstance(value, str):
        return value.replace("${", _LITERAL)
    if isinstance(value, dict):
        return {key: write_value(inner) for key, inner in value.items()}
    return [write_value(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def refuse_reference(text: str, what: str, path: tuple[str | int, ...]) -> None:
    """Rejects a reference in a field that is not substituted.

    Args:
        text: The value of the field.
        what: What the field is, for the message.
        path: Its keys.

    Raises:
        PartError: It has a reference.
    """
    if _LOOKS_LIKE.search(text):
        raise PartError(
            f"{what} is not substituted, but has a reference: {text!r}; put the reference under inputs: "
            f"the step gets it as --name=value",
            path,
        )
