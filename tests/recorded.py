"""What the engines' own code said: the cases of tests/corpus, and the cluster in which they were recorded."""

from __future__ import annotations

import json
import lzma
from functools import cache
from pathlib import Path
from typing import Any

from kftune.katib.admission.cluster import Cluster, KatibConfig, cluster_of
from kftune.katib.go.reading import pieces, read

CORPUS = Path(__file__).parent / "corpus"

Case = dict[str, Any]


@cache
def cases(name: str) -> tuple[Case, ...]:
    """The cases of one file; they must not be changed."""
    with lzma.open(CORPUS / f"{name}.jsonl.xz", "rt", encoding="utf-8") as file:
        return tuple(json.loads(line) for line in file)


def first(text: str) -> Any:
    """The first document of a text as kubectl reads it."""
    piece = next(pieces(text), None)
    return read(piece.text) if piece is not None else None


@cache
def cluster(labelled: bool = True) -> Cluster:
    """The shipped katib-config and one ConfigMap."""
    templates = [read(piece.text) for piece in pieces((CORPUS / "templates.yaml").read_text(encoding="utf-8"))]
    return cluster_of(templates, KatibConfig(), labelled=labelled)
