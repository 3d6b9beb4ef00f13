"""A sampler that is not kftune's, for studies that are only rendered."""

from __future__ import annotations

from collections.abc import Iterator

from kftune.local.samplers import Point, Strategy


class Own(Strategy):
    """Proposes nothing."""

    def proposals(self, number: int) -> Iterator[Point]:
        return iter(())
