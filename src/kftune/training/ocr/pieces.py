"""Batches in pieces, so that a training whose memory runs out goes on: half the pictures at a time, twice as often."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from kftune.training.memory import memory_problem
from kftune.training.ocr.batches import Batch

Gradients = Callable[[Batch, float], tuple[Tensor, list[str]]]
"""Adds the gradients of a piece, whose loss counts with its share; returns the loss and what was read."""


class Pieces:
    """Adds up the gradients of the pieces of each batch. They become smaller when memory runs out, never larger.

    Args:
        allowed: Whether they may; otherwise each batch is one piece.
        found: Notes of each time that they did, for ``summary.json``; those of an earlier run count.
    """

    def __init__(self, *, allowed: bool, found: list[dict[str, object]]) -> None:
        self._allowed = allowed
        self.found = found
        self.count = 2 ** len(found)

    def step(
        self, batch: Batch, epoch: int, clear: Callable[[], object], gradients: Gradients
    ) -> tuple[Tensor, list[str]]:
        """Returns the loss of a batch and what was read in it, with the gradients of the whole batch added up.

        Args:
            batch: The batch.
            epoch: The epoch, for the note.
            clear: Removes the gradients of an earlier try.
            gradients: Adds those of a piece.
        """
        while True:
            clear()
            try:
                return self._of_pieces(batch, gradients)
            except (MemoryError, RuntimeError) as error:
                problem = memory_problem(error)
                if problem is None or not self._allowed or self.count >= len(batch[0]):
                    raise
            self._halve(len(batch[0]), epoch, problem)

    def _of_pieces(self, batch: Batch, gradients: Gradients) -> tuple[Tensor, list[str]]:
        total, texts, size = torch.zeros((), dtype=torch.float64), [], len(batch[0])
        for piece in self._pieces(batch):
            share = len(piece[0]) / size
            loss, read = gradients(piece, share)
            total += loss.detach().cpu() * share
            texts += read
        return total, texts

    def _pieces(self, batch: Batch) -> Iterator[Batch]:
        # The last batch of an epoch may have fewer pictures than there are pieces.
        yield from zip(*(part.chunk(self.count) for part in batch), strict=True)

    def _halve(self, size: int, epoch: int, problem: str) -> None:
        before, self.count = self.count, 2 * self.count
        half = {"batch_size": [-(-size // before), -(-size // self.count)], "accumulate": [before, self.count]}
        self.found.append({"epoch": epoch, "reason": problem, **half})
        print(
            f"memory ran out: {problem}; from now on each batch is read in {self.count} pieces, here of "
            f"{half['batch_size'][1]} pictures, whose gradients are added up",
            flush=True,
        )
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
