"""Reads the algorithm of an Experiment, with its settings and its seed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kftune.errors import RunError, StudyError, suggestion
from kftune.katib.engines import NAS, engine_of
from kftune.katib.go.numbers import number_or_text, python_int
from kftune.study import ALGORITHMS, Algorithm

_LARGEST_SEED = 2**32 - 1


def algorithm_of(spec: Mapping[str, Any], seed: int | None = None) -> tuple[Algorithm, list[str]]:
    """Returns the algorithm of a decoded spec, and notes about it.

    Args:
        spec: The spec.
        seed: The seed to use in place of the setting random_state; None takes that setting.

    Raises:
        RunError: It does not run here, or a setting is invalid.
    """
    given = spec["algorithm"]
    name = given.get("algorithmName", "")
    if name in NAS:
        raise RunError(
            f"{name} searches for architectures in its own service, which runs on Katib only; here an Experiment "
            f"runs with {', '.join(ALGORITHMS)}"
        )
    if name not in ALGORITHMS:
        raise RunError(f"the algorithm {name!r} is not known here; {suggestion(name, ALGORITHMS)}")
    settings = {each.get("name", ""): each.get("value", "") for each in given.get("algorithmSettings", ())}
    state = settings.pop("random_state", None)
    if seed is None and state is not None:
        seed = python_int(state)
        if seed is None or not 0 <= seed <= _LARGEST_SEED:
            raise RunError(f"random_state of {name} must be an integer from 0 to {_LARGEST_SEED}, but is {state!r}")
    rules = engine_of(name).settings
    unknown = [setting for setting in settings if setting not in rules]
    notes = [f"{name} has no setting {setting!r}; it has no effect" for setting in unknown]
    known = {setting: number_or_text(text) for setting, text in settings.items() if setting in rules and text}
    try:
        return Algorithm(name=name, seed=seed, settings=known), notes
    except StudyError as error:
        raise RunError(f"spec.algorithm: {error}") from error
