"""A response surface of the second order, fitted to differences within entities.

Each entity has its own level, which drops out when its mean is taken off both sides (fixed effects). The weight of
the penalty is the one that predicts left-out entities best. Source: G. E. P. Box and K. B. Wilson, "On the Experimental
Attainment of Optimum Conditions", 1951, for the surface; the rest is ridge regression.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

_FOLDS = 5
_PENALTIES = (0.001, 0.01, 0.1, 1.0, 10.0, 100.0)

Vector = list[float]
Group = Sequence[tuple[Vector, float]]
"""The terms and the value of each trial of an entity."""


class _Sums(NamedTuple):
    """What the entities of a fold add to the normal equations."""

    matrix: list[Vector]
    right: Vector


class Surface:
    """A fitted surface.

    Args:
        weights: The weight of each term.
    """

    def __init__(self, weights: Vector) -> None:
        self._weights = weights

    def at(self, terms: Sequence[float]) -> float:
        """Returns the value at a point, up to a constant that all entities have their own of."""
        return sum(weight * term for weight, term in zip(self._weights, terms, strict=True))


class Fit(NamedTuple):
    """A surface, and how well it does."""

    surface: Surface
    right: int
    """Pairs of trials of left-out entities that it orders correctly."""
    pairs: int
    """Pairs of such trials with different values."""


def fitted(groups: Sequence[Group]) -> Fit | None:
    """Returns the surface that fits entities best, each with the same weight; None with fewer than two.

    Args:
        groups: The trials of each entity, at least two each.
    """
    if len(groups) < 2:
        return None
    count = len(groups[0][0][0])
    centred = [_centred(group) for group in groups]
    folds = [centred[first::_FOLDS] for first in range(min(_FOLDS, len(centred)))]
    sums = [_sums(fold, count) for fold in folds]
    whole = _added(sums)
    scale = sum(whole.matrix[place][place] for place in range(count)) / max(count, 1) or 1.0
    best: tuple[float, float] | None = None
    for penalty in _PENALTIES:
        error = sum(
            _error(Surface(_solved(_less(whole, own), penalty * scale)), fold)
            for fold, own in zip(folds, sums, strict=True)
        )
        if best is None or error < best[0] * (1 - 1e-9):
            best = error, penalty
    penalty = (best[1] if best else 1.0) * scale
    right = pairs = 0
    for first, own in enumerate(sums):
        surface = Surface(_solved(_less(whole, own), penalty))
        for group in groups[first::_FOLDS]:
            found = _ordered(surface, group)
            right, pairs = right + found[0], pairs + found[1]
    return Fit(Surface(_solved(whole, penalty)), right, pairs)


def _centred(group: Group) -> Group:
    size = len(group)
    weight = size**-0.5
    means = [sum(column) / size for column in zip(*(terms for terms, _ in group), strict=True)]
    level = sum(value for _, value in group) / size
    return [
        ([weight * (term - mean) for term, mean in zip(terms, means, strict=True)], weight * (value - level))
        for terms, value in group
    ]


def _sums(groups: Sequence[Group], count: int) -> _Sums:
    matrix = [[0.0] * count for _ in range(count)]
    right = [0.0] * count
    for group in groups:
        for terms, value in group:
            for place, term in enumerate(terms):
                if term:
                    right[place] += term * value
                    row = matrix[place]
                    for other in range(place + 1):
                        row[other] += term * terms[other]
    for place in range(count):
        for other in range(place):
            matrix[other][place] = matrix[place][other]
    return _Sums(matrix, right)


def _added(sums: Sequence[_Sums]) -> _Sums:
    matrix = [
        [sum(cells) for cells in zip(*rows, strict=True)] for rows in zip(*(each.matrix for each in sums), strict=True)
    ]
    return _Sums(matrix, [sum(cells) for cells in zip(*(each.right for each in sums), strict=True)])


def _less(whole: _Sums, part: _Sums) -> _Sums:
    matrix = [
        [one - other for one, other in zip(row, its, strict=True)]
        for row, its in zip(whole.matrix, part.matrix, strict=True)
    ]
    return _Sums(matrix, [one - other for one, other in zip(whole.right, part.right, strict=True)])


def _solved(sums: _Sums, penalty: float) -> Vector:
    """Returns the weights with a penalty."""
    return solved(sums.matrix, sums.right, penalty)


def solved(matrix: Sequence[Vector], right: Sequence[float], penalty: float) -> Vector:
    """Solves linear equations by Cholesky's decomposition.

    Args:
        matrix: A symmetric matrix without negative eigenvalues.
        right: The right side.
        penalty: What is added to the diagonal of the matrix, above 0.
    """
    count = len(right)
    lower = [[0.0] * count for _ in range(count)]
    for row in range(count):
        for column in range(row + 1):
            left, above = lower[row], lower[column]
            rest = matrix[row][column] - sum(left[each] * above[each] for each in range(column))
            if row == column:
                left[row] = max(rest + penalty, 1e-12) ** 0.5
            else:
                left[column] = rest / above[column]
    found = [0.0] * count
    for row in range(count):
        found[row] = (right[row] - sum(lower[row][each] * found[each] for each in range(row))) / lower[row][row]
    for row in reversed(range(count)):
        rest = sum(lower[each][row] * found[each] for each in range(row + 1, count))
        found[row] = (found[row] - rest) / lower[row][row]
    return found


def _error(surface: Surface, groups: Sequence[Group]) -> float:
    """Returns the sum of squares that a surface leaves of centred entities."""
    return sum((value - surface.at(terms)) ** 2 for group in groups for terms, value in group)


def _ordered(surface: Surface, group: Group) -> tuple[int, int]:
    known = [(surface.at(terms), value) for terms, value in group]
    pairs = [(one, other) for place, one in enumerate(known) for other in known[:place] if one[1] != other[1]]
    return sum((one[0] < other[0]) == (one[1] < other[1]) for one, other in pairs), len(pairs)
