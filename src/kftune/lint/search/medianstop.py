"""What Katib's own `medianstop` does with its settings.

Source: katib v0.19.0, pkg/earlystopping/v1beta1/medianstop; recorded runs of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kftune.katib.go.numbers import python_int
from kftune.lint.search.space import Problem

_SETTINGS = ("min_trials_required", "start_step")


def stopping_problems(stopping: Mapping[str, Any] | None) -> Iterator[Problem]:
    """The settings of spec.earlyStopping that the service refuses, which fails the Experiment."""
    if stopping is None or stopping.get("algorithmName") != "medianstop":
        return
    for index, setting in enumerate(stopping.get("algorithmSettings", ())):
        name, text = setting.get("name", ""), setting.get("value", "")
        path = ("spec", "earlyStopping", "algorithmSettings", index)
        if name not in _SETTINGS:
            message = f"setting {name!r}: medianstop knows {' and '.join(_SETTINGS)}; the Experiment fails at once"
            yield Problem("KT229", "fails", (*path, "name"), message)
            return
        whole = python_int(text)
        if whole is None or whole < 1:
            message = f"setting {name!r}: {text!r} must be an integer of at least 1; the Experiment fails at once"
            yield Problem("KT229", "fails", (*path, "value"), message)
            return
