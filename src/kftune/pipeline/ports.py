"""Inputs and outputs of steps: parameters (values, as text) and artifacts (files or folders, as paths).

A container gets them in the same way on every target and on this machine (details: `docs/guides/pipelines.md`):

- each input is one token ``--name=value``: the text of a parameter, or the path of an artifact
- each output is one token ``--name=path``: the step writes it there, a parameter as text, an artifact as a file or
  folder; the parent folder exists
- hyperparameters follow the inputs, as `Hparams.from_args` reads them
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from kftune import json_input
from kftune.errors import suggestion
from kftune.hparams import Hparams
from kftune.pipeline.names import PortName
from kftune.pipeline.part import PipelinePart
from kftune.pipeline.references import OutputReference, Reference, read_value, write_value
from kftune.spec.part import PartError, located

ParameterType = Literal["int", "float", "bool", "str", "list", "dict"]
ArtifactType = Literal["dataset", "model", "metrics", "classification_metrics", "html", "markdown", "artifact"]
PortType = Literal[ParameterType, ArtifactType]

PARAMETER_TYPES: tuple[str, ...] = get_args(ParameterType)
ARTIFACT_TYPES: tuple[str, ...] = get_args(ArtifactType)
SCALAR_TYPES = ("int", "float", "bool", "str")
METRICS_TYPES = ("metrics", "classification_metrics")
"""Artifacts that KFP's UI shows as metadata, which the step writes to its executor output."""

EXECUTOR_OUTPUT = "executor-output"
"""A further argument of a step with an output of `METRICS_TYPES`: where to write what KFP's UI shows."""

# bool before int: True is an int to Python.
_TYPES: tuple[tuple[type, ParameterType], ...] = (
    (bool, "bool"),
    (int, "int"),
    (float, "float"),
    (str, "str"),
    (list, "list"),
    (tuple, "list"),
    (dict, "dict"),
)


def is_artifact(port_type: str) -> bool:
    """Returns whether a type is a file or folder, not a value."""
    return port_type in ARTIFACT_TYPES


def type_of(value: object) -> ParameterType:
    """Returns the type of a constant.

    Raises:
        PartError: A parameter cannot hold it.
    """
    found = next((name for kind, name in _TYPES if isinstance(value, kind)), None)
    if found is None:
        raise PartError(f"a value is a number, a text, true or false, a list or a mapping, but got {value!r}")
    if not isinstance(value, str):
        text_of(value)
    return found


def text_of(value: object) -> str:
    """Returns a value as on a command line and in an output file: texts as they are, other values as JSON.

    Raises:
        PartError: JSON cannot express it, for example NaN.
    """
    if isinstance(value, (_WrittenInt, _WrittenFloat)):
        return value.text
    if isinstance(value, str):
        if "\0" in value:
            raise PartError("a text for a process cannot hold a NUL character")
        # Not a subclass: kfp takes no other type.
        return str.__str__(value)
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise PartError(f"a value must be valid in JSON, but got {value!r}: {error}") from error


class _WrittenInt(int):
    """A whole number with its text in JSON."""

    text: str


class _WrittenFloat(float):
    """A number with its text in JSON."""

    text: str


def _written(kind: type[Any]) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        value = kind(text)
        value.text = text
        return value

    return read


def read_items(text: str) -> Any:
    """Returns the items in the text of a list; `text_of` gives numbers the text that they have there, such as ``1.50``.

    Args:
        text: JSON.
    """
    return json_input.loads(text, parse_int=_written(_WrittenInt), parse_float=_written(_WrittenFloat))


def float_as_written(value: float, text: str) -> float:
    """Returns a number for which `text_of` gives the text that someone wrote.

    Args:
        value: The number.
        text: Its text.
    """
    written = _WrittenFloat(value)
    written.text = text
    return written


# Go writes these escaped in JSON, on every cluster.
_ESCAPED_BY_GO = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"}


def output_text(written: str) -> str:
    """Returns the text of an output parameter from what a step wrote: all of it without one line feed at its end."""
    return written.removesuffix("\n")


def gathered_text(texts: Iterable[str], element: str) -> str:
    """Returns the list of the outputs of a loop's items, with each value as its step wrote it.

    Args:
        texts: The outputs.
        element: Their type.
    """
    quoted = (text_of([text])[1:-1].translate(_ESCAPED_BY_GO) if element == "str" else text for text in texts)
    return f"[{','.join(quoted)}]"


def typed_value(value: Any, wanted: str) -> Any:
    """Returns `value` as a parameter type; a whole number is also a float.

    Args:
        value: The value.
        wanted: The parameter type.

    Raises:
        PartError: The value is of another type.
    """
    if wanted == "float" and type(value) is int:
        try:
            return float(value)
        except OverflowError:
            raise PartError(f"must be at most {sys.float_info.max}, but has {len(str(value))} digits") from None
    given = type_of(value)
    if given != wanted:
        raise PartError(f"must be of type {wanted}, but {value!r:.80} is of type {given}")
    if given == "float" and not math.isfinite(value):
        raise PartError(f"must be a finite number, but got {value!r}")
    return [*value] if isinstance(value, tuple) else value


