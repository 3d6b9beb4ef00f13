"""Finds values that Hydra does not read as a trial gives them: `name=text`, without quotes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kftune import json_input
from kftune.hparams.fields import Leaf, kinds_of
from kftune.katib.go.types import Path
from kftune.lint.rules.findings import finding
from kftune.lint.rules.rule import Finding
from kftune.scripts.script import Script

# Source: hydra/grammar/OverrideLexer.g4 (1.3), the tokens of `primitive`.
_PLAIN = re.compile(r"[\w/\\+.$%*@?|: \t-]*", re.ASCII)
_NO_TEXT = re.compile(r"(?i:true|false|null|[+-]?(?:inf|nan)|[+-]?(?:\d[\d_]*(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?)")


def hydra_findings(leaf: Leaf, values: tuple[object, ...], path: Path, script: Script) -> Iterator[Finding]:
    """Yields the first value of a hyperparameter that Hydra refuses or misreads.

    Args:
        leaf: The hyperparameter.
        values: Its possible values.
        path: Where it is declared.
        script: The script.
    """
    is_text = kinds_of({leaf.name: leaf})[leaf.name].is_text
    argument = script.exact(leaf.name, leaf.name)
    for value in values if argument else ():
        text = leaf.encode(value)
        problem = _text_problem(text) if is_text and isinstance(value, str) else _object_problem(text)
        if problem:
            code, why = problem
            message = f"{leaf.name}={text}: Hydra {why}; let the script read the value from a file of its config"
            yield finding(code, path, message)
            return


def _text_problem(text: str) -> tuple[str, str] | None:
    if not _PLAIN.fullmatch(text):
        return "KT403", "refuses this text without quotes, and the trial fails"
    if _NO_TEXT.fullmatch(text) or text != text.strip():
        return "KT404", "takes this text for another value"
    return None


def _object_problem(text: str) -> tuple[str, str] | None:
    try:
        has_keys = '": ' in text and isinstance(json_input.loads(text), (dict, list))
    except ValueError:
        return None
    return ("KT403", "refuses keys in quotes, and the trial fails") if has_keys else None
