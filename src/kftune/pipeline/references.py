"""References: what takes its value from elsewhere. The same object in Python and, as text, in YAML.

${parameters.circuit}              a parameter of the run
${steps.train.outputs.model}       an output of another step
${steps.tune.outputs.best}         all best hyperparameters of a tune step, for `values_from`
${steps.tune.outputs.best.epochs}  one of them
${item}, ${item.circuit}           what the loop is at, or a field of it
${run.status}                      how the run ended, for the exit step: Succeeded or Failed
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from kftune.errors import near_names
from kftune.spec.part import PartError

MARK = "${"
_TEXT = re.compile(
    r"\$\{(?:parameters\.(?P<parameter>[^.{}]+)|steps\.(?P<step>[^.{}]+)\.outputs\.(?P<output>[^{}]+)"
    r"|(?P<item>item)(?:\.(?P<field>[^.{}]+))?|(?P<status>run\.status))\}"
)
_FIRST_WORDS = ("parameters", "steps", "item", "run")
_LOOKS_LIKE = re.compile(r"\$\{\s*(?:parameters|steps|items?|run)\b")


@dataclass(frozen=True)
class Reference:
    """Something that has its value only in a run. `str` gives the text that YAML has for it."""

    @property
    def path(self) -> str:
        """What stands between the braces."""
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
        """What stands between the braces."""
        return f"parameters.{self.name}"


@dataclass(frozen=True)
class OutputReference(Reference):
    """An output of a step. ``best`` of a tune step has each hyperparameter as an attribute and under its name.

    Attributes:
        step: The step that writes it.
        output: Its name there.
    """

    step: str
    output: str

    @property
    def path(self) -> str:
        """What stands between the braces."""
        return f"steps.{self.step}.outputs.{self.output}"

    def __getitem__(self, name: str) -> OutputReference:
        return OutputReference(self.step, f"{self.output}.{name}")

    def __getattr__(self, name: str) -> OutputReference:
        if name.startswith("_"):
            raise AttributeError(name)
        return self[name]


@dataclass(frozen=True)
class ItemReference(Reference):
    """What the step's loop is at.

    Attributes:
        field: The field of it; None means all of it.
    """

    field: str | None = None

    @property
    def path(self) -> str:
        """What stands between the braces."""
        return "item" if self.field is None else f"item.{self.field}"


@dataclass(frozen=True)
class StatusReference(Reference):
    """How the run ended: ``Succeeded`` or ``Failed``. Only the exit step can have it."""

    @property
    def path(self) -> str:
        """What stands between the braces."""
        return "run.status"


def parameter(name: str) -> ParameterReference:
    """A reference to a parameter of the run."""
    return ParameterReference(name)


def item(field: str | None = None) -> ItemReference:
    """A reference to what the step's loop is at, or to a field of it."""
    return ItemReference(field)


def run_status() -> StatusReference:
    """A reference to how the run ended."""
    return StatusReference()


def read_value(value: Any) -> Any:
    """`value` with a reference in the place of a text that is one.

    Raises:
        PartError: A text holds the beginning of a reference and is none.
    """
    if isinstance(value, str) and MARK in value:
        return parse(value)
    for path, text in _texts(value):
        if MARK in text:
            raise PartError(
                f"a reference stands alone, not within a list or mapping, but got {text!r}; "
                f"make it an input of its own",
                path,
            )
    return value


def parse(text: str) -> Reference:
    """The reference that a text is.

    Raises:
        PartError: It is none.
    """
    found = _TEXT.fullmatch(text)
    if found is None:
        within = _TEXT.search(text)
        if within is not None:
            raise PartError(
                f"a reference stands alone, but {text!r} has more than {within[0]}; "
                f"make it an input of its own, and let the step put the text together"
            )
        word = re.sub(r"\$\{\s*(\w*).*", r"\1", text, flags=re.DOTALL)
        hint = "" if word in _FIRST_WORDS else near_names(word, _FIRST_WORDS)
        raise PartError(
            f"a reference is ${{parameters.NAME}}, ${{steps.STEP.outputs.NAME}}, ${{item}}, ${{item.FIELD}} or "
            f"${{run.status}}, but got {text!r}{hint and f'; {hint}'}"
        )
    if found["parameter"]:
        return ParameterReference(found["parameter"])
    if found["step"]:
        return OutputReference(found["step"], found["output"])
    return StatusReference() if found["status"] else ItemReference(found["field"])


def write_value(value: Any) -> Any:
    """`value` with a reference as its text."""
    return str(value) if isinstance(value, Reference) else value


def refuse_reference(text: str, what: str, path: tuple[str | int, ...]) -> None:
    """Makes sure that a text which nobody fills in does not ask to be.

    Raises:
        PartError: It holds a reference.
    """
    if _LOOKS_LIKE.search(text):
        raise PartError(
            f"{what} is passed on as it is, but holds a reference: {text!r}; name the reference under inputs: "
            f"the step gets it as --name=value",
            path,
        )


def _texts(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[tuple[str | int, ...], str]]:
    if isinstance(value, str):
        return [(path, value)]
    if isinstance(value, dict):
        pairs = [*value.items()]
    elif isinstance(value, (list, tuple)):
        pairs = [*enumerate(value)]
    else:
        return []
    return [found for key, inner in pairs for found in _texts(inner, (*path, key))]
