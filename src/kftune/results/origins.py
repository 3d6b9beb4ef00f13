"""The origin of trials in tables: what chose their values, and the code that they ran."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kftune.results.records import Trial

COLUMNS = ("origin.algorithm", "origin.seed", "origin.code", "origin.revision")
"""The columns of a trial's origin. No hyperparameter has such a name, but many are called ``seed``."""

_PAST = "start_from"
_DIGITS = 12


def from_past(place: str, trial: str) -> str:
    """Returns what stands for the algorithm of a trial whose values come from a past one.

    Args:
        place: Where the past trial is.
        trial: Its name.
    """
    return f"{_PAST} {place} trial {trial}"


def cells(trial: Trial) -> dict[str, str]:
    """Returns column -> text."""
    origin = trial.origin
    drawn = origin.seed is not None and not origin.algorithm.startswith(f"{_PAST} ")
    seed = str(origin.seed) if drawn else ""
    return dict(zip(COLUMNS, (origin.algorithm, seed, origin.code, origin.revision), strict=True))


def chosen_by(algorithm: str, seed: object) -> str:
    """Returns the algorithm, and the seed if it is known.

    Args:
        algorithm: Its name.
        seed: The seed; None or an empty text if it is unknown.
    """
    return algorithm if seed in (None, "") else f"{algorithm} with seed {seed}"


def short(column: str, text: str) -> str:
    """Returns the text of any column for a reader: of a hash and a commit the first digits.

    Args:
        column: Its name.
        text: The text.
    """
    if column == "origin.code":
        return text.removeprefix("sha256:")[:_DIGITS]
    return short_revision(text) if column == "origin.revision" else text


def short_revision(revision: str) -> str:
    """Returns the first digits of a commit, and ``-dirty`` as it is."""
    commit, *dirty = revision.split("-")
    return "-".join([commit[:_DIGITS], *dirty])


def differing(trials: Iterable[Mapping[str, str]]) -> list[str]:
    """Returns the columns in which trials differ.

    Args:
        trials: The cells of each.
    """
    found = list(trials)
    return [name for name in COLUMNS if len({each[name] for each in found}) > 1]
