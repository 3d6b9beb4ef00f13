"""`Data`: data sets with typed hyperparameters. Order and random numbers depend on seed, epoch and batch alone.

So an epoch that is interrupted and goes on later sees the same batches as one that is not.
"""

from __future__ import annotations

import random
import sys
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, Dataset, Sampler, Subset

from kftune.errors import HparamsError
from kftune.hparams.models.training import DataHparams


class Data(pl.LightningDataModule):
    """Data sets, and how they are loaded.

    Args:
        datasets: One data set, which `DataHparams.split` splits; or those for training, validation and, if there is
            one, test.
        hparams: How they are loaded: an instance, or a mapping that it is made from; None for the defaults.

    Attributes:
        thparams: How they are loaded.
        batch_size: Examples per step, over all processes together; less than asked for after memory ran out.
        step_seed: Seed of what is random in a step.
    """

    def __init__(
        self, datasets: Dataset[Any] | Sequence[Dataset[Any]], hparams: DataHparams | Mapping[str, Any] | None = None
    ) -> None:
        super().__init__()
        given = DataHparams() if hparams is None else hparams
        self.thparams = given if isinstance(given, DataHparams) else DataHparams.from_config(given)
        self.batch_size = self.thparams.batch_size
        self.step_seed = 0
        self.train, self.val, self.test = _parts(datasets, self.thparams)

    def train_dataloader(self) -> EpochLoader:
        """Returns the batches to learn from."""
        world, rank = self._place()
        sampler = Share(len(self.train), rank, world, seed=self.thparams.seed if self.thparams.shuffle else None)
        return EpochLoader(
            self.train,
            sampler,
            seed=self.step_seed,
            batch_size=self.batch_size // world,
            drop_last=self.thparams.drop_last,
            num_workers=self.thparams.num_workers,
        )

    def val_dataloader(self) -> Any:
        """Returns the batches for validation; none without a data set for it."""
        return self._held_out(self.val)

    def test_dataloader(self) -> Any:
        """Returns the batches for the test; none without a data set for it."""
        return self._held_out(self.test)

    def _held_out(self, dataset: Any) -> Any:
        if dataset is None:
            return []
        world, rank = self._place()
        if len(dataset) < world:
            raise HparamsError(
                f"each process needs an example to validate or test with, but there are {len(dataset)} for {world} "
                f"processes; raise the shares in data.split, or start fewer processes"
            )
        size, workers = self.batch_size // world, self.thparams.num_workers
        sampler = range(rank, len(dataset), world)
        return DataLoader(dataset, sampler=sampler, batch_size=size, num_workers=workers)

    def _place(self) -> tuple[int, int]:
        """Returns the number of processes, and that of this one."""
        world = self.trainer.world_size if self.trainer else 1
        if self.batch_size % world:
            raise HparamsError(
                f"batch_size must be a multiple of the number of processes, which share a batch, but is "
                f"{self.batch_size} for {world} processes"
            )
        return world, self.trainer.global_rank if self.trainer else 0


class Share(Sampler[int]):
    """The examples of one process in an epoch, in the epoch's order. All processes have equally many."""

    def __init__(self, size: int, rank: int, world: int, seed: int | None) -> None:
        self.size, self.rank, self.world, self.seed = size, rank, world, seed
        self.epoch = 0
        self.start = 0
        """Examples of this process that the epoch has already seen."""

    def set_epoch(self, epoch: int) -> None:
        """Sets the epoch; Lightning calls it.

        Args:
            epoch: Its number, from 0.
        """
        self.epoch = epoch

    def __len__(self) -> int:
        return (self.size + self.world - 1) // self.world

    def __iter__(self) -> Iterator[int]:
        order: Sequence[int] = range(self.size)
        if self.seed is not None:
            generator = torch.Generator().manual_seed(_mixed(self.seed, self.epoch))
            order = torch.randperm(self.size, generator=generator).tolist()
        for place in range(self.rank + self.start * self.world, len(self) * self.world, self.world):
            yield order[place % self.size]  # the first examples again, where the last round is not full


class EpochLoader(DataLoader[Any]):
    """Batches of an epoch. It seeds all random numbers before each one, and can begin in the middle of an epoch."""

    sampler: Share

    def __init__(self, dataset: Dataset[Any], sampler: Share, *, seed: int, **options: Any) -> None:
        super().__init__(dataset, sampler=sampler, generator=torch.Generator(), **options)
        self.seed = seed
        self.done = (0, 0)
        """Epoch, and batches of it that were given."""

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        # A generator: it begins with the first batch, when Lightning has set the epoch.
        epoch = self.sampler.epoch
        skipped = self.done[1] if self.done[0] == epoch and self.done[1] < len(self) else 0
        self.done = epoch, skipped
        if self.generator is not None:
            self.generator.manual_seed(_mixed(self.seed, epoch))
        self.sampler.start = skipped * (self.batch_size or 1)
        batches = super().__iter__()
        for number in range(skipped, len(self)):
            seed_all(_mixed(self.seed, epoch, number, self.sampler.rank))
            batch = next(batches)
            self.done = epoch, number + 1
            yield batch

    def state_dict(self) -> dict[str, int]:
        """Returns where it is; Lightning writes it into checkpoints."""
        return {"epoch": self.done[0], "batches": self.done[1]}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Goes on where another one was; Lightning calls it.

        Args:
            state: What `state_dict` returned.
        """
        self.done = state["epoch"], state["batches"]


def seed_all(seed: int) -> None:
    """Seeds Python's, numpy's and torch's random numbers.

    Args:
        seed: A number below 2**32.
    """
    random.seed(seed)
    torch.manual_seed(seed)
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed(seed)


def _mixed(*numbers: int) -> int:
    """Returns one seed for several numbers."""
    return zlib.crc32(repr(numbers).encode())


def _parts(datasets: Any, hparams: DataHparams) -> tuple[Any, Any, Any]:
    if isinstance(datasets, (tuple, list)):
        if len(datasets) not in (2, 3):
            raise HparamsError(f"data sets are for training, validation and, if given, test; got {len(datasets)}")
        train, val, test = (*datasets, None)[:3]
    else:
        count = len(datasets)
        val_size, test_size = (round(count * share) for share in hparams.split[1:])
        order = torch.randperm(count, generator=torch.Generator().manual_seed(hparams.seed)).tolist()
        ends = (count - val_size - test_size, count - test_size, count)
        train, val, test = (
            Subset(datasets, order[start:end]) if end > start else None
            for start, end in zip((0, *ends), ends, strict=False)
        )
    if train is None or not len(train):
        raise HparamsError("there must be at least one example to learn from, but there is none")
    return train, val, test
