"""Sets values in YAML text; all other bytes stay as they are.

A change is made at the place of its value, in the quotes that the value has. Then both texts are compared as YAML:
apart from the values that were set, each must have the same keys, values, quotes, anchors and tags. If that is not so,
or a value is written in a way that a small change does not fit (a block of text, a tag), nothing is changed and an
error says where.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from kftune.errors import YamlError
from kftune.yaml_text.emitter import in_quotes, inline
from kftune.yaml_text.reader import plain_value
from kftune.yaml_text.tree import Node, documents_of

Tree = Mapping[str, Any]
"""Key -> value, or the keys below it."""

_REST_OF_LINE = re.compile(r"[ \t]*(?:[ \t]#[^\r\n]*)?(?=\r?\n|\Z)")
_TO_COLON = re.compile(r"[ \t]*:")


class Changes:
    """Changes to a text, which are collected and then made together.

    Args:
        text: The YAML text, without a byte order mark.
        documents: Its documents.
        file: The name of the text in errors.
        shared: Whether values may change that aliases stand for.
    """

    def __init__(self, text: str, documents: list[Node], file: str, *, shared: bool = False) -> None:
        self._text, self._documents, self._file, self._shared = text, documents, file, shared
        self._edits: list[tuple[int, int, str]] = []
        self._set: dict[Node, Any] = {}
        self._added: dict[Node, Tree] = {}

    def set(self, node: Node, value: Any) -> None:
        """Sets a value.

        Args:
            node: The present value.
            value: What it becomes: text, number, boolean, None, or lists and mappings of these.

        Raises:
            YamlError: The present value is written in a way that cannot be changed safely.
        """
        if node.uses and not self._shared:
            lines = ", ".join(str(use.place[0]) for use in node.uses[:6])
            raise self._refused(node, f"is &{node.event.anchor}, which line {lines} uses too", "change it by hand")
        if self._set_inside(node, value):
            return
        if (node.is_list or node.is_mapping) and not self._is_simple(node):
            raise self._refused(
                node, "is a list or mapping on several lines, or with anchors", "write the new one by hand"
            )
        self._set[node] = value
        if node.is_empty:
            self._fill(node, value)
        elif node.is_scalar:
            start, end = self._span(node)
            self._edits.append((start, end, self._written(node, value)))
        else:
            self._edits.append((node.start, node.end, inline(value, flow=node.flow)))

    def add(self, mapping: Node, tree: Tree) -> None:
        """Adds keys at the end of a mapping, in its style.

        Args:
            mapping: The mapping, or an empty value that becomes one.
            tree: The keys.

        Raises:
            YamlError: The mapping is written in a way that takes no keys.
        """
        if mapping.is_empty:
            self._set[mapping] = tree
            self._begin(mapping, tree)
            return
        self._added[mapping] = tree
        if mapping.event.flow_style:
            self._add_in_brackets(mapping, tree)
        else:
            self._add_lines(mapping, tree)

    def made(self) -> str:
        """Returns the changed text.

        Raises:
            YamlError: A change would have changed more than its value.
        """
        pieces, at = [], 0
        for start, end, new in sorted(self._edits, key=lambda edit: edit[0]):
            pieces += [self._text[at:start], new]
            at = end
        text = "".join([*pieces, self._text[at:]])
        try:
            after = documents_of(text, self._file)
        except YamlError:
            after = []
        if len(after) != len(self._documents):
            raise self._unsafe(next(iter((*self._set, *self._added))))
        for old, new_document in zip(self._documents, after, strict=True):
            self._compare(old, new_document)
        return text

    # -- values ------------------------------------------------------------------------------------------------

    def _set_inside(self, node: Node, value: Any) -> bool:
        """Sets the items of a list, or the values of a mapping, one by one; returns whether they have the same keys."""
        if node.is_list and isinstance(value, (list, tuple)) and len(value) == len(node.children):
            pairs = list(zip(node.children, value, strict=True))
        elif node.is_mapping and isinstance(value, Mapping):
            names = [key.text for key, _ in node.pairs]
            if sorted(map(str, names)) != sorted(map(str, value)) or len({*names}) != len(names):
                return False
            pairs = [(inner, value[str(key.text)]) for key, inner in node.pairs]
        else:
            return False
        for inner, new in pairs:
            if not same(inner.plain(), new):
                self.set(inner, new)
        return True

    def _is_simple(self, node: Node) -> bool:
        """Whether a list or mapping is in brackets on one line, without anchors, aliases and tags."""
        event = node.event
        if not event.flow_style or event.anchor or event.tag or "\n" in self._text[node.start : node.end]:
            return False
        return all(
            child.target is None
            and not child.event.anchor
            and not child.event.tag
            and (child.is_scalar or self._is_simple(child))
            for child in node.children
        )

    def _span(self, node: Node) -> tuple[int, int]:
        """Returns start and end of a scalar or an alias, with its quotes, without its anchor."""
        event, end = node.event, node.end
        if event.tag is not None:
            raise self._refused(node, f"has the tag {event.tag.replace('tag:yaml.org,2002:', '!!')}", "remove the tag")
        if event.style in ("|", ">"):
            raise self._refused(node, "is a block of text", "write it on one line")
        start = self._text.find(node.quote, node.start) if node.quote else end - len(event.value)
        piece = self._text[start:end]
        if not node.quote and not event.value:
            raise self._refused(node, "is an anchor alone", "write a value behind it")
        whole = piece[:1] == piece[-1:] == node.quote if node.quote else piece == event.value
        if not whole or "\n" in piece or "\r" in piece:
            raise self._refused(node, "is written over several lines", "write it on one line")
        return start, end

    def _written(self, node: Node, value: Any) -> str:
        """Returns a new value in the form of the present scalar."""
        quote = node.quote
        if isinstance(value, str):
            if quote == "'" and value.isprintable():
                return "'" + value.replace("'", "''") + "'"
            as_json = quote == '"' or self._text[node.start - 1 : node.start] == ":"
            return in_quotes(value) if as_json else inline(value, flow=node.flow)
        text = inline(value, flow=node.flow)
        is_number_in_quotes = quote and not isinstance(plain_value(node.event.value), (str, type(None)))
        return f"{quote}{text}{quote}" if is_number_in_quotes and isinstance(value, (bool, int, float)) else text

    def _fill(self, node: Node, value: Any) -> None:
        """Writes a value where there is none, behind the colon of its key."""
        at = self._behind_colon(node)
        self._edits.append((at, at, f" {inline(value, flow=node.flow)}"))

    def _behind_colon(self, node: Node) -> int:
        key = self._key_of(node)
        colon = _TO_COLON.match(self._text, key.end) if key is not None else None
        if colon is None:
            raise self._refused(node, "has no place for a value", "write 'key: value'")
        return colon.end()

    def _key_of(self, node: Node) -> Node | None:
        open_nodes = [*self._documents]
        while open_nodes:
            each = open_nodes.pop()
            if each.is_mapping:
                found = next((key for key, value in each.pairs if value is node), None)
                if found is not None:
                    return found
            open_nodes += each.children
        return None

    # -- new keys ----------------------------------------------------------------------------------------------

    def _begin(self, node: Node, tree: Tree) -> None:
        """Writes the first keys of a mapping where there is no value."""
        key = self._key_of(node)
        if node.flow or key is None:
            text = f" {{{self._in_brackets(tree, '')}}}"
            at = self._behind_colon(node) if key is not None else node.start
            self._edits.append((at, at, text if key is not None else text.strip()))
            return
        at = self._line_end(self._behind_colon(node), node)
        indent = " " * (key.event.start_mark.column + 2)
        self._edits.append((at, at, "".join(self._break() + line for line in _lines(tree, indent))))

    def _add_lines(self, mapping: Node, tree: Tree) -> None:
        first, last = mapping.children[0], _last_of(mapping)
        lines = _lines(tree, " " * int(first.event.start_mark.column))
        if last.is_scalar and last.event.style in ("|", ">"):
            at = last.end
            if not self._text[:at].endswith("\n"):
                raise self._refused(last, "ends the file without a line break", "add one")
            text = "".join(line + self._break() for line in lines)
        else:
            at = self._line_end(self._behind_colon(last) if last.is_empty else last.end, last)
            text = "".join(self._break() + line for line in lines)
        self._edits.append((at, at, text))

    def _line_end(self, at: int, node: Node) -> int:
        """Returns where the line ends, if nothing but a comment follows."""
        rest = _REST_OF_LINE.match(self._text, at)
        if rest is None:
            raise self._refused(node, "is followed by more on its line", "put that on a line of its own")
        return rest.end()

    def _add_in_brackets(self, mapping: Node, tree: Tree) -> None:
        if not mapping.children:
            at = mapping.last.start_mark.index
            self._edits.append((at, at, self._in_brackets(tree, "")))
            return
        key, last = mapping.children[-2], _last_of(mapping)
        quote = '"' if mapping.children[0].event.style == '"' else ""
        at = self._behind_colon(last) if last.is_empty else mapping.children[-1].end
        between = re.sub(r"#[^\r\n]*", "", self._text[at : mapping.last.start_mark.index])
        has_comma = "," in between
        line = self._text[self._text.rfind("\n", 0, key.start) + 1 : key.start]
        own_line = not line.strip() and key.start > mapping.start and "\n" in self._text[mapping.start : key.start]
        new = self._in_brackets(tree, quote)
        if own_line:
            line_end = self._text.find("\n", at)
            line_end -= self._text[line_end - 1] == "\r"
            if mapping.last.start_mark.index <= line_end:
                line_end = at
            if not has_comma:
                self._edits.append((at, at, ","))
            self._edits.append((line_end, line_end, f"{self._break()}{line}{new}{',' if has_comma else ''}"))
        elif has_comma:
            at = self._text.index(",", at) + 1
            self._edits.append((at, at, f" {new}"))
        else:
            self._edits.append((at, at, f", {new}"))

    def _in_brackets(self, tree: Tree, quote: str) -> str:
        """Returns keys and values to put between braces; as JSON if the other keys are in quotes."""
        parts = []
        for key, value in tree.items():
            name = in_quotes(key) if quote else inline(key, flow=True)
            if isinstance(value, Mapping):
                parts.append(f"{name}: {{{self._in_brackets(value, quote)}}}")
            elif isinstance(value, str) and quote:
                parts.append(f"{name}: {in_quotes(value)}")
            else:
                parts.append(f"{name}: {inline(value, flow=True)}")
        return ", ".join(parts)

    def _break(self) -> str:
        """Returns the line break of the text."""
        first = self._text.find("\n")
        return "\r\n" if first > 0 and self._text[first - 1] == "\r" else "\n"

    # -- what was not to be changed ----------------------------------------------------------------------------

    def _compare(self, old: Node, new: Node) -> None:
        """Checks that two texts differ only in what was set or added."""
        pairs = [(old, new)]
        while pairs:
            before, after = pairs.pop()
            if before in self._set:
                wanted = self._set[before]
                if not same(_read(after, loosely=bool(before.quote) and not isinstance(wanted, str)), wanted):
                    raise self._unsafe(before)
                continue
            count = len(before.children)
            added = dict(
                zip([key.text for key in after.children[count::2]], after.children[count + 1 :: 2], strict=False)
            )
            wanted_added = self._added.get(before, {})
            if before.head != after.head or [*added] != [*wanted_added]:
                raise self._unsafe(before)
            if any(not same(added[key].plain(), _plain_tree(value)) for key, value in wanted_added.items()):
                raise self._unsafe(before)
            pairs += zip(before.children, after.children[:count], strict=False)

    def _unsafe(self, node: Node) -> YamlError:
        return self._refused(node, "cannot be changed without other text", "change it by hand")

    def _refused(self, node: Node, what: str, remedy: str) -> YamlError:
        return YamlError(f"the value here {what}; {remedy}", self._file, *node.place)


def same(one: Any, other: Any) -> bool:
    """Returns whether two values are equal and of one type; a tuple counts as a list.

    Args:
        one: A value.
        other: Another one.
    """
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and bool(one == other)


def _read(node: Node, *, loosely: bool) -> Any:
    value = node.plain()
    return plain_value(value) if loosely and isinstance(value, str) else value


def _plain_tree(value: Any) -> Any:
    return {key: _plain_tree(inner) for key, inner in value.items()} if isinstance(value, Mapping) else value


def _last_of(node: Node) -> Node:
    """Returns the last value inside a value that has no end of its own in the text."""
    while node.children and not node.event.flow_style:
        node = node.children[-1]
    return node


def _lines(tree: Tree, indent: str) -> list[str]:
    lines = []
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            lines += [f"{indent}{inline(key)}:", *_lines(value, indent + "  ")]
        else:
            lines.append(f"{indent}{inline(key)}: {inline(value)}")
    return lines
