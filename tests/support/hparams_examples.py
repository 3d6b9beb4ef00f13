"""A hyperparameter class with every kind of JSON field, and values for it drawn by hypothesis.

As a program, it reads its command line like a training script and prints the values.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import date, datetime, timedelta
from enum import Enum, IntEnum, StrEnum
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

from kftune import Hparam, Hparams


class Colour(Enum):
    RED = "red"
    NULL = "null"
    QUOTED = '"'
    ODD = "kftune:text:a b"


class Size(StrEnum):
    SMALL = "small"
    LARGE = "large"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Mixed(Enum):
    TEXT = "1"
    NUMBER = 1.5


class Optimizer(Hparams):
    lr: float = 0.1
    name: str = "adam"
    betas: tuple[float, float] = (0.9, 0.999)
    kwargs: dict[str, Any] = Hparam(default_factory=dict)


class Schedule(Hparams):
    optimizer: Optimizer = Optimizer(lr=0.5)
    warmup: Optimizer | None = None
    cooldown: Optimizer | None = Optimizer(name="null")
    steps: int | None = 3


class Everything(Hparams):
    flag: bool = False
    number: int = 0
    real: float = 0.0
    text: str = ""
    maybe_flag: bool | None = None
    maybe_number: int | None = None
    maybe_real: float | None = 0.5
    maybe_text: str | None = None
    word: Literal["a", "null", "--b", 'c"'] = "a"
    digit: Literal[1, 2] = 1
    odd: Literal[1, "1", True, None] = None
    maybe_word: Literal["a", "null"] | None = "null"
    word_or_none: Literal["a", "null", None] = None
    colour: Colour = Colour.RED
    maybe_colour: Colour | None = Colour.NULL
    size: Size = Size.SMALL
    level: Level = Level.LOW
    mixed: Mixed = Mixed.TEXT
    numbers: list[int] = Hparam(default_factory=list)
    texts: list[str] = Hparam(default_factory=list)
    table: dict[str, float | None] = Hparam(default_factory=dict)
    by_number: dict[int, list[bool]] = Hparam(default_factory=dict)
    pair: tuple[int, str] = (1, "a")
    row: tuple[float, ...] = ()
    members: set[int] = Hparam(default_factory=set)
    words: frozenset[str] = frozenset()
    number_or_text: int | str = 0
    number_text_or_none: int | str | None = None
    number_or_real: int | float = 0
    path: Path = Path()
    maybe_path: Path | None = Path("null")
    moment: datetime = datetime(2024, 1, 1)
    day: date = date(2024, 1, 1)
    span: timedelta = timedelta(1)
    identifier: UUID = UUID(int=0)
    anything: Any = None
    schedule: Schedule = Schedule(steps=None)
    maybe_schedule: Schedule | None = None
    optimizers: list[Optimizer] = Hparam(default_factory=list)


class Hostile(Hparams):
    """Text fields of three forms, for values that must survive a real process border."""

    plain: dict[str, str] = Hparam(default_factory=dict)
    listed: list[str] = Hparam(default_factory=list)
    t00: str = ""
    t01: str = ""
    t02: str = ""
    t03: str = ""
    t04: str = ""
    t05: str = ""
    t06: str = ""
    t07: str = ""
    t08: str = ""
    t09: str = ""
    n00: str | None = None
    n01: str | None = None
    n02: str | None = None
    n03: str | None = None
    n04: str | None = None
    n05: str | None = None
    n06: str | None = None
    n07: str | None = None
    n08: str | None = None
    n09: str | None = None


if __name__ == "__main__":
    sys.stdout.write(
        json.dumps(
            {
                "bytes": [list(os.fsencode(token)) for token in sys.argv[1:]],
                "values": Hostile.from_args().to_dict(),
            }
        )
    )
