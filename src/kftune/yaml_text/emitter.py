"""Writes plain objects as block-style YAML that Python's readers and kubectl read the same way.

Readers differ on bare words: kubectl reads ``y`` as true and ``1e3`` as a number, PyYAML reads ``12:30:45`` as a number
and ``2024-01-01`` as a date. So a string is left bare only if every reader of YAML 1.1 or 1.2 reads it as that string;
others are written in double quotes, as in JSON.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from json.encoder import encode_basestring
from typing import Any, Protocol

from kftune.errors import YamlError

# The start decides: no number, date, indicator or marker of YAML 1.1 or 1.2 begins with a letter, "_", "/",
# "$", or "--" and a letter. A single space or colon must be followed by one of the listed characters, which excludes
# ": ", " #" and a blank at the end. Text with quotes or non-ASCII characters is never bare.
_BARE = re.compile(r"(?:[A-Za-z_/$]|--[A-Za-z])(?:[ :]?[A-Za-z0-9_./@=%+,${}()-])*")

# Words that some reader turns into a boolean, null or a float, in upper or lower case.
_RESERVED = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null", "none", "nan", "inf", "infinity"))

# Escaped in addition to what JSON escapes: characters that YAML forbids, line breaks of YAML 1.1, the byte order mark,
# and invisible characters (odd blanks, joiners, direction marks). The list is fixed, because str.isprintable() depends
# on the Unicode tables of the running Python, and the text must not.
_HIDDEN_CHARS = (
    "\x7f-\xa0\xad\u061c\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000"
    "\ud800-\udfff\ufdd0-\ufdef\ufeff\ufff0-\uffff\U000e0000-\U000e0fff"
)
_HIDDEN = re.compile(f"[{_HIDDEN_CHARS}]")

# Not allowed in a literal block: control and hidden characters, tabs, and blanks at the end of a line, which editors
# strip.
_UNBLOCKED = re.compile(f"[\x00-\x09\x0b-\x1f{_HIDDEN_CHARS}]| (?:\n|\\Z)")

_LINE_START = re.compile(r"\n(?=[^\n])")

# They end a bare text inside brackets.
_BRACKETS = re.compile(r"[\[\]{},]")

# libyaml and its Go port look for the ":" of a key in at most 1024 characters from the key's start.
_LONGEST_KEY = 1000

# The cached texts take a few MiB at most.
_CACHED_TEXTS = 4096
_CACHED_LENGTH = 512


class _UnwritableError(Exception):
    """A value that cannot be written."""


class TextSink(Protocol):
    """A place to write text to: an open text file, `sys.stdout`, an `io.StringIO`."""

    def write(self, text: str, /) -> object:
        """Writes the next piece of text."""


# Caches: string -> the rest of its line, key -> its text with the colon. They are plain dicts, because a lookup in a
# subclass of dict takes twice as long, and are emptied when full, so that memory stays bounded.
_rests: dict[str, str] = {}
_heads: dict[str, str] = {}


def dump(value: object) -> str:
    """Returns the value as one YAML document in block style, with keys in the order given.

    Args:
        value: dicts with string keys, lists, tuples, strings, numbers, booleans and None, nested in any way.
            Instances of subclasses (enums of text or numbers, numpy.float64) are written as the base type.

    Returns:
        The text, ending in a newline; the same value always gives the same text.

    Raises:
        YamlError: The value or a part of it is of another type, has a key that is not a string, contains half a
            surrogate pair, or contains itself.
    """
    try:
        return _document_text(value)
    except _UnwritableError as refused:
        place = _place_of_refusal(value)
        raise YamlError(f"at {place}: {refused}" if place else str(refused)) from None
    except RecursionError:
        raise YamlError("the value contains itself, or is nested too deep") from None


def dump_all(documents: Iterable[object]) -> str:
    """Returns the documents as one text, with ``---`` between them.

    Args:
        documents: Values as for `dump`.

    Returns:
        The text; empty without documents.

    Raises:
        YamlError: As for `dump`.
    """
    return "---\n".join(map(dump, documents))


def write_all(documents: Iterable[object], file: TextSink) -> None:
    """Writes the documents one by one, as `dump_all` would, without keeping them in memory.

    Args:
        documents: Values as for `dump`; may be a generator.
        file: A text file open for writing in UTF-8, without translation of newlines.

    Raises:
        YamlError: As for `dump`; the documents before it have been written.
    """
    separator = ""
    for document in documents:
        file.write(separator + dump(document))
        separator = "---\n"


def inline(value: object, *, flow: bool = False) -> str:
    """Returns a value on one line, with the words and quotes of `dump`; lists and mappings in brackets.

    Args:
        value: As for `dump`.
        flow: Whether it stands inside brackets, where a bare text may hold no bracket and no comma.

    Raises:
        YamlError: As for `dump`.
    """
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(inline(item, flow=True) for item in value)}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{inline(key, flow=True)}: {inline(item, flow=True)}' for key, item in value.items())}}}"
    if isinstance(value, str):
        try:
            text = _scalar_text(value) if "\n" not in value else _quoted(value)
            return _quoted(value) if flow and not text.startswith('"') and _BRACKETS.search(text) else text
        except _UnwritableError as refused:
            raise YamlError(str(refused)) from None
    return dump(value)[:-1]


def in_quotes(text: str) -> str:
    """Returns a text in double quotes, as in JSON."""
    return _quoted(text)


def _document_text(value: object) -> str:
    if type(value) not in _ATOMS:
        value = _plain_form(value)
    if isinstance(value, str):
        return _indented(_scalar_text(value), "") + "\n"
    lines: list[str] = []
    if isinstance(value, dict) and value:
        _map_lines(value, "", "", lines)
        return "".join(lines)
    if isinstance(value, list) and value:
        _list_lines(value, "", "", lines)
        return "".join(lines)
    return _ATOMS[type(value)](value) + "\n"


def _map_lines(mapping: dict[str, Any], lead: str, pad: str, lines: list[str]) -> None:
    """Adds the lines of a non-empty mapping; `lead` opens the first (it may contain "- "), `pad` the others.

    Every render runs this loop, so it compares exact types, and strings come first.
    """
    for key, value in mapping.items():
        try:
            head = _heads[key]
        except KeyError:
            head = _head(key)
        kind = type(value)
        if kind is str:
            try:
                rest = _rests[value]
            except KeyError:
                rest = _rest(value, pad)
            lines.append(f"{lead}{head}{rest}")
        elif kind is dict and value:
            inner = pad + "  "
            _map_lines(value, f"{lead}{head}\n{inner}", inner, lines)
        elif kind is list and value:
            _list_lines(value, f"{lead}{head}\n{pad}", pad, lines)
        elif kind in _ATOMS:
            lines.append(f"{lead}{head} {_ATOMS[kind](value)}\n")
        else:
            _map_lines({key: _plain_form(value)}, lead, pad, lines)
        lead = pad


def _list_lines(items: list[Any], lead: str, pad: str, lines: list[str]) -> None:
    """Adds the lines of a non-empty list, as `_map_lines` does for a mapping."""
    for value in items:
        kind = type(value)
        if kind is str:
            try:
                rest = _rests[value]
            except KeyError:
                rest = _rest(value, pad)
            lines.append(f"{lead}-{rest}")
        elif kind is dict and value:
            _map_lines(value, lead + "- ", pad + "  ", lines)
        elif kind is list and value:
            _list_lines(value, lead + "- ", pad + "  ", lines)
        elif kind in _ATOMS:
            lines.append(f"{lead}- {_ATOMS[kind](value)}\n")
        else:
            _list_lines([_plain_form(value)], lead, pad, lines)
        lead = pad


def _rest(text: str, pad: str) -> str:
    """Returns what follows the key or the dash of a string; caches it if it is one short line."""
    rest = f" {_scalar_text(text)}\n"
    if rest.find("\n", 0, -1) >= 0:
        return _indented(rest, pad)
    if len(text) <= _CACHED_LENGTH:
        if len(_rests) >= _CACHED_TEXTS:
            _rests.clear()
        _rests[text] = rest
    return rest


def _head(key: object) -> str:
    """Returns the text of a key with its colon; caches it like the strings."""
    if not isinstance(key, str):
        raise _UnwritableError(f"a key must be a string, and {key!r:.40} is {_article(key)}; convert it")
    key = str.__str__(key)
    written = _quoted(key) + ":" if "\n" in key else _scalar_text(key) + ":"
    if len(written) > _LONGEST_KEY:
        raise _UnwritableError(f"a key may take {_LONGEST_KEY} characters, not {len(written)}; shorten it")
    if len(written) <= _CACHED_LENGTH:
        if len(_heads) >= _CACHED_TEXTS:
            _heads.clear()
        _heads[key] = written
    return written


def _plain_form(value: object) -> object:
    """Returns a tuple as a list, and an instance of a subclass (an enum, numpy.float64) as its base type."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, dict):
        return dict(value)
    if isinstance(value, (list, tuple)):
        return list(value)
    raise _UnwritableError(
        "a value must be a dict, list, string, number, boolean or None, "
        f"and {value!r:.60} is {_article(value)}; convert it first"
    )


