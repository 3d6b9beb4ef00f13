"""``python -m kftune.training detector-data``: writes canvases as a data set in the format of YOLO.

Source: the format of ultralytics: ``data.yaml`` names folders ``images/SPLIT``; next to each is ``labels/SPLIT``
with a text file for each picture, and in it a line for each box: class, center x and y, width and height, as shares.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kftune.errors import UsageError
from kftune.training.arguments import step_arguments

USAGE = """\
usage: python -m kftune.training detector-data --dataset=PATH [--name=value ...]

Writes the canvases on which the model detector trains, as a data set in the format of YOLO. The same arguments give the
same files. Digits of the two splits are of different people.

arguments:
  --dataset      file to write, such as digits/data.yaml; pictures and labels go into the same folder
  --seed         another seed gives other canvases (default: 0)
  --train        number of canvases to train on (default: 400)
  --val          number of canvases to validate with (default: 200)
  --side         pixels of height and width (default: 64)
  --max_digits   digits on a canvas at most (default: 4)
"""

_NUMBERS = {"seed": (0, 0, 2**31), "train": (400, 1, 100_000), "val": (200, 1, 100_000), "side": (64, 32, 640)} | {
    "max_digits": (4, 1, 20)
}
"""Argument -> its default, and the least and the largest value."""


def run(argv: Sequence[str]) -> int:
    """Writes the data set and returns the exit status.

    Raises:
        UsageError: The arguments are invalid.
        OSError: A file cannot be written.
    """
    # Imported here, so that the help needs no torch.
    from kftune.training.detector.dataset import write_dataset  # noqa: PLC0415

    given = step_arguments("detector-data", argv, ("dataset",), list(_NUMBERS))
    path = Path(given.pop("dataset"))
    if path.suffix != ".yaml":
        raise UsageError(f"detector-data writes a file such as digits/data.yaml, but --dataset is {path}")
    numbers = {name: _number(name, given.get(name)) for name in _NUMBERS}
    counts = {split: numbers.pop(split) for split in ("train", "val")}
    write_dataset(path, counts, **numbers)
    print(f"{path}: {counts['train']} canvases to train on, {counts['val']} to validate with")
    return 0


def _number(name: str, text: str | None) -> int:
    default, least, most = _NUMBERS[name]
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and least <= int(text) <= most):
        raise UsageError(f"detector-data: --{name} must be a whole number from {least} to {most}, but is {text!r}")
    return int(text)
