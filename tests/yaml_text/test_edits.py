"""Edits of YAML text change one place and no other byte."""

from __future__ import annotations

import difflib
from typing import Any

import pytest

from kftune.katib.go.reading import read
from kftune.yaml_text import edits

HOSTILE = {
    "comments": "# head\na:\n  # about b\n  b: 0.1   # tail\n  c: x\n# end\n",
    "a tab before a comment": "a:\n  b: 0.1\t# tab\n  c: x\n",
    "flow": "a: {b: 0.1,   c: x}  # flow\nother: [1,2 , 3]\n",
    "flow over lines": "a: {\n  b: 0.1,\n  c: x\n}\n",
    "JSON": '{"a": {"b": 0.1, "c": "x"}}\n',
    "JSON over lines": '{\n    "a": {\n        "b": 0.1,\n        "c": "x"\n    }\n}\n',
    "an anchor": "a:\n  b: &rate 0.1\n  c: x\nd: *rate\n",
    "an anchored mapping": "a: &all\n  b: 0.1\n  c: x\ne:\n  <<: *all\n",
    "CRLF": "a:\r\n  b: 0.1 # c\r\n  c: x\r\n",
    "no newline at the end": "a:\n  c: x\n  b: 0.1",
    "a document mark": "---\na:\n    b:    0.1\n    c: x\n...\n",
    "signs beyond ASCII": "é: 🙂 日本\na:\n  é: \U0001f642\n  b: 0.1\n  c: x\n",
    "a block scalar before": "t: |\n  b: 0.1\n   a:\n\na:\n  b: 0.1\n  c: x\n",
    "keys in quotes": "'a':\n  \"b\": 0.1\n  c: x\n",
    "a key twice": "a:\n  b: 7\n  b: 0.1\n  c: x\n",
    "an odd indentation": "a:\n       b: 0.1\n\n       c: x\n",
    "a long line": "a:\n  b: 0.1\n  c: x\n  d: " + "word " * 40 + "\n",
}


def is_one_change(old: str, new: str) -> bool:
    """Whether all that was there is still there, in one stretch before the change and one after it."""
    blocks = difflib.SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks) >= len(old) - 8


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_number_is_put_in_quotes_and_nothing_else_changes(text: str):
    changed = edits.quoted(text, ("a", "b"))
    assert changed is not None
    assert changed.replace('"0.1"', "0.1", 1) == text or changed[::-1].replace('"1.0"', "1.0", 1)[::-1] == text
    value: Any = read(changed)
    assert value["a"]["b"] == "0.1"


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_keys_are_put_into_a_mapping_and_nothing_else_changes(text: str):
    changed = edits.inserted(text, ("a",), {"new": "0", "deep": {"er": '"false"'}})
    assert changed is not None
    assert is_one_change(text, changed)
    before: Any = read(text)
    after: Any = read(changed)
    assert after["a"] == {**before["a"], "new": 0, "deep": {"er": "false"}}
    assert {**after, "a": None, "e": None} == {**before, "a": None, "e": None}
    assert "\r" not in text or "\n" not in changed.replace("\r\n", "")


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_key_is_renamed_and_nothing_else_changes(text: str):
    changed = edits.renamed(text, ("a", "c"), "longer")
    assert changed is not None
    after: Any = read(changed)
    assert after["a"]["longer"] == "x"
    assert changed[::-1].replace("regnol", "c", 1)[::-1] == text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("s: |\n  a\n  b\n", "a\nb"),
        ("s: |+  # why\n  a\n\n\nt: 1\n", "a"),
        ("s: >\n  a\n  b\n", "a b"),
        ("s: |2\n    a\n", "  a"),
        ("s: |+2\n    a\n", "  a"),
        ("s: &x |\n  a\nt: *x\n", "a"),
        ('s: "a\\n\\n"\n', "a"),
        ('s: "a\\\\n\\n"\n', "a\\n"),
        ("s: |\r\n  a\r\nt: 1\r\n", "a"),
    ],
)
def test_line_breaks_at_the_end_are_removed(text: str, value: str):
    changed = edits.without_last_newline(text, ("s",))
    assert changed is not None
    after: Any = read(changed)
    assert after["s"] == value
    assert len(changed) <= len(text) + 1


@pytest.mark.parametrize(
    "text",
    [
        "x: &m {b: 0.1}\na: *m\n",
        "x: &m {b: 0.1}\na: {<<: *m}\n",
        "a: {b: !!str 0.1}\n",
        "a: {b: }\n",
        "a: [0.1]\n",
        "a: 3\n",
        "",
    ],
)
def test_a_value_that_is_not_written_there_is_not_changed(text: str):
    assert edits.quoted(text, ("a", "b")) is None
    assert edits.renamed(text, ("a", "zz"), "y") is None


@pytest.mark.parametrize(
    ("text", "path"), [("? a\n: b: 0.1\n", ("a",)), ("- a: 1\n  b: 2\n", (0,)), ("a: 1\n", ("a",))]
)
def test_keys_are_added_only_where_a_new_line_is_safe(text: str, path: tuple[str | int, ...]):
    assert edits.inserted(text, path, {"new": "0"}) is None


@pytest.mark.parametrize(("quote", "inside"), [("'", "it''s; \\d"), ('"', 'say \\"; \\\\d'), ("", "x;y")])
def test_a_replaced_text_keeps_its_quotes(quote: str, inside: str):
    changed = edits.replaced(f"a: {quote}{inside}{quote} # c\n", ("a",), 'it\'s "\\x3b"')
    assert changed is not None
    value: Any = read(changed)
    assert value == {"a": 'it\'s "\\x3b"'}
    assert changed.endswith(f"{quote} # c\n")


def test_the_comment_above_a_key_stays_above_it():
    changed = edits.inserted("a:\n  # about b\n\n  b: 1\n", ("a",), {"new": "0"})
    assert changed == "a:\n  new: 0\n  # about b\n\n  b: 1\n"


def test_json_stays_json():
    import json

    changed = edits.inserted('{"a": {"b": 1}}', ("a",), {"restartPolicy": "Never", "n": {"x": "0"}})
    assert changed is not None
    assert json.loads(changed) == {"a": {"restartPolicy": "Never", "n": {"x": 0}, "b": 1}}
