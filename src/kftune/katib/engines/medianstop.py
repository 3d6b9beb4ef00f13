"""`medianstop`: Katib's own service for early stopping."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kftune.katib.engines.search import Problem
from kftune.katib.trial.medianstop import SETTINGS, refused_setting


def stopping_problems(stopping: Mapping[str, Any]) -> Iterator[Problem]:
    """Yields the settings of spec.earlyStopping that the service refuses."""
    if stopping.get("algorithmName") != "medianstop":
        return
    settings = [
        (setting.get("name", ""), setting.get("value", "")) for setting in stopping.get("algorithmSettings", ())
    ]
    refused = refused_setting(settings)
    if refused is None:
        return
    name, text = settings[refused.place]
    path = ("spec", "earlyStopping", "algorithmSettings", refused.place)
    if refused.unknown:
        message = f"setting {name!r}: medianstop knows {' and '.join(SETTINGS)}; the Experiment fails"
        yield Problem("KT229", "fails", (*path, "name"), message)
    else:
        message = f"setting {name!r}: {text!r} must be an integer of at least 1; the Experiment fails"
        yield Problem("KT229", "fails", (*path, "value"), message)
