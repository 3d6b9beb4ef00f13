"""Applies fixes to texts, one at a time, and checks each before it is kept.

A change is kept if it removes its finding, does not move the object back to an earlier stage, and adds no other
finding. Findings that a refused object hid before do not count, nor do those that a further change removes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from kftune.katib.admission.cluster import INJECTION_LABEL, KatibConfig, cluster_of
from kftune.katib.admission.reason import field_text
from kftune.katib.go.reading import Piece, pieces
from kftune.lint.fixes import FIXES, Spot, labelled
from kftune.lint.placing import Found
from kftune.lint.report import AppliedFix, LintFinding
from kftune.lint.sources import Document, SourceText, documents

_STAGES = ("yaml", "server", "decode", "webhook", "panic", "admitted")
_MOST_IN_A_ROW = 3

Check = Callable[[Sequence[Document]], list[Found]]
_Key = tuple[int, str, str]


def fixed(source: SourceText, check: Check) -> tuple[str, list[AppliedFix]]:
    """Returns a text with all safe fixes, and the fixes.

    Args:
        source: The text.
        check: Checks documents; findings that it leaves out are not fixed.
    """
    return _rewritten(source, lambda piece: _fixed_piece(piece, source, check))


def with_label(source: SourceText, namespaces: set[str]) -> tuple[str, list[AppliedFix]]:
    """Returns a text in which the Namespaces have Katib's label, and the changes.

    Args:
        source: The text.
        namespaces: The names of the Namespaces.
    """
    if not namespaces:
        return source.text, []
    return _rewritten(source, lambda piece: _labelled_piece(piece, source, namespaces))


def _rewritten(
    source: SourceText, rewrite: Callable[[Piece], tuple[str, list[AppliedFix]]]
) -> tuple[str, list[AppliedFix]]:
    """Returns a text with all its documents rewritten; the text between them stays."""
    parts: list[str] = []
    changes: list[AppliedFix] = []
    end = 0
    for piece, start in _with_places(source.text):
        new, applied = rewrite(piece)
        parts += [source.text[end:start], new]
        changes += applied
        end = start + len(piece.text)
    return "".join([*parts, source.text[end:]]), changes


def _labelled_piece(piece: Piece, source: SourceText, namespaces: set[str]) -> tuple[str, list[AppliedFix]]:
    text = piece.text
    changes: list[AppliedFix] = []
    for document in _documents(source, piece.text):
        name = document.text("metadata", "name") if document.text("kind") == "Namespace" else None
        if name is None or name not in namespaces:
            continue
        changed = labelled(text, document.prefix, document.value)
        if changed is not None and _is_labelled(_documents(source, changed), name):
            text = changed
            what = f"add label {INJECTION_LABEL}: enabled to Namespace {name}"
            changes.append(AppliedFix(source.file, piece.line + 1, 1, "KT105", what))
    return text, changes


def _is_labelled(found: Sequence[Document], name: str) -> bool:
    cluster = cluster_of((document.value for document in found), KatibConfig(), labelled=True)
    return cluster.is_labelled(name)


def _with_places(text: str) -> list[tuple[Piece, int]]:
    """Returns the pieces of a text, and the index at which each begins."""
    found = []
    start = line = 0
    for piece in pieces(text):
        while line < piece.line:
            start = text.index("\n", start) + 1
            line += 1
        found.append((piece, start + text.startswith("\ufeff") if start == 0 else start))
    return found


def _documents(source: SourceText, text: str) -> list[Document]:
    return list(documents(source._replace(text=text)))


class _State(NamedTuple):
    """The text of one document, and its findings."""

    text: str
    found: list[Found]

    def findings(self) -> dict[_Key, LintFinding]:
        return {(index, each.code, each.path): each for index, (_, placed) in enumerate(self.found) for each in placed}

    def spot(self, key: _Key) -> Spot:
        index, code, text = key
        checked = self.found[index][0]
        value, prefix = checked.document.value, checked.document.prefix
        paths = (each.path for each in checked.findings if each.code == code)
        return Spot(self.text, value, prefix, next(path for path in paths if field_text((*prefix, *path)) == text))


def _fixed_piece(piece: Piece, source: SourceText, check: Check) -> tuple[str, list[AppliedFix]]:
    def state_of(text: str) -> _State:
        return _State(text, check(_documents(source, text)))

    state = state_of(piece.text)
    applied: list[AppliedFix] = []
    hopeless: set[_Key] = set()
    added: list[tuple[int, int]] = []
    while True:
        key = next((key for key in state.findings() if key[1] in FIXES and key not in hopeless), None)
        if key is None:
            return state.text, sorted(applied, key=lambda each: (each.line, each.column))
        place = state.findings()[key]
        better = _better(state, key, state_of, _MOST_IN_A_ROW)
        if better is None:
            hopeless.add(key)
            continue
        line = place.line - sum(lines for at, lines in added if at < place.line)
        applied += [AppliedFix(source.file, piece.line + line, place.column, *each) for each in better[1]]
        added.append((place.line, better[0].text.count("\n") - state.text.count("\n")))
        state = better[0]


def _better(
    state: _State, key: _Key, state_of: Callable[[str], _State], left: int
) -> tuple[_State, list[tuple[str, str]]] | None:
    """Returns the state after a change that removes the finding; with the codes and words of all changes for it."""
    for text, what in FIXES[key[1]](state.spot(key)):
        after = state if text is None else state_of(text)
        if not _is_progress(state, after, key):
            continue
        new = _new(state, after, key[0])
        made = [(key[1], what)]
        while new and left > 1:
            again = _better(after, new[0], state_of, left - 1) if new[0][1] in FIXES else None
            if again is None:
                break
            after, made = again[0], [*made, *again[1]]
            new = _new(state, after, key[0])
        if not new:
            return after, made
    return None


def _is_progress(before: _State, after: _State, key: _Key) -> bool:
    if len(before.found) != len(after.found) or key in after.findings():
        return False
    stages = [_STAGES.index(state.found[key[0]][0].verdict.stage) for state in (before, after)]
    return stages[0] <= stages[1]


def _new(before: _State, after: _State, index: int) -> list[_Key]:
    """Returns the findings that a change added; a refused object may have hidden anything."""
    hidden = not before.found[index][0].verdict.admitted
    known = before.findings()
    return [key for key in after.findings() if key not in known and not (hidden and key[0] == index)]
