"""Applies fixes to texts, one at a time, each judged before it is kept.

A change is kept when it takes its finding away, does not send the object back to an earlier stage, and brings no other
finding. What a refused object had hidden so far is not brought by the change; and a finding that a second change takes
away again is none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from kftune.katib.admission.cluster import INJECTION_LABEL, KatibConfig, cluster_of
from kftune.katib.go.reading import Piece, pieces
from kftune.katib.go.types import Path
from kftune.lint.fixes import FIXES, Change, Spot, labelled
from kftune.lint.report import Found, Placed
from kftune.lint.sources import Document, Source, documents

_STAGES = ("yaml", "server", "decode", "webhook", "panic", "admitted")
_MOST_IN_A_ROW = 3

Look = Callable[[Sequence[Document]], list[Found]]
_Key = tuple[int, str, Path]


class Mended(NamedTuple):
    """One remedy that was written."""

    file: str
    line: int
    """In the text as it was; from 1."""
    column: int
    code: str
    what: str


def mended(source: Source, look: Look) -> tuple[str, list[Mended]]:
    """A text with all remedies that are safe, and what they are.

    Args:
        source: The text.
        look: Judges documents, and leaves out findings that nobody asked for.
    """
    return _rewritten(source, lambda piece: _mended_piece(piece, source, look))


def with_label(source: Source, namespaces: set[str]) -> tuple[str, list[Mended]]:
    """A text whose Namespaces of these names carry Katib's label."""
    return (
        _rewritten(source, lambda piece: _labelled_piece(piece, source, namespaces))
        if namespaces
        else (source.text, [])
    )


def _rewritten(source: Source, rewrite: Callable[[Piece], tuple[str, list[Mended]]]) -> tuple[str, list[Mended]]:
    """A text with all its documents rewritten; what stands between them stays."""
    parts: list[str] = []
    changes: list[Mended] = []
    end = 0
    for piece, start in _with_places(source.text):
        new, made = rewrite(piece)
        parts += [source.text[end:start], new]
        changes += made
        end = start + len(piece.text)
    return "".join([*parts, source.text[end:]]), changes


def _labelled_piece(piece: Piece, source: Source, namespaces: set[str]) -> tuple[str, list[Mended]]:
    text = piece.text
    changes: list[Mended] = []
    for document in _documents(source, piece.text):
        name = _namespace(document.value)
        changed = labelled(text, document.prefix, document.value) if name in namespaces else None
        if changed is not None and _is_labelled(_documents(source, changed), str(name)):
            text = changed
            what = f"Namespace {name} labelled {INJECTION_LABEL}: enabled"
            changes.append(Mended(source.file, piece.line + 1, 1, "KT105", what))
    return text, changes


def _namespace(value: Any) -> str | None:
    """The name of an object that is a Namespace."""
    metadata = value.get("metadata") if isinstance(value, dict) and value.get("kind") == "Namespace" else None
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) else None


def _is_labelled(found: Sequence[Document], name: str) -> bool:
    cluster = cluster_of((document.value for document in found), KatibConfig(), labelled=True)
    return cluster.is_labelled(name)


def _with_places(text: str) -> list[tuple[Piece, int]]:
    """The pieces of a text, with the index at which each begins."""
    found = []
    start = line = 0
    for piece in pieces(text):
        while line < piece.line:
            start = text.index("\n", start) + 1
            line += 1
        found.append((piece, start + text.startswith("\ufeff") if start == 0 else start))
    return found


def _documents(source: Source, text: str) -> list[Document]:
    return list(documents(source._replace(text=text)))


class _State(NamedTuple):
    """One document's text and what lint says of it."""

    text: str
    found: list[Found]

    def findings(self) -> dict[_Key, Placed]:
        return {
            (index, each.finding.code, each.finding.path): each
            for index, (_, placed) in enumerate(self.found)
            for each in placed
        }


def _mended_piece(piece: Piece, source: Source, look: Look) -> tuple[str, list[Mended]]:
    def state_of(text: str) -> _State:
        return _State(text, look(_documents(source, text)))

    state = state_of(piece.text)
    told: list[Mended] = []
    hopeless: set[_Key] = set()
    added: list[tuple[int, int]] = []
    while True:
        key = next((key for key in state.findings() if key[1] in FIXES and key not in hopeless), None)
        if key is None:
            return state.text, sorted(told, key=lambda each: (each.line, each.column))
        place = state.findings()[key]
        better = _better(state, key, state_of, _MOST_IN_A_ROW)
        if better is None:
            hopeless.add(key)
            continue
        line = place.line - sum(lines for at, lines in added if at < place.line)
        told += [Mended(source.file, piece.line + line, place.column, *each) for each in better[1]]
        added.append((place.line, better[0].text.count("\n") - state.text.count("\n")))
        state = better[0]


def _better(
    state: _State, key: _Key, state_of: Callable[[str], _State], left: int
) -> tuple[_State, list[tuple[str, str]]] | None:
    """The state after a change that takes the finding away, with the codes and words of all changes made for it."""
    for change in _proposed(state, key):
        after = state_of(change.text)
        if not _is_progress(state, after, key):
            continue
        brought = _brought(state, after, key[0])
        told = [(key[1], change.what)]
        while brought and left > 1:
            again = _better(after, brought[0], state_of, left - 1) if brought[0][1] in FIXES else None
            if again is None:
                break
            after, told = again[0], [*told, *again[1]]
            brought = _brought(state, after, key[0])
        if not brought:
            return after, told
    return None


def _proposed(state: _State, key: _Key) -> Iterator[Change]:
    document = state.found[key[0]][0].document
    yield from FIXES[key[1]](Spot(state.text, document.value, document.prefix, key[2]))


def _is_progress(before: _State, after: _State, key: _Key) -> bool:
    if len(before.found) != len(after.found) or key in after.findings():
        return False
    stages = [_STAGES.index(state.found[key[0]][0].verdict.stage) for state in (before, after)]
    return stages[0] <= stages[1]


def _brought(before: _State, after: _State, index: int) -> list[_Key]:
    """What is found after a change and was not before it; a refused object may have hidden anything."""
    hidden = not before.found[index][0].verdict.admitted
    known = before.findings()
    return [key for key in after.findings() if key not in known and not (hidden and key[0] == index)]
