"""Ranges of SageMaker, with its scaling types and the rule for `Auto`."""

from __future__ import annotations

from kftune.importers.draft import Draft
from kftune.importers.node import Node
from kftune.importers.spaces import Space, integers, log_uniform, uniform

SCALINGS = ("Auto", "Linear", "Logarithmic", "ReverseLogarithmic")
AUTO_RATIO = 1000
"""From this ratio of the bounds on, `Auto` is logarithmic. SageMaker does not document how it chooses."""


def add_range(
    draft: Draft, name: str, node: Node, bounds: tuple[Node, Node], *, whole: bool, scaling: Node | None
) -> None:
    """Adds a numeric range.

    Args:
        draft: The import.
        name: The hyperparameter.
        node: The range.
        bounds: The lower and the upper bound.
        whole: Whether it has integers only.
        scaling: The scaling type; None for the default, Auto.
    """
    low, high = (each.integer() if whole else each.number() for each in bounds)
    if low > high:
        raise bounds[0].fail(f"the lower bound must not be above the upper one, but {low:g} > {high:g}")
    given = "Auto" if scaling is None else scaling.one_of(SCALINGS)
    kind = given
    note = ""
    if given == "Auto":
        kind = "Logarithmic" if low > 0 and high / low >= AUTO_RATIO else "Linear"
        why = (
            f"from a ratio of {AUTO_RATIO} of positive bounds on it is logarithmic, here it is {high / low:g}"
            if low > 0
            else ("it is logarithmic only above 0")
        )
        note = f"scaling Auto is {kind} by kftune's rule: {why}"
    place = scaling or node
    if kind == "Logarithmic" and low <= 0:
        raise place.fail(f"Logarithmic scaling needs bounds above 0, but the lower one is {low:g}")
    draft.search(name, node, _space(low, high, kind, whole, place)._replace(converted=note))


def _space(low: float, high: float, kind: str, whole: bool, place: Node) -> Space:
    if kind == "ReverseLogarithmic":
        if whole or not 0 <= low < high < 1:
            raise place.fail(
                f"ReverseLogarithmic scaling is for numbers with 0 <= min < max < 1, but got {low:g}, {high:g}"
            )
        return Space({"reverse_loguniform": [low, high]}, "float")
    if whole:
        return integers(int(low), int(high), log=kind == "Logarithmic")
    return log_uniform(low, high) if kind == "Logarithmic" else uniform(low, high)
