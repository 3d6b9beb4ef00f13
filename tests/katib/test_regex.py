"""Go's regexps: the ones that Go rejects, and that Python finds what RE2 finds."""

from __future__ import annotations

import json
import lzma
from base64 import b64decode
from itertools import accumulate
from pathlib import Path
from time import process_time
from typing import Any

import pytest
import re2
from hypothesis import assume, given
from hypothesis import strategies as st

from kftune.errors import MetricError
from kftune.katib.go import regex_search
from kftune.katib.go.regex import GoRegexError, check
from kftune.katib.go.regex_search import GoRegex, compiled

DATA = Path(__file__).parents[1] / "data"
QUIET = re2.Options()
QUIET.log_errors = False

# Each matches at least one character, so that a repetition of it never runs empty: there the engines differ.
SINGLES = [
    *"abks=_é ",
    *(
        ".",
        r"\d",
        r"\w",
        r"\s",
        r"\D",
        r"\W",
        r"\S",
        r"\.",
        r"\x61",
        r"\x{e9}",
        r"\101",
        r"\t",
        r"\pL",
        r"\PL",
        r"\p{Lu}",
    ),
    *("[ab]", "[^a]", "[a-c=]", r"[^\W_]", r"[\D5]", "[]a]", r"[a\]-]", r"[\s\S]", "[[:alpha:]_]", "[[:^digit:]]"),
    *("(?i:k)", "(?i:[S=])", r"(?i:\w)", r"(?i:[^\W])", "(?s:.)", r"(?i:\x{17f})", "(?-s:.)", "(?i:é)"),
]
EDGES = [
    "^",
    "$",
    r"\A",
    r"\z",
    r"\b",
    r"\B",
    "(?m:^)",
    "(?m:$)",
    "(?:)",
    "(?i)",
    "(?U)",
    "(?s)",
    "(?m)",
    "(?-U)",
    r"\Qa.\E",
]
REPEATS = ["*", "+", "?", "*?", "+?", "??", "{2}", "{1,3}", "{0,2}?", "{2,}", "{0}", "{,2}"]

single = st.sampled_from(SINGLES)
atom = st.one_of(
    single,
    st.sampled_from(EDGES),
    st.builds("{}{}".format, single, st.sampled_from(REPEATS)),
    st.builds("({}{})".format, single, st.sampled_from(REPEATS)),
    st.builds("(?:{0}{1}){2}".format, single, single, st.sampled_from(REPEATS)),
)
branch = st.lists(atom, min_size=1, max_size=4).map("".join)
regexes = st.lists(
    st.one_of(branch, st.builds("({}|{})".format, branch, branch), st.builds("(?P<n>{})".format, branch)),
    min_size=1,
    max_size=3,
).map("".join)
texts = st.text(st.sampled_from("abkKsSſ\u212aé=_ .5\n\t{},2"), max_size=16)


def found_by_re2(pattern: Any, text: str) -> list[tuple[str, ...]]:
    """All matches by Go's walk: an empty one right behind another does not count."""
    matches: list[tuple[str, ...]] = []
    start, last_end = 0, -1
    while start <= len(text) and (found := pattern.search(text, start)):
        empty = found.end() == start
        if not (empty and found.start() == last_end):
            matches.append((found[0], *(group or "" for group in found.groups())))
        last_end = found.end()
        start = start + 1 if empty else last_end
    return matches


def by_re2(regex: str) -> Any:
    try:
        return re2.compile(regex, options=QUIET)
    except re2.error:
        return None


def by_python(regex: str) -> Any:
    try:
        return GoRegex(regex)
    except GoRegexError:
        return None


@given(regexes, st.lists(texts, min_size=1, max_size=4))
def test_python_finds_what_re2_finds(regex, lines):
    pattern, ours = by_re2(regex), by_python(regex)
    assume(pattern is not None and ours is not None)
    # RE2 also looks between the bytes of a character.
    assume(r"\B" not in regex or all(map(str.isascii, lines)))
    assert [list(ours.find_all(line)) for line in lines] == [found_by_re2(pattern, line) for line in lines]


@given(regexes)
def test_what_go_refuses_re2_refuses_too(regex):
    assert by_python(regex) is not None or by_re2(regex) is None


@pytest.mark.parametrize(
    "regex",
    [
        *(
            r"(?=x)",
            r"(?!x)",
            r"(?<=x)",
            r"(?<!x)",
            r"(a)\1",
            r"(?P=n)",
            r"\Z",
            r"\h",
            r"\K",
            r"\X",
            r"\u003d",
            r"\<a\C",
        ),
        *(
            r"(?>a)",
            r"a++",
            r"(?#c)",
            r"(?x)a",
            r"(?R)",
            r"(?(1)a|b)",
            r"a{1001}",
            r"(a{100}){11}",
            r"a**",
            r"*",
            r"+a",
        ),
        *(
            "(",
            "[",
            ")",
            "[b-a]",
            "[[:nope:]]",
            "[[:a1:]]",
            r"\p{Nope}",
            r"\pZ\pY",
            "(?P<a b>x)",
            "\\",
        ),
        *("a{2,1}", "(?i", "(?", "(?-)a", r"[\8]", r"\x{110000}", "(?P<>a)"),
    ],
)
def test_regexes_that_go_rejects(regex):
    with pytest.raises(GoRegexError):
        check(regex)


