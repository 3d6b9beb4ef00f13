"""Text on its way through Argo: tags that Argo fills in, texts that it must leave alone, names, conditions.

Argo looks for ``{{…}}`` in the whole JSON text of a template, fills in the tags that it knows, and does so again with
what it filled in; there is no escape. The kubelet then replaces ``$(NAME)`` and ``$$`` in commands, arguments and
variables. So a text of ours has no two braces in a row: the kubelet puts the second one there.
"""

from __future__ import annotations

import re
from typing import Any

from kftune.errors import RenderError
from kftune.pipeline import Condition, Reference
from kftune.render.command import checked_text

BRACE_VARIABLE = "KFTUNE_BRACE"
"""The variable that holds one brace, where a container's texts need it."""

_OUR_TAG = re.compile(r"\{\{inputs\.parameters\.[A-Za-z0-9_-]+\}\}")
_SECOND_BRACE = re.compile(r"(?<=\{)\{")
# The kernel takes no longer argument (MAX_ARG_STRLEN, 131 072 bytes with the NUL at its end).
_LONGEST_ARGUMENT = 131_071
# Argo quotes what it fills in as Go does, which writes these in a form that JSON does not know.
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def literal(text: str, what: str) -> str:
    """`text` for a command, an argument or a variable, so that it reaches the program byte by byte.

    Args:
        text: The text.
        what: What it is, for the error.

    Raises:
        RenderError: It is too long, or no text that could be written down.
    """
    checked_text(text, what)
    if len(text) > _LONGEST_ARGUMENT // 4 and len(text.encode()) > _LONGEST_ARGUMENT:
        raise RenderError(
            f"{what} may have {_LONGEST_ARGUMENT} bytes, but has {len(text.encode())}; put it into a file of the "
            f"image, or into a ConfigMap mounted as a volume"
        )
    return _SECOND_BRACE.sub(f"$({BRACE_VARIABLE})", text.replace("$", "$$"))


def needs_brace(texts: list[str]) -> bool:
    """Whether one of the texts that `literal` gave needs `BRACE_VARIABLE`."""
    return any(f"$({BRACE_VARIABLE})" in text for text in texts)


def carried(text: str, what: str) -> str:
    """`text` for what Argo hands on by itself (a parameter of the run, an item), where nothing can be escaped.

    Raises:
        RenderError: Argo or the kubelet would change it on the way.
    """
    checked_text(text, what)
    if "{{" in text:
        raise RenderError(
            f"{what} must not hold '{{{{', where Argo's own tags begin, but is {text!r:.80}; write the text as a "
            f"constant input of the step, which can be protected"
        )
    if "$(" in text or "$$" in text:
        raise RenderError(
            f"{what} must not hold '$(' or '$$', which Kubernetes replaces in arguments, but is {text!r:.80}; write "
            f"the text as a constant input of the step, which can be protected"
        )
    found = _CONTROLS.search(text)
    if found:
        raise RenderError(
            f"{what} must not hold the control character {found[0]!r}, which Argo cannot hand on, but is {text!r:.80}; "
            f"take it out, or write the text as a constant input of the step"
        )
    return text


def check_tags(value: object, step: str, path: str = "") -> None:
    """Makes sure that a step's template holds no tags but ours, wherever in it that may be.

    Args:
        value: The template, or a part of it.
        step: The step's name, for the error.
        path: Where in the template the part is.

    Raises:
        RenderError: Argo would fill in something that is not ours, or it is no text that could be written down.
    """
    if isinstance(value, str):
        what = f"{path} of step {step!r}"
        if "{{" in _OUR_TAG.sub("", checked_text(value, what)):
            raise RenderError(f"{what} must not hold '{{{{', where Argo's own tags begin, but is {value!r:.80}")
    elif isinstance(value, dict):
        for key, item in value.items():
            check_tags(key, step, path)
            check_tags(item, step, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            check_tags(item, step, f"{path}[{index}]")


def wire(name: str) -> str:
    """A name as Argo takes it: ``best.lr`` is ``best-lr``. No name has a ``-`` of its own, so all stay different."""
    return name.replace(".", "-")


def tag(path: str) -> str:
    """What Argo replaces with a value."""
    return f"{{{{{path}}}}}"


def expression(condition: Condition, types: tuple[str, str], paths: dict[Reference, str]) -> str:
    """A condition as Argo's expression.

    Args:
        condition: The condition.
        types: The types of its two sides.
        paths: Where Argo has the value of each reference, such as ``tasks['evaluate'].outputs.parameters['loss']``.
    """
    sides = [_side(side, kind, paths) for side, kind in zip((condition.left, condition.right), types, strict=True)]
    return f"{{{{={sides[0]} {condition.operator} {sides[1]}}}}}"


def _side(side: Any, kind: str, paths: dict[Reference, str]) -> str:
    is_number = kind in ("int", "float")
    if isinstance(side, Reference):
        return f"asFloat({paths[side]})" if is_number else paths[side]
    if is_number:
        return repr(side)
    # Booleans reach Argo as text. Texts of a condition hold no quotes.
    return f"'{str(side).lower() if isinstance(side, bool) else side}'"


def path_of(tag_text: str) -> str:
    """A tag's path as an expression has it: names with ``-`` in brackets."""
    first, *rest = tag_text.removeprefix("{{").removesuffix("}}").split(".")
    return first + "".join(f".{part}" if part.isidentifier() else f"['{part}']" for part in rest)
