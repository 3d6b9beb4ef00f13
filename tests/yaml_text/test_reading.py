"""YAML that people write, read by the core rules of YAML 1.2, and the places in it."""

from __future__ import annotations

import json
import math
import re
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kftune.errors import YamlError
from kftune.yaml_text import dump, load, load_all, load_file, locate, locate_all


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("", None),
        ("Null", None),
        ("08", 8),
        ("-0", 0),
        ("+12", 12),
        ("0o17", 15),
        ("0xFf", 255),
        ("1e-4", 1e-4),
        ("1E5", 1e5),
        ("+.5", 0.5),
        ("5.", 5.0),
        ("1.5e+3", 1500.0),
        ("-.INF", -math.inf),
        *((text, text) for text in ("yes", "No", "on", "OFF", "y", "n", "tRue", "nUll", "None", "nan", "inf", "-inf")),
        *((text, text) for text in ("1_000", "0b1", "0o8", "-0o17", "-0x1F", "0x", "1:30", "12:30:45", "2024-01-01")),
        *((text, text) for text in ("1e", "e1", ".", "..", "+", "1.2.3", "1,000", "=", "٣", "30m", "4Gi", "1e3x")),
        ("'1'", "1"),
        ('"true"', "true"),
        ("!!str 1", "1"),
        ("! 'x'", "x"),
        ("!!float 1", 1.0),
        ("!!int '3'", 3),
        ("!!null ''", None),
    ],
)
def test_a_plain_scalar_means_what_the_core_schema_of_yaml_1_2_says(text, value):
    assert repr(load(f"- {text}")) == repr([value])


def test_nan_is_a_float():
    found = load(".nan")
    assert isinstance(found, float)
    assert math.isnan(found)


def test_a_text_without_a_document_is_none():
    assert load("") is None
    assert load("# nothing\n") is None
    assert list(load_all("")) == []
    assert list(load_all("a\n---\n---\nb: 1\n")) == ["a", None, {"b": 1}]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r'{"a": "x\ud83d\ude00y\uD83D\uDE01"}', {"a": "x😀y😁"}),
        (r'{"\ud83d\ude00": 1}', {"😀": 1}),
        (r'a: "\\\ud83d\ude00"', {"a": "\\😀"}),
        (r'a: "\\ud83d\\ude00"', {"a": r"\ud83d\ude00"}),
        (r"a: '\ud83d\ude00'", {"a": r"\ud83d\ude00"}),
        (r"a: \ud83d\ude00 # \ud83d\ude00", {"a": r"\ud83d\ude00"}),
        ("a: | # \\udbff\\udfff\n  \\ud83d\\ude00\n  b", {"a": "\\ud83d\\ude00\nb"}),
        ('- &a "\ue000\\ud83d\\ude00 \\ue001"\n- *a', ["\ue000😀 \ue001"] * 2),
    ],
)
def test_a_pair_of_surrogates_in_double_quotes_is_one_character(text, value):
    assert load(text) == value


@given(st.text(alphabet="a\\\"'ude08\n ü😀\ue000"))
def test_json_with_escaped_characters_is_read_as_json_reads_it(text):
    written = json.dumps({"a": [text]})
    assert load(written) == json.loads(written)


def test_a_place_behind_a_pair_of_surrogates_is_the_one_in_the_text():
    text = r'{"a": "\ud83d\ude00", "b": 1}'
    assert locate(text, ["b"]) == (1, text.index("1") + 1)


def test_a_byte_order_mark_is_skipped():
    assert load("\ufeffa: 1") == {"a": 1}
    assert locate("\ufeffa: 1", ["a"]) == (1, 4)


