from __future__ import annotations

import pickle
import re

import pytest
import re2
from hypothesis import assume, given
from hypothesis import strategies as st

from kftune.errors import MetricError
from kftune.metrics import METRIC_FORMAT
from kftune.metrics.definition import MetricDefinition, definition_notes
from kftune.metrics.katib_filter import katib_filter, katib_filters
from kftune.metrics.re2_syntax import scan

QUIET = re2.Options()
QUIET.log_errors = False


def compiles(regex: str) -> bool:
    try:
        re.compile(regex)
    except re.error:
        return False
    return True


def is_accepted(regex: str) -> bool:
    try:
        scan(regex)
    except MetricError:
        return False
    return True


def re2_compiles(regex: str) -> bool:
    try:
        re2.compile(regex, QUIET)
    except re2.error:
        return False
    return True


@pytest.mark.parametrize(
    ("regex", "rule"),
    [
        ("loss: (", "must compile"),
        ("loss: ([0-9]{99999999999})", "must compile"),
        ("loss: [0-9.]+", "must have one group, around the value"),
        ("(loss): ([0-9.]+)", "must have one group, around the value"),
        ("loss:\n([0-9.]+)", "one line at a time"),
        ("(?<!val_)loss: ([0-9.]+)", "no negative lookbehind"),
    ],
)
def test_a_definition_needs_one_regex_with_one_group(regex, rule):
    with pytest.raises(MetricError, match=rule):
        MetricDefinition("loss", regex)


def test_a_definition_needs_a_name_that_results_can_carry():
    with pytest.raises(MetricError, match="try 'val_loss'"):
        MetricDefinition("val loss", "val loss: ([0-9.]+)")


def test_a_definition_is_a_value():
    definition = MetricDefinition("loss", "loss: ([0-9.]+)")
    again = pickle.loads(pickle.dumps(definition))  # noqa: S301  # our own bytes
    assert again == definition == MetricDefinition("loss", definition.regex)
    with pytest.raises(AttributeError):
        definition.regex = "x"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("regex", "what"),
    [
        ("a(?=b)", "no lookahead"),
        ("a(?!b)", "no negative lookahead"),
        ("(?<=a)b", "no lookbehind"),
        ("(?<!a)b", "no negative lookbehind"),
        (r"(a)\1", "no back-reference"),
        ("(?P<x>a)(?P=x)", "no back-reference"),
        ("(a)?(?(1)b|c)", "no conditional"),
        ("(?>a)b", "no atomic group"),
        ("a++b", "no possessive repetition"),
        ("a*+b", "no possessive repetition"),
        ("a?+b", "no possessive repetition"),
        ("a{2,3}+b", "no possessive repetition"),
        ("(?#hello)a", "no comment"),
        (r"a\Z", "use $"),
        (r"\u003d", r"no \u"),
        (r"\U0001F600", r"no \U"),
        (r"\N{DIGIT ONE}", r"no \N"),
        (r"\é", r"no \é"),
        (r"[\b]", r"no \b in a class"),
        ("(?x) a", "only the flags"),
        ("(?a:a)", "only the flags"),
        ("a{1001}", "at most 1000 repeats"),
        ("a{2,1001}", "at most 1000 repeats"),
        ("(?:a{100}b){11}", "at most 1000 repeats"),
        ("(?:(?:a{10}){10}b*){11}", "at most 1000 repeats"),
    ],
)
def test_what_re2_refuses_is_rejected_without_re2(regex, what):
    re.compile(regex)
    assert not re2_compiles(regex)
    with pytest.raises(MetricError, match=re.escape(what)) as caught:
        scan(regex)
    assert repr(regex) in str(caught.value)


