"""A stopping rule as Katib has it in spec.earlyStopping: the name of an algorithm, and settings as texts."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from kftune import json_input
from kftune.earlystopping.names import ALGORITHMS, PREFIX
from kftune.errors import SettingError, suggestion
from kftune.spec.part import PartError
from kftune.stopping import RULES, TrialRule, rules_from_spec

_LONGEST = 1000


def settings_of(rule: TrialRule) -> dict[str, Any]:
    """Returns spec.earlyStopping for a rule.

    Args:
        rule: One of `KINDS`.
    """
    values = rule.model_dump(mode="json", exclude_defaults=True)
    settings = [{"name": name, "value": _text(value)} for name, value in values.items()]
    return {"algorithmName": PREFIX + rule.kind, **({"algorithmSettings": settings} if settings else {})}


def rule_of(algorithm: str, settings: Iterable[tuple[str, str]]) -> TrialRule:
    """Returns the rule of a spec.earlyStopping.

    Args:
        algorithm: The name of the algorithm.
        settings: Names and values.

    Raises:
        SettingError: There is no such rule, or it refuses a setting.
    """
    kind = algorithm.removeprefix(PREFIX)
    if algorithm not in ALGORITHMS:
        raise SettingError(unknown(algorithm))
    names: list[str] = []
    values: dict[str, Any] = {}
    for index, (name, text) in enumerate(settings):
        if name in values:
            raise SettingError(f"{algorithm} takes each setting once, but got {name!r} twice; remove one", index, True)
        if len(text) > _LONGEST:
            raise SettingError(f"{name[:80]} must have at most {_LONGEST} characters, but has {len(text)}", index)
        names.append(name)
        values[name] = _value(text)
    try:
        (rule,) = rules_from_spec({kind: values})
    except PartError as error:
        raise _refused(algorithm, error, names) from error
    if not isinstance(rule, TrialRule):
        raise SettingError(f"{algorithm} must be a rule of trials")  # a name in KINDS is wrong
    if rule.pauses_at is not None:
        message = (
            f"{algorithm} must have the type stopping: Katib cannot let a trial wait and go on, it only ends trials"
        )
        raise SettingError(message, names.index("type"))
    return rule


def unknown(algorithm: str) -> str:
    """Returns what to say of an algorithm that the service does not know."""
    kind = algorithm.removeprefix(PREFIX)
    if algorithm != kind and kind in RULES:
        return (
            f"the rule {kind} judges each report of a trial, but Katib fixes what stops a trial when it creates it; "
            f"use one of {', '.join(ALGORITHMS)}"
        )
    return f"unknown early stopping algorithm {algorithm[:80]!r}; {suggestion(algorithm, ALGORITHMS)}"


def _refused(algorithm: str, error: PartError, names: list[str]) -> SettingError:
    keys = [str(key) for key in error.path[1:]]
    index = names.index(keys[0]) if keys and keys[0] in names else None
    where = f"{algorithm}: {'.'.join(keys)}: " if keys and not error.at_key else f"{algorithm}: "
    return SettingError(f"{where}{error.message}", index, error.at_key)


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _value(text: str) -> object:
    """Returns what a text means: a number, true, false or a list as in JSON, otherwise the text."""
    try:
        return json_input.loads(text)
    except ValueError:
        return text
