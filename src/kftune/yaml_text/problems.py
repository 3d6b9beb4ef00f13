"""Turns the errors of libyaml into sentences that say what is wrong and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import yaml
from yaml.reader import ReaderError

from kftune.errors import YamlError

_INDENTED_BY_TAB = "a tab indents this line; indent with spaces"
_DIRECTIVE = "a line that begins with '%' is a directive; quote text that begins so"

# The text of libyaml -> what is wrong, and what to do.
_SENTENCES = {
    "block sequence entries are not allowed in this context": (
        "a list item '- ' cannot begin here; put it on a new line, aligned with the other items"
    ),
    "mapping keys are not allowed in this context": (
        "a key '? ' cannot begin here; put it on a new line, or quote text that begins so"
    ),
    "could not find expected ':'": ("this line has no ': ' after its key; write 'key: value', or quote the text"),
    "found unexpected end of stream": "the quote that opens here is never closed; close it",
    "found unexpected document indicator": (
        "the quote that opens here is not closed before the document ends; close it"
    ),
    "found unknown escape character": (
        "double quotes hold an unknown escape here; write two backslashes for one, or use single quotes"
    ),
    "did not find expected hexdecimal number": (
        "the escape here has too few hexadecimal digits; write all of them (2 for x, 4 for u, 8 for U)"
    ),
    "found invalid Unicode character escape code": (
        "the escape here is not a character, or half a surrogate pair; write the character itself, or both halves as "
        "JSON does (\\ud83d\\ude00)"
    ),
    "did not find expected alphabetic or numeric character": (
        "a name of letters and digits must follow '*' or '&' here; quote text that begins so"
    ),
    "did not find expected <document start>": (
        "the document has ended before this; indent it like its neighbours, or begin a new one with '---'"
    ),
    "did not find expected key": (
        "this is not a key of the surrounding mapping; indent it like its neighbours, close quotes and brackets"
    ),
    "did not find expected '-' indicator": (
        "expected a list item '- '; begin one, or indent the line like its neighbours"
    ),
    "did not find expected ',' or ']'": ("expected ',' or ']'; separate the items of the list, or close it with ']'"),
    "did not find expected ',' or '}'": ("expected ',' or '}'; separate the keys of the mapping, or close it with '}'"),
    "did not find expected node content": ("expected a value; write one, and quote text that begins with such a sign"),
    "did not find expected comment or line break": (
        "nothing may follow '|' or '>' on its line; begin the text on the next line"
    ),
    "found a tab character that violates indentation": _INDENTED_BY_TAB,
    "found a tab character where an indentation space is expected": _INDENTED_BY_TAB,
    "found undefined tag handle": ("the tag here is not declared; remove it, or quote text that begins with '!'"),
    "found unknown directive name": _DIRECTIVE,
    "could not find expected directive name": _DIRECTIVE,
    "found unexpected non-alphabetical character": _DIRECTIVE,
    "found an indentation indicator equal to 0": "'|' and '>' take a digit from 1 to 9, or better none; remove it",
    "found incompatible YAML document": "the %YAML line names another version than 1.1 or 1.2; remove it",
}

# For these, the place where libyaml began to read is more useful than the place where it stopped.
_REPORTED_AT_START = frozenset(
    ("could not find expected ':'", "found unexpected end of stream", "found unexpected document indicator")
)


class InvalidYamlError(YamlError, yaml.YAMLError):
    """What kftune raises about YAML; who catches the errors of PyYAML catches it too."""


@contextmanager
def reported(text: str, file: str) -> Iterator[None]:
    """Turns errors of the parser inside into `YamlError`.

    Args:
        text: The parsed text, without a byte order mark.
        file: The name of the text in errors.

    Raises:
        YamlError: The parser raised; with line and column.
    """
    try:
        yield
    except UnicodeEncodeError as error:
        message = "half a surrogate pair is not a character; remove it"
        if "\udc80" <= text[error.start] <= "\udcff":  # how `surrogateescape` keeps a byte that is not UTF-8
            message = f"the byte 0x{ord(text[error.start]) - 0xDC00:02x} here is not UTF-8; save the file as UTF-8"
        raise InvalidYamlError(message, file, *_end(text[: error.start])) from None
    except ReaderError as error:
        message = f"the control character U+{error.character:04X} is not allowed here; remove or escape it"
        raise InvalidYamlError(message, file, *_end_of_bytes(text.encode(), error.position)) from None
    except yaml.MarkedYAMLError as error:
        raise _explained(error, text, file) from None


def not_utf8(error: UnicodeDecodeError, file: str) -> YamlError:
    """Returns the error for a file in another encoding.

    Args:
        error: Python's error.
        file: The name of the file.
    """
    byte = error.object[error.start]
    message = f"the file must be UTF-8, and the byte 0x{byte:02x} here is not; save it as UTF-8"
    return InvalidYamlError(message, file, *_end_of_bytes(error.object, error.start))


def _explained(error: yaml.MarkedYAMLError, text: str, file: str) -> YamlError:
    problem = str(error.problem)
    mark: Any = error.problem_mark
    if problem in _REPORTED_AT_START and error.context_mark is not None:
        mark = error.context_mark
    if problem == "mapping values are not allowed in this context":
        message = _misplaced_colon(text, mark)
    elif problem == "found character that cannot start any token":
        message = _misplaced_sign(text, mark)
    else:
        message = _SENTENCES.get(problem, f"invalid YAML: {problem}; fix it or quote the text")
    return InvalidYamlError(message, file, mark.line + 1, mark.column + 1)


def _misplaced_colon(text: str, mark: Any) -> str:
    if ": " in text[mark.index - mark.column : mark.index]:
        return "this line has a second ': '; quote a value that contains ': '"
    return "': ' is not allowed here; write the line above as 'key: value', or indent this one like its neighbours"


def _misplaced_sign(text: str, mark: Any) -> str:
    sign = text[mark.index]
    return _INDENTED_BY_TAB if sign == "\t" else f"a value cannot begin with {sign!r}; quote it"


def _end(before: str) -> tuple[int, int]:
    """Returns line and column, from 1, of the end of the text."""
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def _end_of_bytes(content: bytes, position: int) -> tuple[int, int]:
    return _end(content[:position].decode(errors="replace"))
