"""Writes text for Argo: tags, literal texts, names and conditions.

Argo replaces ``{{…}}`` in the whole JSON text of a template, and again in the result; there is no escape. The kubelet
then replaces ``$(NAME)`` and ``$$`` in commands, arguments and variables. So a literal text never holds two braces in a
row: the kubelet inserts the second one.
"""

from __future__ import annotations

import re
from typing import Any

from kftune.errors import RenderError
from kftune.pipeline import Condition, OutputReference, ParameterReference, Reference
from kftune.render.argo.values import is_value, not_of_type, value_of
from kftune.render.command import checked_text

BRACE_VARIABLE = "KFTUNE_BRACE"
"""The environment variable that holds one brace, if a container's texts need it."""

_OUR_TAG = re.compile(r"\{\{inputs\.parameters\.[A-Za-z0-9_-]+\}\}")
_SECOND_BRACE = re.compile(r"(?<=\{)\{")
# The kernel's limit of an argument is 131 072 bytes with the NUL at its end (MAX_ARG_STRLEN).
_LONGEST_ARGUMENT = 131_071
# Argo quotes values as Go does, which writes these in a form that is not JSON.
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def literal(text: str, what: str) -> str:
    """Escapes a text for a command, an argument or a variable, so that it reaches the program byte by byte.

    Args:
        text: The text.
        what: Which text it is, for the error.

    Raises:
        RenderError: It is too long, or not valid Unicode.
    """
    checked_text(text, what)
    if len(text) > _LONGEST_ARGUMENT // 4 and len(text.encode()) > _LONGEST_ARGUMENT:
        raise RenderError(
            f"{what} must not exceed {_LONGEST_ARGUMENT} bytes, but has {len(text.encode())}; put it into a file of "
            f"the image, or into a ConfigMap mounted as a volume"
        )
    return _SECOND_BRACE.sub(f"$({BRACE_VARIABLE})", text.replace("$", "$$"))


def needs_brace(texts: list[str]) -> bool:
    """Returns whether one of the texts that `literal` returned needs `BRACE_VARIABLE`."""
    return any(f"$({BRACE_VARIABLE})" in text for text in texts)


def carried(text: str, what: str) -> str:
    """Returns a text for a parameter of the run or an item, where nothing can be escaped.

    Args:
        text: The text.
        what: Which text it is, for the error.

    Raises:
        RenderError: Argo or the kubelet would change it.
    """
    checked_text(text, what)
    if "{{" in text:
        raise RenderError(
            f"{what} must not hold '{{{{', which starts a tag of Argo, but is {text!r:.80}; write the text as a "
            f"constant input of the step, which can be escaped"
        )
    if "$(" in text or "$$" in text:
        raise RenderError(
            f"{what} must not hold '$(' or '$$', which Kubernetes replaces in arguments, but is {text!r:.80}; write "
            f"the text as a constant input of the step, which can be escaped"
        )
    found = _CONTROLS.search(text)
    if found:
        raise RenderError(
            f"{what} must not hold the control character {found[0]!r}, which Argo cannot pass on, but is {text!r:.80}; "
            f"remove it, or write the text as a constant input of the step"
        )
    return text


def check_tags(value: object, step: str, path: str = "") -> None:
    """Checks that a step's template holds only tags that the render wrote.

    Args:
        value: The template, or a part of it.
        step: The step's name, for the error.
        path: The path of the part in the template.

    Raises:
        RenderError: A text holds another tag, or is not valid Unicode.
    """
    if isinstance(value, str):
        what = f"{path} of step {step!r}"
        if "{{" in _OUR_TAG.sub("", checked_text(value, what)):
            raise RenderError(f"{what} must not hold '{{{{', which starts a tag of Argo, but is {value!r:.80}")
    elif isinstance(value, dict):
        for key, item in value.items():
            check_tags(key, step, path)
            check_tags(item, step, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            check_tags(item, step, f"{path}[{index}]")


def wire(name: str) -> str:
    """Returns a name for Argo: ``best.lr`` is ``best-lr``. Names hold no ``-``, so they stay different."""
    return name.replace(".", "-")


def tag(path: str) -> str:
    """Returns the tag that Argo replaces with a value."""
    return f"{{{{{path}}}}}"


def expression(condition: Condition, types: tuple[str, str], paths: dict[Reference, str]) -> str:
    """Returns a condition as an expression of Argo.

    A value that is not of its type gives a text that is no condition: the task's node has it as its error, and the run
    fails.

    Args:
        condition: The condition.
        types: The types of its two sides.
        paths: Reference -> the path of its value, such as ``tasks['evaluate'].outputs.parameters['loss']``.
    """
    sides = list(zip((condition.left, condition.right), types, strict=True))
    common = "float" if set(types) == {"int", "float"} else types[0]
    written = " ".join((_side(*sides[0], common, paths), condition.operator, _side(*sides[1], common, paths)))
    for side, kind in reversed(sides):
        holds = is_value(paths[side], kind) if isinstance(side, Reference) else None
        if holds is not None:
            written = f"{holds} ? ({written}) : '{not_of_type(_what(side), kind)}' + {paths[side]}"
    return f"{{{{={written}}}}}"


def _side(side: Any, kind: str, common: str, paths: dict[Reference, str]) -> str:
    if isinstance(side, Reference):
        return value_of(paths[side], common)
    if kind in ("int", "float"):
        return repr(side)
    # Booleans reach Argo as text. Texts of a condition hold no quotes.
    return f"'{str(side).lower() if isinstance(side, bool) else side}'"


def _what(side: Reference) -> str:
    if isinstance(side, OutputReference):
        return f"output {side.output} of step {side.step}"
    return f"parameter {side.name}" if isinstance(side, ParameterReference) else f"value {side.path}"


def path_of(tag_text: str) -> str:
    """Returns a tag's path for an expression: names with ``-`` are in brackets. An expression stays as it is."""
    inner = tag_text.removeprefix("{{").removesuffix("}}")
    if inner.startswith("="):
        return inner[1:]
    first, *rest = inner.split(".")
    return first + "".join(f".{part}" if part.isidentifier() else f"['{part}']" for part in rest)
