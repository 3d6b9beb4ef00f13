"""Data sets of numbers: ``metadata.yaml`` and, for each split, a sheet of pictures and a file with what they show.

Pictures are one below the other in a PGM file, the texts one on each line. The same recipe gives the same files.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from kftune import yaml_text
from kftune.errors import HparamsError, UnknownNameError
from kftune.files import write_bytes, write_text
from kftune.training.digits.alphabet import DIGITS, VOCABULARY
from kftune.training.digits.drawing import HEIGHT, WIDTH, Damage, draw, spoil
from kftune.training.digits.glyphs import FONTS, glyphs
from kftune.training.digits.pgm import parse_pgm, to_pgm

_DAMAGED_AT_ONCE = 500


@dataclass(frozen=True)
class Recipe:
    """What decides a generated data set.

    Attributes:
        seed: Another seed gives other numbers and pictures.
        train: Pictures to train on: clean, because training spoils them anew in each epoch.
        val: Pictures to validate with: spoiled, in fonts that are not trained on.
        test: The same in further fonts.
        max_digits: Digits of the longest number.
    """

    seed: int = 0
    train: int = 6000
    val: int = 1000
    test: int = 1000
    max_digits: int = 8


@dataclass(frozen=True)
class Pictures:
    """One split.

    Attributes:
        ink_BHW: uint8: 0 paper, 255 ink.
        texts: What each picture shows.
    """

    ink_BHW: Tensor
    texts: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.texts)


def generate(metadata: Path, recipe: Recipe) -> None:
    """Writes a data set, the metadata last. Waits while another process writes one there.

    Args:
        metadata: The file ``metadata.yaml``; the other files go beside it.
        recipe: What to write.

    Raises:
        OSError: A file cannot be written.
    """
    with _writing_alone(metadata.parent):
        _generate(metadata, recipe)


@contextmanager
def _writing_alone(folder: Path) -> Iterator[None]:
    """Waits until no other process writes a data set to the folder. The system frees the lock of a killed one."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)  # the folder itself, so that no file is left in the data set
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _generate(metadata: Path, recipe: Recipe) -> None:
    splits: dict[str, Any] = {}
    for number, (name, fonts) in enumerate(FONTS.items()):
        generator = torch.Generator().manual_seed(recipe.seed * len(FONTS) + number)
        pictures = _draw_split(getattr(recipe, name), recipe.max_digits, fonts, name != "train", generator)
        write_bytes(metadata.with_name(f"{name}.pgm"), to_pgm((255 - pictures.ink_BHW).flatten(0, 1)))
        write_text(metadata.with_name(f"{name}.txt"), "".join(f"{text}\n" for text in pictures.texts))
        splits[name] = {
            "pictures": f"{name}.pgm",
            "texts": f"{name}.txt",
            "examples": len(pictures),
            "fonts": list(fonts),
        }
    content = {
        "vocabulary": list(VOCABULARY),
        "height": HEIGHT,
        "width": WIDTH,
        "recipe": asdict(recipe),
        "splits": splits,
    }
    write_text(metadata, yaml_text.dump(content))


def _draw_split(
    count: int, max_digits: int, fonts: tuple[str, ...], is_spoiled: bool, generator: torch.Generator
) -> Pictures:
    drawn, texts = [], []
    for _ in range(count):
        font, length = torch.rand(2, generator=generator).tolist()
        digits = torch.randint(10, (1 + int(length * max_digits),), generator=generator).tolist()
        texts.append("".join(DIGITS[digit] for digit in digits))
        drawn.append(draw(texts[-1], glyphs()[fonts[int(font * len(fonts))]], generator))
    ink_BHW = torch.stack(drawn)
    if is_spoiled:
        parts = torch.split(ink_BHW, _DAMAGED_AT_ONCE)
        ink_BHW = torch.cat([spoil(part, Damage(), generator) for part in parts])
    return Pictures(ink_BHW.mul(255).round().to(torch.uint8), tuple(texts))


