"""kftune's side: renders a typed study as text.

python -m benchmarks.b_ours serve             renders one study repeatedly
python -m benchmarks.b_ours write N FILE      writes N different studies into one file, one by one
python -m benchmarks.b_ours prepare N FOLDER  writes what the peers need to make the same N documents
python -m benchmarks.b_ours check FILE FILE   checks that two files hold the same documents
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.b_study import study
from benchmarks.worker import serve
from kftune import yaml_text
from kftune.render import render


def text() -> str:
    return yaml_text.dump_all(render(study(0), "katib").documents)


def documents(count: int) -> Iterator[Any]:
    for number in range(count):
        yield from render(study(number), "katib").documents


def write(count: int, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        yaml_text.write_all(documents(count), file)


def prepare(count: int, folder: Path) -> None:
    """Writes the first document, the paths at which others differ from it, and the values of each document there."""
    first, other = documents(2)
    paths = sorted(_differences(first, other))
    for number, document in enumerate(documents(count)):
        values = [_at(document, path) for path in paths]
        assert set(_differences(first, document)) <= set(paths), f"study {number} differs elsewhere too"
        with (folder / "values.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(values) + "\n")
    (folder / "template.json").write_text(json.dumps({"document": first, "paths": paths}), encoding="utf-8")


def _differences(one: Any, other: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            yield from _differences(one[key], other[key], (*path, key))
    elif isinstance(one, list):
        for index, (mine, theirs) in enumerate(zip(one, other, strict=True)):
            yield from _differences(mine, theirs, (*path, index))
    elif one != other:
        yield path


def _at(document: Any, path: tuple[str | int, ...]) -> Any:
    for part in path:
        document = document[part]
    return document


def check(one: str, other: str) -> None:
    for number, (mine, theirs) in enumerate(zip(_load(one), _load(other), strict=True)):
        assert mine == theirs, f"document {number} differs:\n{mine}\n{theirs}"


def _load(path: str) -> Iterator[Any]:
    import yaml

    with Path(path).open(encoding="utf-8") as file:
        yield from yaml.load_all(file, yaml.CSafeLoader)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve"]:
            serve(text)
        case ["write", count, path]:
            write(int(count), Path(path))
        case ["prepare", count, folder]:
            prepare(int(count), Path(folder))
        case ["check", one, other]:
            check(one, other)
