"""What changes when memory runs out: a smaller batch with more accumulation, or numbers of half the size."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from kftune.hparams.models.training import FallbackHparams


@dataclass(frozen=True)
class Effort:
    """What a training needs memory for.

    Attributes:
        batch_size: Examples per step; None if the data does not let it be changed.
        accumulate: Batches whose gradients make one step of the optimizer.
        precision: Bits of the numbers.
        halvings: How often the batch was halved.
    """

    batch_size: int | None
    accumulate: int
    precision: str
    halvings: int = 0

    def smaller(self, hparams: FallbackHparams, world: int) -> Effort | None:
        """Returns what to try next; None if the limits allow nothing.

        Args:
            hparams: The limits.
            world: The number of processes that share a batch.
        """
        for way in hparams.order:
            if way == "batch" and self.batch_size is not None and self.halvings < hparams.halvings:
                size = self.batch_size // 2
                if size >= hparams.min_batch_size and size >= world and size % world == 0:
                    return replace(self, batch_size=size, accumulate=2 * self.accumulate, halvings=self.halvings + 1)
            if way == "precision" and self.precision in ("64", "32") and self.precision != hparams.precision:
                return replace(self, precision=hparams.precision)
        return None

    def changes(self, before: Effort) -> dict[str, list[Any]]:
        """Returns what differs from an earlier one: name -> [before, now].

        Args:
            before: The earlier one.
        """
        mine, theirs = asdict(self), asdict(before)
        return {name: [theirs[name], mine[name]] for name in mine if name != "halvings" and mine[name] != theirs[name]}
