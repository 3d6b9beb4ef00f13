"""Reads the documents of files, folders and standard input, and decides which of them lint checks."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from kftune.errors import UsageError, near_files
from kftune.katib.admission.server import KIND
from kftune.katib.go.reading import NotYamlError, Piece, Repeated, pieces, read
from kftune.katib.go.types import Path as JsonPath
from kftune.runs import YAML_SUFFIXES, files_below
from kftune.spec.kind import Kind, check_file_name

STDIN = "<stdin>"
"""The name of standard input in place of a file's name."""

_MOST_DOCUMENTS = 5000
_SUFFIXES = (*YAML_SUFFIXES, ".json")
# Text that should be an Experiment, a study or a pipeline.
_LOOKS_LIKE = re.compile(
    r"kubeflow\.org/v1beta1|^\s*[\"']?(kind[\"']?\s*:\s*[\"']?Experiment|hparams[\"']?\s*:)", re.MULTILINE
)


class Document(NamedTuple):
    """An object of the input, or a text that cannot be read."""

    file: str
    number: int
    """Which document of the file, from 0."""
    piece: Piece
    value: Any
    error: NotYamlError | None = None
    prefix: JsonPath = ()
    """The path of the object in its document, for an item of a List."""
    repeated: tuple[Repeated, ...] = ()
    """The keys that the document gives twice."""

    def text(self, *path: str) -> str | None:
        """Returns the text at a path of the object; None if there is none."""
        value = self.value
        for part in path:
            value = value.get(part) if isinstance(value, dict) else None
        return value if isinstance(value, str) else None


class SourceText(NamedTuple):
    """A text, and whether the user named it (or it was found in a folder)."""

    file: str
    text: str
    named: bool


def sources(places: Sequence[str], *, skip_others: bool = False) -> Iterator[SourceText]:
    """Reads files, the YAML files below folders, and standard input; each file once.

    In folders, files and folders whose names begin with a dot are skipped.

    Args:
        places: Paths; `-` is standard input.
        skip_others: Treat named files like those of a folder.

    Raises:
        UsageError: A path does not exist, is not a YAML file, or is a folder without YAML files.
        OSError: A file cannot be read.
    """
    seen: set[Path] = set()
    for place in dict.fromkeys(places):
        if place == "-":
            yield SourceText(STDIN, decoded(sys.stdin.buffer.read()), named=True)
            continue
        path = Path(place)
        if not path.exists():
            raise UsageError(
                f"{place} is neither a file nor a folder; name one, or - for standard input{near_files(place)}"
            )
        named = not (skip_others or path.is_dir())
        if named:
            check_file_name(path)
        for file in _files_below(path) if path.is_dir() else [path]:
            if file.resolve() not in seen:
                seen.add(file.resolve())
                yield SourceText(str(file) if path.is_dir() else place, decoded(file.read_bytes()), named=named)


def _files_below(folder: Path) -> list[Path]:
    files = files_below(folder, _SUFFIXES)
    if not files:
        raise UsageError(f"{folder} contains no YAML file; name a folder or a file with Experiments")
    return files


def decoded(content: bytes) -> str:
    """Decodes a file; invalid UTF-8 becomes lone surrogates, which the reader refuses."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16", "replace")
    return content.decode("utf-8", "surrogateescape")


def documents(source: SourceText) -> Iterator[Document]:
    """Reads all objects of a text, including those inside Lists.

    Empty documents are skipped, as kubectl does. A named text without any object is one document.
    """
    found = False
    last = Piece("", 0)
    count = 0
    for index, piece in enumerate(pieces(source.text)):
        last = piece
        if piece.text.strip() in ("", "---"):
            continue
        count += 1
        if count > _MOST_DOCUMENTS:
            message = f"too many documents: lint reads at most {_MOST_DOCUMENTS} per file; split the file"
            yield Document(source.file, index, piece, None, NotYamlError(message, None, 1, 1))
            return
        repeated: list[Repeated] = []
        try:
            value = read(piece.text, repeated)
        except NotYamlError as error:
            found = True
            yield Document(source.file, index, piece, None, error)
        else:
            if value is not None:
                found = True
                yield from _objects(Document(source.file, index, piece, value, repeated=tuple(repeated)))
    if not found and source.named:
        yield Document(source.file, 0, last, None)


def _objects(document: Document) -> Iterator[Document]:
    value = document.value
    if isinstance(value, dict):
        kind, items = value.get("kind"), value.get("items")
        if isinstance(kind, str) and kind.endswith("List") and isinstance(items, list):
            kinds = [item.get("kind") if isinstance(item, dict) else None for item in items]
            first = kinds.index(KIND) if KIND in kinds else 0  # it reports the keys that the list gives twice
            for index, item in enumerate(items):
                repeated = document.repeated if index == first else ()
                prefix = (*document.prefix, "items", index)
                yield from _objects(document._replace(value=item, prefix=prefix, repeated=repeated))
            return
    yield document


def is_experiment(document: Document, kind: Kind, *, named: bool) -> bool:
    """Returns whether lint checks a document as an Experiment.

    Args:
        document: The document.
        kind: Its kind.
        named: Whether the user named its file: then what cannot be read, or has no kind, should be one.
    """
    if document.error is not None:
        return named or _LOOKS_LIKE.search(document.piece.text) is not None
    nameless = named and kind.name == "other" and not document.text("kind")
    return kind.name == "Experiment" or bool(kind.problem) or nameless