def _scalar_text(text: str) -> str:
    """Returns the text bare, in double quotes, or as a literal block (with line breaks, not yet indented)."""
    if _BARE.fullmatch(text) and text.lower() not in _RESERVED:
        return text
    if "\n" in text and text[0] not in " \n" and text[-2:] != "\n\n" and not _UNBLOCKED.search(text):
        return f"|\n{text[:-1]}" if text[-1] == "\n" else f"|-\n{text}"
    return _quoted(text)


def _quoted(text: str) -> str:
    quoted = encode_basestring(text)
    return quoted if text.isascii() and "\x7f" not in text else _HIDDEN.sub(_escape, quoted)


def _escape(found: re.Match[str]) -> str:
    code = ord(found.group())
    if 0xD800 <= code <= 0xDFFF:
        raise _UnwritableError(f"text must be Unicode, and U+{code:04X} is half a surrogate pair; remove it")
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _indented(scalar: str, pad: str) -> str:
    return _LINE_START.sub(f"\n{pad}  ", scalar)


def _int_text(value: int) -> str:
    try:
        return repr(value)
    except ValueError:
        raise _UnwritableError("an integer has more digits than readers accept; write it as a string") from None


def _float_text(value: float) -> str:
    """Returns the shortest text that all readers read as this float: to PyYAML, ``1e-05`` is a string."""
    text = repr(value)
    if "e" in text and "." not in text:
        return text.replace("e", ".0e")
    return _NOT_FINITE.get(text, text)


def _article(value: object) -> str:
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


def _place_of_refusal(value: object, place: str = "") -> str:
    """Returns the path of the first rejected part in `value`, such as ``spec[0].name``."""
    is_mapping = isinstance(value, dict)
    parts: Any = value.items() if is_mapping else enumerate(value) if isinstance(value, (list, tuple)) else ()  # type: ignore[attr-defined]
    for key, inner in parts:
        if _is_refused({key: inner} if is_mapping else inner):
            named = f"[{key}]" if not is_mapping else f".{key}" if isinstance(key, str) else ""
            return _place_of_refusal(inner, f"{place}{named}".removeprefix("."))
    return place.encode(errors="backslashreplace").decode()


def _is_refused(value: object) -> bool:
    try:
        _document_text(value)
    except _UnwritableError:
        return True
    return False


_NOT_FINITE = {"inf": ".inf", "-inf": "-.inf", "nan": ".nan"}

# Exact type -> text, for all values that are neither strings nor written on several lines.
_ATOMS: dict[type, Callable[[Any], str]] = {
    bool: lambda value: "true" if value else "false",
    int: _int_text,
    float: _float_text,
    type(None): lambda _: "null",
    dict: lambda _: "{}",
    list: lambda _: "[]",
}
