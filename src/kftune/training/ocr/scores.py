"""How much of the numbers was read correctly."""

from __future__ import annotations

from collections.abc import Iterable


def edits(found: str, wanted: str) -> int:
    """Returns the least number of characters to add, remove or replace that makes one text the other.

    Args:
        found: One text.
        wanted: The other.
    """
    if found == wanted:
        return 0
    before = list(range(len(wanted) + 1))
    for row, character in enumerate(found, start=1):
        now = [row]
        for column, other in enumerate(wanted, start=1):
            replaced = before[column - 1] + (character != other)
            now.append(min(replaced, before[column] + 1, now[-1] + 1))
        before = now
    return before[-1]


class Scores:
    """Counts what was read correctly."""

    def __init__(self) -> None:
        self._characters = self._edits = self._texts = self._right = 0

    def add(self, found: Iterable[str], wanted: Iterable[str]) -> None:
        """Adds some texts.

        Args:
            found: What was read.
            wanted: What it should have been.
        """
        for text, right in zip(found, wanted, strict=True):
            self._characters += len(right)
            self._edits += edits(text, right)
            self._texts += 1
            self._right += text == right

    @property
    def char_accuracy(self) -> float:
        """1 less the edits for each character; 0 when as many edits as characters are needed, or more."""
        return max(0.0, 1 - self._edits / max(1, self._characters))

    @property
    def seq_accuracy(self) -> float:
        """Share of the numbers that were read without a mistake."""
        return self._right / max(1, self._texts)