@pytest.mark.parametrize(
    ("regex", "part"),
    [
        ("a++b++", "'++' at position 2; remove the last +"),
        (r"a\(?=(?=b)", "'(?=' at position 5; match the text itself behind the group"),
        ("(?<!a)b", "'(?<!' at position 0; name the characters that may precede"),
        (r"a[x\b]", r"'\\b' at position 3; write the character as \xNN"),
        ("a{,3}", "'{,3}' at position 1; write {0,n}"),
    ],
)
def test_the_message_names_the_part_its_position_and_a_remedy(regex, part):
    with pytest.raises(MetricError, match=re.escape(part)):
        scan(regex)


@pytest.mark.parametrize("regex", ["a{,3}", "a{,}", "[[:alpha:]]", "(?P<é>a)"])
@pytest.mark.filterwarnings("ignore:Possible nested set:FutureWarning")
def test_what_re2_reads_otherwise_or_only_in_c_is_refused(regex):
    re.compile(regex)
    with pytest.raises(MetricError, match="RE2"):
        scan(regex)


@pytest.mark.parametrize(
    "regex",
    [
        r"([\w|-]+)\s*=\s*([+-]?\d*(\.\d+)?([Ee][+-]?\d+)?)",
        METRIC_FORMAT,
        "(?i)loss: (a)",
        "(?s-i:a.b)(?m:^c$)",
        r"\Aa\b\B\x3d\t\.\/\ \-\0\012$",
        r"[]a][^]a][\]\\][\d-][a\-z][\x41-\x5a]",
        "a{1000}(?:b{40}){25}",
        "(?P<value>a)|b|",
        "a{b}{",
        r"\123",
        "a*?b+?c??d{2}?e{2,}?",
    ],
)
def test_what_re2_takes_is_taken(regex):
    re.compile(regex)
    assert re2_compiles(regex)
    scan(regex)


SYNTAX = st.sampled_from(
    [
        *(
            "a",
            "b",
            "é",
            ".",
            "^",
            "$",
            "|",
            "(",
            ")",
            "(?:",
            "(?P<n>",
            "(?i:",
            "(?=",
            "(?!",
            "(?<=",
            "(?<!",
            "(?>",
            "(?#c)",
        ),
        *(
            "(?P=n)",
            "(?(1)",
            "(?i)",
            "*",
            "+",
            "?",
            "{2}",
            "{2,}",
            "{1,3}",
            "{200}",
            "{1001}",
            "{,2}",
            "{",
            "}",
            "[",
            "]",
        ),
        *(
            "[a-c]",
            "[^a]",
            r"[\d.]",
            r"[\b]",
            r"\d",
            r"\w",
            r"\s",
            r"\b",
            r"\Z",
            r"\A",
            r"\1",
            r"\0",
            r"\x3d",
            r"\.",
            r"\\",
        ),
        *(r"\t", r"\u0041", r"\N{SPACE}", r"\é", r"\_", "-", "=", ";", " ", "#"),
    ]
)


@pytest.mark.filterwarnings("ignore::FutureWarning")
@given(st.lists(SYNTAX, max_size=8).map("".join))
def test_the_check_accepts_nothing_that_re2_refuses(regex):
    assume(compiles(regex))
    assert re2_compiles(regex) or not is_accepted(regex)


@pytest.mark.parametrize(
    ("regex", "name", "rendered"),
    [
        ("val loss: ([0-9.]+)", "val loss", "(val loss): ([0-9.]+)"),
        (r"yolo:mAP_0\.5=([0-9\.]+)", "yolo:mAP_0.5", r"(yolo:mAP_0\.5)=([0-9\.]+)"),
        ("loss = (.*?);", "loss", r"(loss) = (.*?)\x3b"),
        (r"loss\s*[:=]\s*(\S+)", "loss", r"(loss)\s*[:=]\s*(\S+)"),
        (r"^epoch \d+, val loss: (?P<v>\d+)$", "val loss", r"^epoch \d+, (val loss): (?P<v>\d+)$"),
        (r"epoch=\S+, train loss <loss>=(\S+)", "train loss <loss>", r"epoch=\S+, (train loss <loss>)=(\S+)"),
        (r"#011validation-auc:([0-9.]+)", "#011validation-auc", r"(#011validation-auc):([0-9.]+)"),
        (r"acc \(top\x2d5\)=([^;]+)%\$", "acc (top-5)", r"(acc \(top\x2d5\))=([^\x3b]+)%\x24"),
        (r"(?:train|val) f1 is (\d)\;", "f1 is", r"(?:train|val) (f1 is) (\d)\x3b"),
        (r"loss:? \w* (\d)", "loss", r"(loss):? \w* (\d)"),
    ],
)
def test_the_last_words_before_the_group_become_the_name_in_katib(regex, name, rendered):
    found = katib_filter(MetricDefinition("m", regex))
    assert ";" not in found.regex
    assert re2_compiles(found.regex)
    assert found == (name, rendered)