def fits(given: str, wanted: str) -> bool:
    """Returns whether a value of one type can be passed where another is needed.

    Args:
        given: The type of the value.
        wanted: The type that is needed.
    """
    return given == wanted or (given == "int" and wanted == "float") or (wanted == "artifact" and is_artifact(given))


NULL = "null"
"""The text of null, as a class of hyperparameters writes and reads None."""


def _given_null(part: PipelinePart) -> bool:
    return getattr(part, "default", 0) is None and "default" in part.model_fields_set


def _check_null(kind: str | None) -> None:
    if kind not in (None, "str"):
        raise PartError(
            f"a default of type {kind} cannot be null, which only a text can hold; remove it for no default, or set "
            f"type: str",
            ("default",),
        )


class Input(PipelinePart):
    """An input of a step: a constant or a reference."""

    type: PortType | None = None
    """Its type; default: that of the value."""
    value: Annotated[
        Any,
        BeforeValidator(read_value),
        PlainSerializer(write_value),
        WithJsonSchema({"description": "A constant, or a reference such as ${steps.train.outputs.model}"}),
    ]
    """The value, or where it comes from."""
    default: Any = None
    """For a parameter: its value if the step that writes it was skipped; without it, this step is skipped too. Null is
    the text ``null``. On Argo from 3.7."""
    optional: bool = False
    """For an artifact: whether the step runs without it if the step that writes it was skipped; not on KFP."""

    def model_post_init(self, context: object, /) -> None:
        """Checks rules that concern several fields."""
        if _given_null(self):
            _check_null(self.type)
            self.__dict__["default"] = NULL
        if isinstance(self.value, Reference):
            return
        if self.type is not None and is_artifact(self.type):
            raise PartError(
                f"an artifact comes from a step, but a {self.type} input is given as {self.value!r}; "
                f"refer to an output: ${{steps.STEP.outputs.NAME}}",
                ("value",),
            )
        if self.value is None:
            raise PartError("an input needs a value, but got null; remove the input instead", ("value",))
        with located("value"):
            typed_value(self.value, self.type) if self.type else type_of(self.value)


class Output(PipelinePart):
    """An output of a step."""

    type: PortType
    """Its type."""
    description: str = ""
    """What it is."""


class Parameter(PipelinePart):
    """A value that is chosen when a run starts."""

    type: ParameterType | None = None
    """Its type; default: that of `default`."""
    default: Any = None
    """Its value if the run does not set another; without it, the run must set one. Null is the text ``null``."""
    description: str = ""
    """What it is, unit first."""

    def model_post_init(self, context: object, /) -> None:
        """Checks rules that concern several fields."""
        if _given_null(self):
            _check_null(self.type)
            self.__dict__["default"] = NULL
        if self.default is None and self.type is None:
            raise PartError("a parameter needs a default or a type, but has neither; for example {type: float}")
        with located("default"):
            if self.type is None:
                self.__dict__["type"] = type_of(self.default)
            elif self.default is not None:
                typed_value(self.default, self.type)

    @property
    def value(self) -> Any:
        """The default as a value of the type; None if there is none."""
        return None if self.default is None else typed_value(self.default, str(self.type))


class Outputs(dict[str, Output]):
    """The outputs of a step by name. Attributes are references to them: ``train.outputs.model``."""

    def __init__(self, step: str = "", outputs: dict[str, Output] | None = None) -> None:
        super().__init__(outputs or {})
        self._step = step

    def __getattr__(self, name: str) -> OutputReference:
        if name.startswith("_"):
            raise AttributeError(name)
        if not self._step:
            raise AttributeError(f"only a step with a name can be referred to; give it one: name={name!r}")
        if name not in self and not any(known.startswith(f"{name}.") for known in self):
            raise AttributeError(f"step {self._step!r} has no output {name!r}; {suggestion(name, self)}")
        return OutputReference(self._step, name)


# Type checkers must accept more than the fields hold: {"data": fetch.outputs.data}.
if TYPE_CHECKING:
    Inputs = dict[str, Any]
    OutputsField = Any
    Parameters = dict[str, Any]
else:

    def _long_form(key: str, *classes: type) -> BeforeValidator:
        """Reads the short form too, which is the value of one key."""
        return BeforeValidator(lambda value: value if isinstance(value, classes) else {key: value})

    _empty_form = BeforeValidator(lambda value: {} if value is None else value)
    Inputs = dict[PortName, Annotated[Input, _long_form("value", dict, Input)]]
    OutputsField = dict[PortName, Annotated[Output, _long_form("type", dict, Output)]]
    # A name with nothing behind it is a parameter without a default, not one with the default null.
    Parameters = dict[PortName, Annotated[Parameter, _long_form("default", dict, Parameter), _empty_form]]


_PLAIN_TYPES: dict[Any, Any] = {int: "int", float: "float", bool: "bool", str: "str"}


def hparam_type(hparams: type[Hparams], name: str) -> Any:
    """Returns the parameter type for a hyperparameter; ``str``, its text, if no other type fits all its values.

    Args:
        hparams: The class.
        name: The dotted name of the hyperparameter.
    """
    return _PLAIN_TYPES.get(hparams.leaf(name).annotation, "str")
