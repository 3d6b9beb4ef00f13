"""Batches of pictures: in a new order and spoiled anew in each epoch, the same ones for the same seed and epoch.

Shape suffixes: B pictures, H rows, W columns, L tokens.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from kftune.errors import DataLoaderError
from kftune.hparams.models.ocr import OcrHparams
from kftune.training.digits.alphabet import END, PAD, encode
from kftune.training.digits.dataset import Pictures, find_metadata, read_split
from kftune.training.digits.drawing import Damage, spoil
from kftune.training.ocr.refusals import raised_as

_VALIDATED_AT_ONCE = 250

Batch = tuple[Tensor, Tensor]
"""Ink, and the tokens that it shows: digits, END and PAD."""
Key = tuple[int, Tensor]
"""The seed of a batch, and the numbers of its pictures."""


class Batches(Dataset[Batch]):
    """The pictures of one split, a batch at a time.

    Args:
        pictures: The split.
        damage: How pictures are spoiled; None leaves them as they are.
        max_length: Tokens of the longest number, with END.
    """

    def __init__(self, pictures: Pictures, damage: Damage | None, max_length: int) -> None:
        self.ink_BHW = pictures.ink_BHW
        self.damage = damage
        rows = [[*encode(text), END] for text in pictures.texts]
        self.tokens_BL = torch.tensor([row + [PAD] * (max_length - len(row)) for row in rows])

    def __getitem__(self, key: Key) -> Batch:
        """Returns one batch."""
        seed, numbers = key
        ink_BHW = self.ink_BHW[numbers].float().div(255)
        if self.damage is not None:
            ink_BHW = spoil(ink_BHW, self.damage, torch.Generator().manual_seed(seed))
        tokens_BL = self.tokens_BL[numbers]
        # No column that is PAD in the whole batch: each costs a step of the decoder.
        return ink_BHW, tokens_BL[:, : int((tokens_BL != PAD).sum(dim=1).max())]


class Order(Sampler[Key]):
    """The batches of one epoch after the other.

    Args:
        count: Number of pictures.
        batch_size: Pictures in a batch.
        seed: Decides order and damage; None keeps the order of the data set.

    Attributes:
        epoch: The epoch whose batches come next.
    """

    def __init__(self, count: int, batch_size: int, seed: int | None) -> None:
        self.count, self.batch_size, self.seed = count, batch_size, seed
        self.epoch = 1

    def __iter__(self) -> Iterator[Key]:
        generator = torch.Generator().manual_seed((self.seed or 0) * 100_003 + self.epoch)
        order = torch.arange(self.count) if self.seed is None else torch.randperm(self.count, generator=generator)
        for numbers in torch.split(order, self.batch_size):
            yield int(torch.randint(2**31, (1,), generator=generator)), numbers

    def __len__(self) -> int:
        return math.ceil(self.count / self.batch_size)


@raised_as(DataLoaderError)
def create_data_loaders(config: OcrHparams, data: Path | None = None) -> tuple[DataLoader[Batch], DataLoader[Batch]]:
    """Returns the batches to train on and to validate with.

    Args:
        config: The data set, its splits, and how batches are made.
        data: Another data set than that of `config`.

    Raises:
        DataLoaderError: The data set is missing or cannot be read, has no such split, or does not fit the model.
    """
    default = Path(OcrHparams.model_fields["metadata_path"].default)
    metadata = find_metadata(data or Path(config.metadata_path), default)
    train = _read(config, metadata, config.train_split)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    workers = min(config.num_workers, cores)
    if workers < config.num_workers:
        print(f"num_workers is {config.num_workers}, but there are {workers} cores: {workers} prepare batches")
    return (
        DataLoader(
            Batches(train, Damage() if config.augmentation else None, config.max_sequence_length),
            sampler=Order(len(train), config.batch_size, config.seed),
            num_workers=workers,
            persistent_workers=workers > 0,
            **_common(config),
        ),
        create_test_loader(config, metadata, config.val_split),
    )


def create_test_loader(config: OcrHparams, metadata: Path, split: str) -> DataLoader[Batch]:
    """Returns the batches of a split in its own order, as it is.

    Args:
        config: The model that reads them.
        metadata: The data set's ``metadata.yaml``.
        split: The name of the split.

    Raises:
        HparamsError: The data set does not fit the model.
        UnknownNameError: It has no such split.
        YamlError: Its metadata cannot be read.
    """
    pictures = _read(config, metadata, split)
    return DataLoader(
        Batches(pictures, None, config.max_sequence_length),
        sampler=Order(len(pictures), _VALIDATED_AT_ONCE, None),
        **_common(config),
    )


def _read(config: OcrHparams, metadata: Path, split: str) -> Pictures:
    return read_split(metadata, split, vocab_size=config.vocab_size, max_length=config.max_sequence_length)


def _common(config: OcrHparams) -> dict[str, Any]:
    return {
        "batch_size": None,
        "pin_memory": config.pin_memory and torch.cuda.is_available(),
        # A loader draws from the generator, which must not be that of the dropout: how often depends on the workers.
        "generator": torch.Generator(),
    }
