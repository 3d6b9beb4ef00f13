"""Reads the same text with libyaml into dicts, without any check."""

from __future__ import annotations

import sys
from typing import Any

import yaml

from benchmarks.h_experiments import text
from benchmarks.worker import serve


def read(content: str) -> list[Any]:
    return list(yaml.load_all(content, Loader=yaml.CSafeLoader))


if __name__ == "__main__":
    given = text()
    if sys.argv[1:] == ["show"]:
        for value in read(given):
            print(value["metadata"]["name"])
    else:
        serve(lambda: read(given))
