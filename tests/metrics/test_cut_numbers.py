from __future__ import annotations

import pytest
from recorded import cases

from kftune.katib.trial.collector import CollectorError, matches, value_places
from kftune.metrics.cut_numbers import GROUP_REMEDY, cut_reports, whole_number
from kftune.metrics.cut_rows import FILTER_REMEDY, cut_rows, filter_notes
from kftune.metrics.definition import MetricDefinition

PLAIN = "print plain decimal numbers, without separators"
OLD_FILTER = r"([\w|-]+)\s*=\s*((-?\d+)(\.\d+)?)"


@pytest.mark.parametrize(
    ("text", "part", "whole"),
    [
        ("loss: 1e-05", "1", "1e-05"),
        ("loss: 1e-05", "05", "1e-05"),
        ("loss: -0.5", "0.5", "-0.5"),
        ("loss=2.5E+3,", "2.5", "2.5E+3"),
        ("loss=1,234.5", "1", "1,234.5"),
        ("loss=0x10", "0", "0x10"),
        ("loss=0.25", "0.2", "0.25"),
        ("loss=0.50", "0.5", ""),
        ("loss=5.", "5", ""),
        ("loss=0.5%", "0.5", ""),
        ("val-0.5", "0.5", ""),
        ("[0.5]-0.7", "0.7", ""),
        ("loss=0.5,0.7", "0.5", ""),
        ("loss=tensor(0.5)", "tensor(0.5)", ""),
        ("loss=nan", "", ""),
    ],
)
def test_the_number_that_stands_where_a_part_is_read(text: str, part: str, whole: str):
    start = text.rindex(part)
    assert whole_number(text, start, start + len(part)) == whole


def test_the_first_cut_of_each_metric_is_told():
    definitions = [MetricDefinition("a", r"a: ([0-9.]+)"), MetricDefinition("b", r"b: ([0-9.]+)")]
    lines = [b"a: 0.5 b: 0.5", b"a: 1e-05 a: 1e-06", b"b: 1,000", b"a: 1e-07"]
    found = list(cut_reports(lines, definitions))
    assert [(each.metric, each.line, each.text, each.read, each.whole) for each in found] == [
        ("a", 2, "a: 1e-05 a: 1e-06", "1", "1e-05"),
        ("b", 3, "b: 1,000", "1", "1,000"),
    ]
    assert [each.remedy for each in found] == [GROUP_REMEDY, PLAIN]


@pytest.mark.parametrize(
    ("filters", "cut"),
    [
        ([OLD_FILTER], [("loss", "1", "1e-05"), ("acc", "1", "1,000")]),
        ([], [("acc", "1", "1,000")]),
        ([r"(\w+)=([0-9.e,-]+)"], []),
        (["(?=x)(a)(b)"], []),
        (["loss=([0-9]+)"], []),
    ],
)
def test_cuts_of_filters_are_told(filters: list[str], cut: list[tuple[str, str, str]]):
    found = cut_rows([b"x=1e-05", b"loss=1e-05 acc=1,000"], ["loss", "acc"], filters)
    assert [(each.metric, each.read, each.whole) for each in found] == cut


def test_filters_that_read_no_exponent_are_noted():
    filters = [OLD_FILTER, r"(\w+)=([0-9.eE+-]+)", r"(?P<n>\w+)=(?P<v>[\d.]+)", "(a)=(", "(a)=1", r"(\w+)=(\pL+)"]
    notes = filter_notes(filters)
    assert [index for index, _ in notes] == [0, 2]
    assert notes[0][1].endswith(r"1e-05 is read as '1', because '(-?\d+)(\.\d+)?' allows no exponent")
    assert FILTER_REMEDY == "write ([0-9.eE+-]+) for the filter's second group"


def test_the_places_of_values_are_those_of_the_matches():
    inputs = [case["input"] for case in cases("collector")]
    texts = [
        (line, each["filters"])
        for each in inputs
        if each["format"] == "TEXT"
        for line in each.get("log", "").split("\n")
    ]
    compared = [_both(*each) for each in texts]
    assert len(compared) > 1000
    assert all(places == found for places, found in compared)


def _both(line: str, filters: list[str]) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    try:
        found = list(matches(line, filters))
    except CollectorError:
        return [], []
    return [(name, line[start:end]) for name, start, end in value_places(line, filters)], found