def read_split(metadata: Path, split: str, *, vocab_size: int, max_length: int) -> Pictures:
    """Reads one split of a data set.

    Args:
        metadata: Its ``metadata.yaml``.
        split: The name of the split.
        vocab_size: The tokens that the model knows.
        max_length: The tokens that the model writes for one picture, with the one that ends it.

    Raises:
        HparamsError: The data set does not fit the model, or a file is not as it should be.
        UnknownNameError: It has no such split.
        YamlError: The metadata cannot be read.
    """
    found = yaml_text.load_file(metadata)
    if not isinstance(found, dict) or not isinstance(found.get("splits"), dict):
        raise HparamsError(f"{metadata} must be a mapping with vocabulary, height, width and splits, but is not")
    vocabulary = found.get("vocabulary")
    if vocabulary != list(VOCABULARY):
        raise HparamsError(f"{metadata}: vocabulary must be {list(VOCABULARY)}, but is {vocabulary!r}")
    if vocab_size != len(VOCABULARY):
        raise HparamsError(
            f"vocab_size must be the size of the vocabulary in {metadata}, {len(VOCABULARY)}, but is {vocab_size}"
        )
    if (found.get("height"), found.get("width")) != (HEIGHT, WIDTH):
        raise HparamsError(
            f"{metadata}: pictures must be {HEIGHT} high and {WIDTH} wide, but height is {found.get('height')!r} and "
            f"width is {found.get('width')!r}"
        )
    if split not in found["splits"]:
        raise UnknownNameError(f"split in {metadata}", split, [str(name) for name in found["splits"]])
    return _read_files(metadata, split, found["splits"][split], max_length)


def _read_files(metadata: Path, split: str, entry: Mapping[str, Any], max_length: int) -> Pictures:
    names = [entry.get(key) for key in ("pictures", "texts")] if isinstance(entry, dict) else []
    if not names or not all(isinstance(name, str) for name in names):
        raise HparamsError(f"{metadata}: split {split!r} must name its files as pictures and texts, but is {entry!r}")
    sheet, listed = (metadata.parent / str(name) for name in names)
    try:
        paper = parse_pgm(sheet.read_bytes(), str(sheet))
        texts = tuple(listed.read_text(encoding="utf-8").split("\n"))[:-1]
    except OSError as error:
        raise HparamsError(f"{metadata}: split {split!r} cannot be read: {error.strerror}: {error.filename}") from error
    except UnicodeDecodeError as error:
        raise HparamsError(f"{listed} must be text in UTF-8, but is not: {error}") from error
    if tuple(paper.shape) != (HEIGHT * len(texts), WIDTH):
        raise HparamsError(
            f"{sheet} must have a picture of {HEIGHT} x {WIDTH} pixels for each of the {len(texts)} lines in {listed}, "
            f"but is {paper.shape[0]} x {paper.shape[1]}"
        )
    for line, text in enumerate(texts, start=1):
        if not text or set(text) - set(DIGITS):
            raise HparamsError(f"{listed}:{line} must be Khmer digits ({DIGITS}), but is {text!r}")
        if len(text) >= max_length:
            raise HparamsError(
                f"{listed}:{line} has {len(text)} digits and an end, but max_sequence_length is {max_length}; "
                f"raise it, or leave the line out"
            )
    return Pictures(255 - paper.view(len(texts), HEIGHT, WIDTH), texts)


def find_metadata(path: Path, default: Path | None) -> Path:
    """Returns the metadata file to train with, and generates a data set at the default place if there is none.

    Args:
        path: The file, or its folder.
        default: The place where one is generated when it is missing; None generates none.

    Raises:
        HparamsError: There is none at another place.
        OSError: A file cannot be written.
    """
    metadata = path / "metadata.yaml" if path.is_dir() else path
    if metadata.is_file():
        return metadata
    if path != default:
        raise HparamsError(
            f"there is no data set at {metadata}; python -m kftune.training ocr-data --metadata={metadata} makes one"
        )
    with _writing_alone(metadata.parent):
        # Another trial may have written it in the meantime.
        if not metadata.is_file():
            print(f"{metadata} does not exist: generating the pictures of Khmer numbers", flush=True)
            _generate(metadata, Recipe())
    return metadata