@pytest.mark.parametrize(
    ("regex", "text", "matches"),
    [
        (r"(?<name>\w+)=(?<value>\S+)", "a=1 b=2", [("a", "1"), ("b", "2")]),
        (r"(?P<a>\w)(?P<a>\d)", "x1", [("x", "1")]),
        (r"(?U)(\w+)=(\d+)", "loss=55", [("loss", "5")]),
        (r"(?i)(LOSS)=(\S+)", "Loss=5", [("Loss", "5")]),
        (r"\Q(loss)\E=(\d)()", "(loss)=4", [("4", "")]),
        (r"\Qab\E+()()", "abb", [("", "")]),
        (r"a{,2}()()", "a{,2}", [("", "")]),
        (r"x(?i)*(y)()", "xxY", [("Y", "")]),
        ("(a|)(b?)", "ab", [("a", "b")]),
        ("()(b*)", "abb", [("", ""), ("", "bb")]),
        (r"(\s)(\v)", "\n\v", [("\n", "\v")]),
        (r"(\s)()", "\v\x85\xa0", []),
        (r"(\w)()", "é٣", []),
        (r"(\p{Greek}+)(\p{Cyrillic}*)", "aλόγος", [("λόγος", "")]),
        (r"(\p{^L})(\P{^L})", "1a", [("1", "a")]),
        (r"(.)(\x{fffd})", "\udcff\udcfe", [("\udcff", "\udcfe")]),
        (r"([^\x{fffd}]+)()", "a\udcffb", [("a", ""), ("b", "")]),
        (r"(?s)(.)(.)", "\n\n", [("\n", "\n")]),
        (r"(?m)^(.)(.)$", "ab\ncd", [("a", "b"), ("c", "d")]),
        (r"^(a)(b)$", "ab\n", []),
    ],
)
def test_groups_of_all_matches(regex, text, matches):
    assert [groups[1:] for groups in compiled(regex).find_all(text)] == matches


def test_a_regex_is_compiled_once():
    assert compiled("(a)(b)") is compiled("(a)(b)")


@pytest.mark.parametrize(
    ("regex", "groups"),
    [("(a)(b)", 2), (r"(?:a)\(([(])", 1), ("(?P<a>x)(?<b>y)(?i)", 2), ("((a)|(b))*", 3), (r"\Q(\E", 0)],
)
def test_groups_are_counted_without_running_the_regex(regex, groups):
    assert check(regex) == groups


def test_groups_may_be_nested_as_deep_as_in_go():
    nested = "(" * 1000 + "a" + ")" * 1000
    assert next(GoRegex(nested).find_all("ba")) == ("a",) * 1001
    with pytest.raises(GoRegexError, match="nests too deeply"):
        check("(" * 1001 + ")" * 1001)


@pytest.mark.parametrize("regex", ["(?:a{1000}){1000}", "(?:[a-z]{1000}|b)" * 4000])
def test_a_regex_that_go_finds_too_large_is_rejected(regex):
    with pytest.raises(GoRegexError, match=r"invalid repeat count|expression too large"):
        check(regex)


@pytest.fixture(params=["with RE2", "by itself"])
def engine(request, monkeypatch):
    re2_or_none = {"with RE2": re2, "by itself": None}[request.param]
    monkeypatch.setattr(regex_search, "_re2", lambda: re2_or_none)


def in_bytes(text: str, spans: tuple[int, ...]) -> list[int]:
    places = [0, *accumulate(len(char.encode("utf-8", "surrogateescape")) for char in text), -1]
    return [places[span] for span in spans]


GO = [json.loads(line) for line in lzma.decompress((DATA / "go_regex.jsonl.xz").read_bytes()).splitlines()]
"""What `FindAllSubmatchIndex` of Go 1.26 returns for random regexes and texts; the texts are in base64."""


def test_both_engines_find_what_go_finds(engine):
    wrong = []
    for case in (each for each in GO if "found" in each):
        regex = GoRegex(case["regex"])
        for encoded, wanted in zip(case["texts"], case["found"], strict=True):
            text = b64decode(encoded).decode("utf-8", "surrogateescape")
            found = [in_bytes(text, match.spans) for match in regex.matches(text)]
            wrong += [] if found == wanted else [(case["regex"], text, found, wanted)]
    assert wrong == []


def test_what_go_refuses_is_refused_in_its_words():
    for case in (each for each in GO if "error" in each):
        with pytest.raises(GoRegexError) as caught:
            check(case["regex"])
        assert str(caught.value) == case["error"]


EXPENSIVE = [
    (r"(loss)\s*=\s*((a+)+)$", "loss = " + "a" * 3000 + "!"),
    (r"(loss)\s*=\s*((a|a)*)$", "loss = " + "a" * 3000 + "!"),
    (r"(loss)\s*=\s*((a|aa)+)$", "loss = " + "a" * 3000 + "!"),
    (".*(loss).*=.*([0-9.]+).*x", "loss=1" * 500),
    (r"([\w|-]+)\s*=\s*([+-]?\d*(\.\d+)?([Ee][+-]?\d+)?)", "loss" * 700),
]


@pytest.mark.parametrize(("regex", "text"), EXPENSIVE)
def test_no_regex_takes_longer_than_the_text_is_long(regex, text, engine):
    begin = process_time()
    assert [*GoRegex(regex).matches(text)] == []
    assert process_time() - begin < 2


def test_a_line_with_too_many_expensive_matches_is_an_error(monkeypatch, engine):
    monkeypatch.setattr(regex_search, "MOST_SECONDS", 0.05)
    with pytest.raises(MetricError, match=r"within 0 s; given '\(a\)\(\.\*b\)\?' and a line of 50000 characters"):
        [*GoRegex("(a)(.*b)?").matches("a" * 50_000)]


def test_without_re2_a_regex_has_a_bounded_size(monkeypatch):
    monkeypatch.setattr(regex_search, "_re2", lambda: None)
    with pytest.raises(MetricError, match="install google-re2"):
        GoRegex("(?:" + "a" * 100 + "){1000}")
