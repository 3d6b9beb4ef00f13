"""The documents of files, folders and standard input, and which of them lint judges."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from kftune.errors import UsageError
from kftune.katib.admission.server import API_VERSION, KIND
from kftune.katib.go.reading import NotYamlError, Piece, pieces, read
from kftune.katib.go.types import Path as JsonPath

_SUFFIXES = (".yaml", ".yml", ".json")
_OTHER_KINDS = frozenset({"Trial", "Suggestion", "Profile", "Notebook", "PodDefault"})
_LOOKS_LIKE = re.compile(r"kubeflow\.org/v1beta1|^\s*[\"']?kind[\"']?\s*:\s*[\"']?Experiment", re.MULTILINE)


class Document(NamedTuple):
    """One object of the input, or the text that should have been one."""

    file: str
    number: int
    """Which document of the file, from 0."""
    piece: Piece
    value: Any
    error: NotYamlError | None = None
    prefix: JsonPath = ()
    """Where the object stands in its document, for an item of a List."""


class Source(NamedTuple):
    """One text, and whether it was named by the user (not found in a folder)."""

    file: str
    text: str
    named: bool


def sources(places: Sequence[str]) -> Iterator[Source]:
    """The texts of the files, folders and `-` for standard input.

    Raises:
        UsageError: A place does not exist, or a folder holds no YAML.
    """
    for place in places:
        if place == "-":
            yield Source("<stdin>", decoded(sys.stdin.buffer.read()), named=True)
            continue
        path = Path(place)
        if path.is_dir():
            files = sorted(file for file in path.rglob("*") if file.suffix in _SUFFIXES and file.is_file())
            if not files:
                raise UsageError(f"{place} holds no YAML file; give a folder or a file with Experiments")
            for file in files:
                yield Source(str(file), decoded(file.read_bytes()), named=False)
        elif path.is_file():
            yield Source(place, decoded(path.read_bytes()), named=True)
        else:
            raise UsageError(f"{place} is neither a file nor a folder; give one, or - for standard input")


def decoded(content: bytes) -> str:
    """The text of a file; bytes that are no UTF-8 stay visible as lone surrogates, which the reader refuses."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16", "replace")
    return content.decode("utf-8", "surrogateescape")


def documents(source: Source) -> Iterator[Document]:
    """All objects of a text, those inside of Lists too.

    kubectl passes over documents that hold nothing; a text that holds nothing at all is one document.
    """
    found = False
    last = Piece("", 0)
    for index, piece in enumerate(pieces(source.text)):
        last = piece
        try:
            value = read(piece.text)
        except NotYamlError as error:
            found = True
            yield Document(source.file, index, piece, None, error)
        else:
            if value is not None:
                found = True
                yield from _objects(Document(source.file, index, piece, value))
    if not found and source.named:
        yield Document(source.file, 0, last, None)


def _objects(document: Document) -> Iterator[Document]:
    value = document.value
    if isinstance(value, dict):
        kind, items = value.get("kind"), value.get("items")
        if isinstance(kind, str) and kind.endswith("List") and isinstance(items, list):
            for index, item in enumerate(items):
                yield from _objects(document._replace(value=item, prefix=(*document.prefix, "items", index)))
            return
    yield document


def is_judged(document: Document, named: bool) -> bool:
    """Whether lint has an opinion: Experiments, what should be one, and what nobody can read."""
    value = document.value
    if document.error is not None:
        return named or _LOOKS_LIKE.search(document.piece.text) is not None
    if not isinstance(value, dict):
        return named
    kind, version = value.get("kind"), value.get("apiVersion")
    if isinstance(kind, str) and kind:
        if kind.lower() == KIND.lower():
            return version == API_VERSION or not isinstance(version, str) or _could_be_katib(version, named)
        return version == API_VERSION and kind not in _OTHER_KINDS
    spec = value.get("spec")
    return named or (isinstance(spec, dict) and "trialTemplate" in spec)


def _could_be_katib(version: str, named: bool) -> bool:
    """Another domain's kind of this name, such as that of Argo Rollouts, is none of ours."""
    group = version.partition("/")[0]
    return group == "kubeflow.org" or (named and "." not in group)
