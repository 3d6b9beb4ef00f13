"""Checks the types of records that were made from a file: anybody can have written it, and its readers rely on them."""

from __future__ import annotations

from pydantic import TypeAdapter

from kftune.results.records import Meta, Trial

_META = TypeAdapter(Meta)
_TRIALS = TypeAdapter(list[Trial])


def checked(meta: Meta, trials: list[Trial]) -> tuple[Meta, list[Trial]]:
    """Returns records whose fields have the types that they should have.

    Args:
        meta: The study.
        trials: Its trials.

    Raises:
        ValueError: A field has another type.
    """
    return _META.validate_python(meta, strict=True), _TRIALS.validate_python(trials, strict=True)