# Each of libyaml's complaints that a person can cause -> where, and a word of what we say.
BROKEN = [
    ("a:\n\tb: 1", 2, 1, "a tab indents this line"),
    ("a: 1\n\tb: 2", 2, 1, "a tab indents this line"),
    ("a: |\n  x\n\ty\n", 3, 1, "a tab indents this line"),
    ("a: 1\nb: 'x\nc: 2", 2, 4, "never closed"),
    ('a: 1\nb: "x', 2, 4, "never closed"),
    ("a: 'x\n---\n", 1, 4, "not closed before the document ends"),
    ("a: [1, 2\nb: 1", 2, 2, "expected ',' or ']'"),
    ("a: {x: 1\n", 2, 1, "expected ',' or '}'"),
    ("a: b: c", 1, 5, "a second ': '"),
    ("a\nb: 1", 2, 2, "end the line above|write the line above"),
    ("a: 1\n  b: 2", 2, 4, "indent this one"),
    ("a: 1\nfoo\nb: 2", 2, 1, "no ': ' after its key"),
    ("a: @x", 1, 4, "cannot begin with '@'"),
    ("a: `x`", 1, 4, "cannot begin with '`'"),
    ("a: %x", 1, 4, "cannot begin with '%'"),
    ("%a\n", 1, 3, "directive"),
    ("%\n", 1, 2, "directive"),
    ("%YAML 3.0\n---\na", 1, 1, "another version"),
    ("a: *", 1, 5, "must follow"),
    ("a: *b", 1, 4, r"the alias \*b"),
    ("&a [*a]", 1, 5, "ends before it"),
    ("a: !e!x z", 1, 4, "not declared"),
    ("a: !new z", 1, 4, "the tag !new"),
    ("a: !!set {b}", 1, 4, "the tag !!set"),
    ("a: !!int b", 1, 4, "!!int is wrong"),
    ("a: !!python/name:os.system ''", 1, 4, "the tag !!python"),
    ('a: "\\q"', 1, 5, "unknown escape"),
    ('a: "\\ud8"', 1, 7, "hexadecimal digits"),
    ('a: "\\ud800"', 1, 7, "half a surrogate pair"),
    ("- a\nb: 1", 2, 1, "expected a list item '- '"),
    ("a: 1\n- b", 2, 1, "not a key of the surrounding mapping"),
    ('a: "b" c', 1, 8, "close quotes"),
    ("a: - b", 1, 4, "'- ' cannot begin here"),
    ("a: ? b", 1, 4, "'. ' cannot begin here"),
    ("a: }", 1, 4, "expected a value"),
    ("a: |x\n b", 1, 5, "next line"),
    ("a: |0\n x", 1, 5, "digit from 1 to 9"),
    ("a: 1\n...\nb: 2", 3, 1, "has ended before this"),
    ("é: b\nc: \x07", 2, 4, r"U\+0007"),
    ("é: b\nc: \ud800", 2, 4, "surrogate"),
    ("a: 1\n---\nb: 2", 2, 1, "only one document"),
    ("a: 1\nb: 2\na: 3", 3, 1, "'a' is already given at line 1, column 1"),
    ("- {x: 1, x: 2}", 1, 10, "'x' is already given at line 1, column 4"),
    ("{a: 1}: 2", 1, 1, "a key must be a single value"),
    ("a: &x [1]\n*x : 2", 2, 1, "a key must be a single value"),
    ("<<: 3", 1, 5, "'<<' takes a mapping"),
    ("a: 1e400", 1, 4, "greater than the largest float"),
    ("a: " + "9" * 5000, 1, 4, "5000 digits"),
    ("[" * 300 + "]" * 300, 1, 201, "200 levels"),
]


@pytest.mark.parametrize(("text", "line", "column", "words"), BROKEN)
def test_broken_text_is_refused_with_file_line_column_and_one_sentence(text, line, column, words):
    with pytest.raises(YamlError, match=words) as refused:
        load(text, file="study.yaml")
    error = refused.value
    assert (error.file, error.line, error.column) == ("study.yaml", line, column)
    assert "\n" not in str(error)
    assert "not YAML:" not in str(error)


@given(text=st.one_of(st.text(), st.text(alphabet="ab1 :-?,[]{}#&*!|>'\"%@`\n\t<~\\\r\ufeff\x07\u2028\ud800é")))
def test_no_text_ends_in_any_other_error(text):
    with suppress(YamlError):
        load(text)


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_text_that_ends_the_process_in_pyyaml_is_refused(opening):
    with pytest.raises(YamlError):
        load(opening * 60_000)


def test_aliases_are_copied_and_own_keys_override_merge_keys():
    value: Any = load(
        """
        base: &base {lr: 0.1, units: [1]}
        more: &more {lr: 0.2, depth: 2}
        one: {<<: *base, lr: 0.3}
        two: {<<: [*base, *more], name: x}
        same: *base
        quoted: {"<<": 1}
        """
    )
    assert value["one"] == {"lr": 0.3, "units": [1]}
    assert value["two"] == {"lr": 0.1, "units": [1], "depth": 2, "name": "x"}
    assert value["quoted"] == {"<<": 1}
    value["same"]["units"].append(2)
    assert value["base"]["units"] == value["one"]["units"] == [1]


