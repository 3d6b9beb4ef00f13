"""The best values as outputs of a step: decodes Katib's texts as the trials do."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from kftune import json_input
from kftune.domains import Conditional, encoding
from kftune.errors import ClusterError
from kftune.pipeline.ports import text_of


def best_texts(
    wanted: Mapping[str, Mapping[str, Any]], given: Mapping[str, str], fixed: Mapping[str, str]
) -> dict[str, str]:
    """Returns the text of each best value, as an output of the step.

    Args:
        wanted: How to make each one, by hyperparameter: ``text`` (what a trial gets, with ``${trialParameters.NAME}``
            in place of Katib's value), ``wholes`` (where Katib's value is the whole argument: that -> the value's
            text), ``type`` (of the output; ``json`` for a mapping with searched keys, whose text
            holds a placeholder for each of ``parameters``) and an optional ``default`` (the text when the value's
            condition does not hold).
        given: Katib's text for each parameter of the best trial.
        fixed: Texts of other hyperparameters, on which conditions may depend.

    Raises:
        ClusterError: The best trial lacks a parameter, or a text cannot be decoded.
    """
    found: dict[str, Any] = {}
    for name, how in wanted.items():
        if how["type"] == "json":
            found[name] = _decoded(_filled(how["text"], how["parameters"], given))
        elif "wholes" in how:
            found[name] = _decided(name, how["wholes"], given)
        else:
            found[name] = encoding.decode(_filled(how["text"], [name], given))
    values = {
        **{name: _value(text) for name, text in fixed.items()},
        **{name: _plain(one) for name, one in found.items()},
    }
    return {name: _text(found[name], how, values) for name, how in wanted.items()}


def _filled(text: str, names: Iterable[str], given: Mapping[str, str]) -> str:
    """Returns a text with the values of the best trial in place of their placeholders."""
    for name in names:
        placeholder = f"${{trialParameters.{name}}}"
        if placeholder in text and name not in given:
            raise ClusterError(f"the best trial has no value for {name}, only for {', '.join(given) or 'none'}")
        text = text.replace(placeholder, given.get(name, ""))
    return text


def _decided(name: str, wholes: Mapping[str, str], given: Mapping[str, str]) -> str | encoding.DomainValue:
    """Returns the value for which a trial got an argument, or none."""
    whole = given.get(name, "")
    if whole not in wholes:
        raise ClusterError(f"{name} of the best trial must be one of {', '.join(map(repr, wholes))}, but is {whole!r}")
    return encoding.decode(wholes[whole])


def _decoded(text: str) -> str:
    """Returns the text of a mapping with the encoded values in it decoded."""
    if encoding.PREFIX not in text:
        return text
    return json.dumps(encoding.encode_inside(encoding.decode_inside(json_input.loads(text))), ensure_ascii=False)


def _text(found: str | encoding.DomainValue, how: Mapping[str, str], values: Mapping[str, Any]) -> str:
    if isinstance(found, encoding.DomainValue):
        domain, value = found
        if isinstance(domain, Conditional) and "default" in how and not domain.active(values):
            return how["default"]
        found = text_of(value)
    if how["type"] == "int":
        # Engines sometimes write integers with a decimal point; an output of type int has none.
        return str(int(Decimal(found)))
    return found


def _plain(found: str | encoding.DomainValue) -> Any:
    return found.value if isinstance(found, encoding.DomainValue) else _value(found)


def _value(text: str) -> Any:
    """Returns the value that a condition compares with."""
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
