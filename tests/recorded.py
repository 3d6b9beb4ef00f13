"""What the engines' own code said of inputs: the files in tests/corpus."""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent / "corpus"


@cache
def recorded(name: str) -> list[dict[str, Any]]:
    """The cases of one file, such as `wrapper`."""
    with gzip.open(_FOLDER / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]