def test_an_alias_bomb_is_refused_before_it_grows():
    lines = ["a0: &a0 [x]"] + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 10)]
    with pytest.raises(YamlError, match="aliases expand to more than 100,000 values"):
        load("\n".join(lines))


def test_a_long_document_without_aliases_is_read():
    assert load(dump(list(range(150_000)))) == list(range(150_000))


def test_a_file_is_read_and_named_in_errors(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_bytes("\ufeffname: é\n".encode())
    assert load_file(path) == {"name": "é"}
    path.write_text("a: 1\na: 2\n")
    with pytest.raises(YamlError, match=re.escape(f"{path}:2:1: ")):
        load_file(str(path))
    path.write_bytes("a: 1\nb: é\n".encode("latin-1"))
    with pytest.raises(YamlError, match=re.escape(f"{path}:2:4: ") + ".*0xe9"):
        load_file(path)
    with pytest.raises(YamlError, match="cannot be read: No such file"):
        load_file(tmp_path / "missing.yaml")


# -------------------------------------------------------------------------------------------------------------- places

STUDY = """\
name: x
search:
  lr: {uniform: [0, 1]}
  "units":
  - 32
  - 64
  more: &more {a: 1}
other: *more
1: one
"""


@pytest.mark.parametrize(
    ("path", "value", "key"),
    [
        ([], (1, 1), (1, 1)),
        (["name"], (1, 7), (1, 1)),
        (["search"], (3, 3), (2, 1)),
        (["search", "lr", "uniform", 1], (3, 21), (3, 21)),
        (["search", "units"], (5, 3), (4, 3)),
        (["search", "units", 1], (6, 5), (6, 5)),
        (["search", "units", 7], (5, 3), (4, 3)),
        (["search", "missing", "deeper"], (3, 3), (2, 1)),
        (["search", "more", "a"], (7, 19), (7, 16)),
        (["other", "a"], (8, 8), (8, 1)),
        ([1], (9, 4), (9, 1)),
        (["name", "deeper"], (1, 7), (1, 1)),
        (["missing"], (1, 1), (1, 1)),
    ],
)
def test_a_value_and_its_key_are_found_or_the_nearest_ancestor(path, value, key):
    assert locate(STUDY, path) == value
    assert locate(STUDY, path, key=True) == key


def test_the_end_of_a_text_without_a_document_is_its_place():
    assert locate("", ["a"]) == (1, 1)
    assert locate("# nothing\n", ["a"]) == (2, 1)


def test_many_places_are_found_in_one_pass():
    text = "a: {b: [1, 2]}\nc: 3\n---\nc: 4\n"
    wanted: list[tuple[list[str | int], bool]] = [
        (["a", "b", 1], False),
        (["c"], True),
        (["a", "x"], False),
        ([], True),
    ]
    assert locate_all(text, wanted) == [(1, 12), (2, 1), (1, 4), (1, 1)]
    assert locate_all(text, []) == []


def test_of_a_key_that_comes_twice_the_second_is_found():
    assert locate("a: {b: 1}\na: {c: 2}\n", ["a", "c"]) == (2, 8)
    assert locate("a: {b: 1}\na: {c: 2}\n", ["a", "b"]) == (2, 4)


def test_a_place_in_broken_text_is_refused_like_the_text():
    with pytest.raises(YamlError, match=re.escape("<text>:1:4: ")):
        locate("a: @", ["a"])


@given(value=st.dictionaries(st.text(), st.lists(st.dictionaries(st.text(), st.integers(), max_size=2), max_size=2)))
def test_every_written_value_is_found(value):
    text = dump(value)
    lines = text.splitlines()
    numbers = {
        (outer, index, key): number
        for outer, items in value.items()
        for index, item in enumerate(items)
        for key, number in item.items()
    }
    places = locate_all(text, [(path, False) for path in numbers])
    assert [lines[line - 1][column - 1 :] for line, column in places] == [*map(str, numbers.values())]
