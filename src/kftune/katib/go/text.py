"""Writes values as Go does in messages and JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal

_ESCAPED = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
_ESCAPES = str.maketrans(_ESCAPED)
_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))


def trim_space(text: str) -> str:
    """`strings.TrimSpace`, which strips fewer characters than Python's `strip`."""
    return text.strip(_SPACE)


def json_text(value: object) -> str:
    """JSON as encoding/json writes it: keys sorted, no blanks, `<`, `>` and `&` escaped."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    if text.isascii() and "<" not in text and ">" not in text and "&" not in text:
        return text
    return text.translate(_ESCAPES)


def plain_text(value: object) -> str:
    """A value as `%v` prints it: `map[a:1 b:[x y]]`."""
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return f"map[{' '.join(f'{key}:{plain_text(value[key])}' for key in sorted(value))}]"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{' '.join(map(plain_text, value))}]"
    return str(value)


def parameters_text(parameters: Sequence[Mapping[str, object]]) -> str:
    """spec.parameters as `%v` prints them."""
    return f"[{' '.join(map(_parameter_text, parameters))}]"


def _parameter_text(parameter: Mapping[str, object]) -> str:
    space = parameter.get("feasibleSpace")
    given: Mapping[str, object] = space if isinstance(space, Mapping) else {}
    bounds = (given.get("max", ""), given.get("min", ""), plain_text(given.get("list", [])))
    shown = " ".join(map(str, (*bounds, given.get("step", ""), given.get("distribution", ""))))
    return f"{{{parameter.get('name', '')} {parameter.get('parameterType', '')} {{{shown}}}}}"


def trial_parameters_text(parameters: Sequence[Mapping[str, object]]) -> str:
    """spec.trialTemplate.trialParameters as `%v` prints them."""
    fields = ("name", "description", "reference")
    return f"[{' '.join('{' + ' '.join(str(each.get(field, '')) for field in fields) + '}' for each in parameters)}]"


def number_text(value: int | float) -> str:
    """A JSON number as `%v` prints it: `3`, `0.5`, `2.147483648e+09`."""
    sign, digits, exponent = Decimal(repr(float(value))).normalize().as_tuple()
    power = len(digits) + int(exponent) - 1
    if value == 0 or -4 <= power < 6:
        return format(Decimal(repr(float(value))).normalize(), "f")
    mantissa = str(digits[0]) + ("." + "".join(map(str, digits[1:])) if len(digits) > 1 else "")
    return f"{'-' if sign else ''}{mantissa}e{power:+03d}"