@pytest.mark.parametrize(
    ("regex", "rule"),
    [
        ("([0-9.]+)", "there must be plain words before"),
        (r"\w+: ([0-9.]+)", "there must be plain words before"),
        (" = ([0-9.]+)", "there must be plain words before"),
        ("(?i)loss: ([0-9.]+)", "one spelling"),
        ("loss: ([0-9.]+)|x", "no | outside of brackets"),
        ("(?:loss: ([0-9.]+))", "must not be inside other brackets"),
        ("a;b: ([0-9.]+)", "must not contain ; or $"),
        (r"cost \$x: ([0-9.]+)", "must not contain ; or $"),
    ],
)
def test_a_regex_without_a_fixed_name_has_no_filter(regex, rule):
    with pytest.raises(MetricError, match=re.escape(rule)) as caught:
        katib_filter(MetricDefinition("loss", regex))
    assert repr(regex) in str(caught.value)


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=12), st.floats(0, 1))
def test_the_filter_finds_what_the_definition_finds(words, value):
    assume(any(character.isalnum() for character in words) and not set(words) & set(";$"))
    definition = MetricDefinition("m", f"{re.escape(words)}: ([0-9.e-]+)")
    line = f"noise {words}: {value!r} more"
    found = katib_filter(definition)
    assert [match.group(1) for match in definition.pattern.matches(line)] == [repr(value)]
    assert [(name.strip(), text) for name, text in re2.findall(found.regex, line)] == [(found.name, repr(value))]


def test_without_definitions_there_is_one_filter_for_all():
    assert katib_filters(["loss", "acc", "loss"]) == ({"loss": "loss", "acc": "acc"}, (METRIC_FORMAT,))


def test_beside_definitions_each_metric_has_its_own_filter():
    names, regexes = katib_filters(["loss", "yolo:mAP"], [MetricDefinition("yolo:mAP", "mAP is ([0-9.]+)")])
    assert names == {"loss": "loss", "yolo:mAP": "mAP is"}
    line = "val_loss=1 loss=0.5 mAP is=0.7 mAP is 0.75"
    rows = [pair for regex in regexes for pair in re2.findall(regex, line)]
    assert rows == [("loss", "0.5"), ("mAP is", "0.75")]


def test_two_metrics_cannot_share_a_name_in_katib():
    definitions = [MetricDefinition("train", r"train.*loss: (\d+)"), MetricDefinition("val", r"val.*loss: (\d+)")]
    with pytest.raises(MetricError, match="'train' and 'val' are both called 'loss' there"):
        katib_filters(["train", "val"], definitions)


@pytest.mark.parametrize(
    ("group", "notes"),
    [
        (r"[0-9\.]+", ["a value printed as 1e-05 is read as '1'"]),
        (r"\d+\.\d+", ["a value printed as 1e-05 is not read"]),
        (r"\S+", ["matches text that is not a finite number, such as nan"]),
        (r"[0-9.eE+-]+", []),
    ],
)
def test_a_group_that_misreads_values_is_noted(group, notes):
    found = definition_notes(MetricDefinition("val_loss", f"loss: ({group})"))
    assert len(found) == len(notes)
    assert all(note in text for note, text in zip(notes, found, strict=True))
