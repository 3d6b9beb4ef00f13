"""With any values in a file of another system, an import reads it or refuses it in words of its own."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from foreign_files import EXAMPLES, NAMES, system_of

from kftune import yaml_text
from kftune.errors import KftuneError
from kftune.importers import read_foreign

ODD: list[Any] = [None, "", "x", 0, -1, True, [], [None], {}, {"a": None}, [[1]], "${{search_space.x}}", 10**30]
MAPPINGS = [name for name in NAMES if name.endswith((".yaml", ".json"))]
COUNT = 12


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield (*path, key)
        yield from places(each, (*path, key))


def changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    whole = copy.deepcopy(value)
    inner = whole
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = new
    return whole


class ReadError(KftuneError):
    """The file was read."""


def read(name: str, path: Path) -> None:
    """Imports a file; an error that is not one of kftune's reaches the test."""
    with pytest.raises(KftuneError):  # noqa: PT012 - both ends are fine
        read_foreign(system_of(name), path)
        raise ReadError


@pytest.mark.parametrize("name", MAPPINGS)
def test_an_odd_value_is_read_or_refused(name: str, tmp_path: Path):
    [value] = [each for each in yaml_text.load_all((EXAMPLES / name).read_text()) if each]
    draw = random.Random(name)
    for path in draw.choices([*places(value)], k=COUNT):
        content = changed(value, path, draw.choice(ODD))
        (tmp_path / name).write_text(json.dumps(content))
        read(name, tmp_path / name)
