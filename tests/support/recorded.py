"""Recorded results of the engines' own code: the cases of tests/corpus, and the cluster in which they were recorded."""

from __future__ import annotations

import json
import lzma
from functools import cache
from pathlib import Path
from typing import Any

from places import CORPUS

from kftune.katib.admission.cluster import Cluster, KatibConfig, cluster_of
from kftune.katib.go.reading import pieces, read

Case = dict[str, Any]

_folders = [CORPUS]


def read_from(folder: Path) -> None:
    """Sets the folder of the cases."""
    _folders[:] = [folder]
    cases.cache_clear()
    cluster.cache_clear()


@cache
def cases(name: str) -> tuple[Case, ...]:
    """Returns the cases of one file, none if it does not exist. Do not change them."""
    (folder,) = _folders
    packed = folder / f"{name}.jsonl.xz"
    plain = folder / f"{name}.jsonl"
    if packed.exists():
        text = lzma.decompress(packed.read_bytes()).decode()
    else:
        text = plain.read_text(encoding="utf-8") if plain.exists() else ""
    # Not splitlines(): the texts contain U+2028 and similar characters.
    return tuple(json.loads(line) for line in text.split("\n") if line)


def first(text: str) -> Any:
    """Returns the first document of a text as kubectl reads it."""
    piece = next(pieces(text), None)
    return read(piece.text) if piece is not None else None


@cache
def cluster(labelled: bool = True) -> Cluster:
    """Returns the recorded cluster: the shipped katib-config and one ConfigMap."""
    (folder,) = _folders
    templates = [read(piece.text) for piece in pieces((folder / "templates.yaml").read_text(encoding="utf-8"))]
    return cluster_of(templates, KatibConfig(), labelled=labelled)
