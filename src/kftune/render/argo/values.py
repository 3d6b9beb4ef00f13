"""Checks in Argo's expressions that a text is a value of its type, as a run on this machine does with outputs.

Argo's `asFloat` takes `nan`, with which no comparison holds, and fails for ` 7`. An expression that fails is visible in
a `when`, where the task's node gets the error, but not for the output of a DAG.

Source: argo-workflows v4.0.5, util/expr/env and workflow/controller/steps.go, shouldExecute; expr v1.17, builtin.
"""

from __future__ import annotations

# Backslashes are doubled once more, for the expression's own text.
_BLANKS = "[ \\\\t\\\\n\\\\r]*"
_WHOLE = "-?(0|[1-9][0-9]*)"
_PATTERNS = {
    "int": _WHOLE,
    "float": f"{_WHOLE}([.][0-9]+)?([eE][-+]?[0-9]+)?",
    "bool": "(true|false)",
    "list": "\\\\[(?s:.*)\\\\]",
    "dict": "[{](?s:.*)[}]",
}
_LARGEST = "1.7976931348623157e308"


def is_value(text: str, kind: str) -> str | None:
    """Returns an expression that tells whether a text is a value of a type; None if every text is one.

    It fails for a number that is too large, and for brackets that hold no JSON.

    Args:
        text: The expression for the text.
        kind: The type.
    """
    pattern = _PATTERNS.get(kind)
    if pattern is None:
        return None
    matches = f"{text} matches '^{_BLANKS}{pattern}{_BLANKS}$'"
    if kind == "float":
        return f"{matches} && asFloat(trim({text})) <= {_LARGEST}"
    if kind in ("list", "dict"):
        return f"{matches} && toJson(jsonpath({text}, '$')) != ''"
    return matches


def value_of(text: str, kind: str) -> str:
    """Returns the expression for the value of a text that `is_value`; booleans stay texts.

    Args:
        text: The expression for the text.
        kind: The type.
    """
    convert = {"int": "asInt", "float": "asFloat"}.get(kind, "")
    return text if kind == "str" else f"{convert}(trim({text}))" if convert else f"trim({text})"


def not_of_type(what: str, kind: str) -> str:
    """Returns the beginning of the message about a text that is not of its type; the text follows.

    Args:
        what: What it is, for the user.
        kind: The type.
    """
    return f"{what} must be of type {kind}, but is "
