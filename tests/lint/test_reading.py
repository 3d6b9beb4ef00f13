from __future__ import annotations

from collections.abc import Callable

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from kftune.katib.go.numbers import go_float, go_int
from kftune.katib.go.quantity import canonical
from kftune.katib.go.reading import NotYamlError, pieces, read
from kftune.katib.go.regex import GoRegexError, check


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 1\na: 2\n", {"a": 2}),
        ("a: 1\n<<: {a: 2, b: 3}\n", {"a": 2, "b": 3}),
        ("<<: {a: 2, b: 3}\na: 1\n", {"a": 1, "b": 3}),
        ("x: &x {a: 1}\nz: {<<: [{a: 5}, *x], c: *x}\n", {"x": {"a": 1}, "z": {"a": 5, "c": {"a": 1}}}),
        ("1: a\n1.5: b\ntrue: c\n", {"1": "a", "1.5": "b", "true": "c"}),
        ("a: 0o17\nb: 010\nc: 1_000\nd: 12.0\n", {"a": 15, "b": 8, "c": 1000, "d": 12}),
        ("a: !!str 3\nb: !other 4\nc: !!int 3\nd: !!float 2\n", {"a": "3", "b": "4", "c": 3, "d": 2}),
        ("a: \"it\\'s\\ \\x41\"\nb: 'it\\''s'\nc: it\\'s\n", {"a": "it's A", "b": "it\\'s", "c": "it\\'s"}),
        ('{"a": "b\\/c"}', {"a": "b/c"}),
        ('{"a": "\\ud83d\\ude00"}', {"a": "😀"}),
        ("", None),
        ("# nothing\n", None),
    ],
)
def test_a_document_is_read_as_go_reads_it(text: str, value: object):
    assert read(text) == value


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("a: 1\n---\nb: 2\n", 2),
        ("---\na: 1\n---\n# only this\n---\nb: 2\n", 3),
        ("a: |\n  ---\n  x\n", 1),
        ("a: 1\n--- # next\nb: 2\n", 2),
        ("a: 1\n--- b: 2\n", 1),
        ("", 0),
    ],
)
def test_a_text_is_cut_where_kubectl_cuts_it(text: str, count: int):
    assert len(list(pieces(text))) == count


def test_pieces_know_how_many_lines_stand_before_them():
    assert [(piece.line, piece.text) for piece in pieces("a: 1\n---\nb:\n---\nc:")] == [
        (0, "a: 1\n"),
        (2, "b:\n"),
        (4, "c:"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "a: *b",
        "a: .inf",
        "a: .nan",
        "? [a]\n: b",
        "? {}\n: b",
        "a: !!int x",
        "a: \x00",
        'a: "\\/"',
        'a: "\\ud83d\\ude00"',
    ],
)
def test_what_go_refuses_is_refused(text: str):
    with pytest.raises(NotYamlError):
        read(text)


def test_a_bomb_is_refused():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(NotYamlError, match="aliases grow"):
        read("\n".join(lines))


def test_deep_nesting_is_refused():
    with pytest.raises(NotYamlError, match="levels"):
        read("[" * 60_000)


PARTS = [
    *["a", "b", "(", ")", "[", "]", "*", "+", "?", "{2}", "{2,1}", "{1001}", "{3,}", "|", "^", "$", ".", "\\d", "\\w"],
    *["\\Z", "\\1", "\\01", "\\x41", "\\x{41}", "\\p{L}", "\\pN", "(?:", "(?i)", "(?i:", "(?P<n>", "(?<n>", "(?="],
    *["(?<=", "(?#", "-", "[^", ":", "\\Q", "\\E", "{", ",", "}", "\\", "[:alpha:]", "\\b", "\\z", "z-a", "(?-)"],
]
QUIET = re2.Options()
QUIET.log_errors = False


def is_accepted(compile_it: Callable[[str], object], regex: str, error: type[Exception]) -> bool:
    try:
        compile_it(regex)
    except error:
        return False
    return True


@given(st.lists(st.sampled_from(PARTS), max_size=8).map("".join))
def test_a_regex_is_refused_exactly_when_re2_refuses_it(regex: str):
    by_re2 = is_accepted(lambda text: re2.compile(text, QUIET), regex, re2.error)
    assert is_accepted(check, regex, GoRegexError) == by_re2


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("1024Mi", "1Gi"),
        ("1000m", "1"),
        ("0.5", "500m"),
        ("1.5Gi", "1536Mi"),
        ("2Gi", "2Gi"),
        ("1e3", "1e3"),
        ("1000", "1k"),
        ("0", "0"),
        ("-1", "-1"),
        ("1K", None),
        ("2 GB", None),
        ("", None),
        ("abc", None),
    ],
)
def test_a_quantity_is_written_as_kubernetes_writes_it(text: str, written: str | None):
    assert canonical(text) == written


def test_go_reads_numbers_in_its_own_way():
    assert [go_int(text) for text in ("10", "+3", "10.0", " 1", "1_0", "")] == [10, 3, None, None, None, None]
    assert [go_float(text) for text in ("1e3", "1_000", " 1", "1e400", "0x10", "")] == [
        1000,
        1000,
        None,
        None,
        None,
        None,
    ]
