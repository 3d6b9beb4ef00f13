"""Go's regexps: the ones that Go rejects, and that Python finds what RE2 finds."""

from __future__ import annotations

from typing import Any

import pytest
import re2
from hypothesis import assume, given
from hypothesis import strategies as st

from kftune.errors import MetricError
from kftune.katib.go.regex import GoRegex, GoRegexError, check, compiled

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


def test_a_regex_too_deep_for_python_is_an_error():
    nested = "(" * 900 + "a" + ")" * 900
    assert check(nested) == 900
    with pytest.raises(MetricError, match="make it flatter"):
        GoRegex(nested)
    with pytest.raises(GoRegexError, match="nests too deeply"):
        check("(" * 1001 + ")" * 1001)
