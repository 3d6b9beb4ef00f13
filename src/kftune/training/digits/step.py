"""``python -m kftune.training ocr-data``: generates pictures of Khmer numbers for the steps after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from kftune.errors import UsageError
from kftune.training.arguments import step_arguments

USAGE = """\
usage: python -m kftune.training ocr-data --data=FOLDER [--name=value ...]

Generates pictures of Khmer numbers, and says for each one what it shows. The same arguments give the same files.

arguments:
  --data         folder to write; training reads its metadata.yaml
  --metadata     in place of --data: the file, such as generated_data/metadata.yaml; the rest goes beside it
  --seed         another seed gives other numbers and pictures (default: 0)
  --train        number of pictures to train on (default: 6000)
  --val          number of pictures to validate with (default: 1000)
  --test         number of pictures to test with (default: 1000)
  --max_digits   digits of the longest number (default: 8)
"""


def run(argv: Sequence[str]) -> int:
    """Writes the data set and returns the exit status.

    Raises:
        UsageError: The arguments are invalid.
        OSError: A file cannot be written.
    """
    # Imported here, so that the help needs no torch.
    from kftune.training.digits.dataset import Recipe, generate  # noqa: PLC0415

    names = [field.name for field in fields(Recipe)]
    given = step_arguments("ocr-data", argv, (), ("data", "metadata", *names))
    path = _metadata(given.pop("data", None), given.pop("metadata", None))
    recipe = Recipe(**{name: _whole_number(name, text) for name, text in given.items()})
    generate(path, recipe)
    print(f"{path}: {recipe.train} pictures to train on, {recipe.val} to validate with, {recipe.test} to test with")
    return 0


def _metadata(folder: str | None, file: str | None) -> Path:
    if (folder is None) == (file is None):
        raise UsageError(
            f"ocr-data needs --data=FOLDER or --metadata=FILE, but has {'both' if folder else 'neither of them'}"
        )
    path = Path(file) if file else Path(str(folder)) / "metadata.yaml"
    if path.suffix != ".yaml":
        raise UsageError(f"ocr-data writes a file such as generated_data/metadata.yaml, but --metadata is {path}")
    return path


def _whole_number(name: str, text: str) -> int:
    least, most = (0, 2**31) if name == "seed" else (1, 16) if name == "max_digits" else (1, 1_000_000)
    if not (text.isascii() and text.isdecimal() and least <= int(text) <= most):
        raise UsageError(f"ocr-data: --{name} must be a whole number from {least} to {most}, but is {text!r}")
    return int(text)
