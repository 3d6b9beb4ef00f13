"""What a command line says about trials, where their file does not."""

from __future__ import annotations

from typing import NamedTuple


class Hints(NamedTuple):
    """What is known of trials beside their file."""

    objective: str | None = None
    """The metric that counts."""
    direction: str | None = None
    """minimize or maximize."""
    study_name: str | None = None
    """The study in a storage that has several."""
    metrics: tuple[str, ...] = ()
    """The columns that are metrics, in addition to the objective, where a table has them."""
    columns: tuple[str, ...] = ()
    """Further columns that are metrics; a table without one of them is refused."""
    name_option: str = "--study-name"
    """How a study is named, for messages."""


NO_HINTS = Hints()
