from __future__ import annotations

import pytest

from kftune.katib.trial.collector import Collector
from kftune.metrics.definition import MetricDefinition
from kftune.metrics.katib_filter import katib_filter
from kftune.metrics.line import METRIC_FORMAT
from kftune.metrics.near_reports import near_reports
from kftune.metrics.near_rows import near_rows
from kftune.metrics.reduction import Reducer

PUNCTUATION = "punctuation touches the value or the name"
BRACKETS = "brackets or a name precede the number"


@pytest.mark.parametrize(
    ("line", "why", "value"),
    [
        ("Epoch 1/2, loss=0.51, acc=0.7", PUNCTUATION, "0.51"),
        ("[loss=0.51]", PUNCTUATION, "0.51"),
        ("loss=0.5]", PUNCTUATION, "0.5"),
        ("loss=98%", PUNCTUATION, "98"),
        ("loss=np.float64(0.51)", f"{BRACKETS} and {PUNCTUATION}", "0.51"),
        ("loss=tensor(0.5, device='cuda:0')", f"{BRACKETS} and {PUNCTUATION}", "0.5"),
        ("loss=tensor([0.5])", f"{BRACKETS} and {PUNCTUATION}", "0.5"),
        ("INFO:root:loss=0.5", "other text touches the name", "0.5"),
        ("loss = 0.5", "spaces are around '='", "0.5"),
        ("loss: 0.5", "it has ':' instead of '='", "0.5"),
        ("loss: tensor(0.5)", f"it has ':' instead of '=' and {BRACKETS} and {PUNCTUATION}", "0.5"),
        ("loss=0.5s", "letters follow the number", "0.5"),
        ("{metricName: loss, metricValue: 0.5}", "the name and the value are two fields", "0.5"),
        ("x {'metricName':'loss', 'metricValue':'-1e-05'} y", "the name and the value are two fields", "-1e-05"),
        ("| loss | 0.5 |", "it has '|' instead of '='", "0.5"),
    ],
)
def test_a_study_gets_a_regex_that_reads_the_line_here_and_on_katib(line: str, why: str, value: str):
    (near,) = near_reports("loss", [b"start", line.encode()])
    assert (near.line, near.text, near.why) == (2, line, why)
    definition = MetricDefinition("loss", near.remedy.partition("objective.regex: '")[2].removesuffix("'"))
    reducer = Reducer(["loss"], [definition])
    reducer.feed(line.encode() + b"\n")
    assert reducer.results["loss"].latest == value
    name, regex = katib_filter(definition)
    assert [(row.name, row.value) for row in Collector([name], [regex]).line(line.encode())] == [("loss", value)]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("loss=1,234.5", "the number has separators between its digits"),
        ("\x1b[1mloss\x1b[0m=0.3", "it contains colour codes"),
        ("loss=nan", "the value is not a finite number"),
        ("loss: nan", "it has ':' instead of '=' and the value is not a finite number"),
        ("loss=0,5", "the number has a comma"),
    ],
)
def test_where_no_regex_reads_the_whole_number_none_is_suggested(line: str, why: str):
    (near,) = near_reports("loss", [line.encode()])
    assert near.why == why
    assert "regex" not in near.remedy


def test_an_experiment_gets_a_filter_and_json_gets_a_string():
    (near,) = near_rows("loss", [b"loss=tensor(0.5)"], ())
    regex = near.remedy.partition("add this filter to metricsFormat: ")[2]
    assert [row.value for row in Collector(["loss"], [regex]).line(b"loss=tensor(0.5)")] == ["0.5"]
    (near,) = near_rows("loss", [b'{"loss": 0.5}'], (), "JSON")
    assert near.remedy == 'write the number as a string: {"loss": "0.3"}'


@pytest.mark.parametrize(
    ("line", "why", "value"),
    [
        ("val loss = 0.3", "does not match it", "0.3"),
        ("Val Loss: 1e-05", "does not match it", "1e-05"),
        ("val loss: 98%", "finds '98%', which is not a number", "98"),
    ],
)
def test_a_regex_that_does_not_read_a_line_is_replaced(line: str, why: str, value: str):
    definition = MetricDefinition("val_loss", r"val loss: (\S+)")
    (near,) = near_reports("val_loss", [b"start", line.encode()], definition, "metrics")
    assert (near.line, near.why) == (2, f"the regex {definition.regex!r} {why}")
    regex = near.remedy.removeprefix("give val_loss, under metrics, a regex: '").removesuffix("'")
    reducer = Reducer(["val_loss"], [MetricDefinition("val_loss", regex)])
    reducer.feed(line.encode() + b"\n")
    assert reducer.results["val_loss"].latest == value


def test_json_has_its_own_explanations():
    (near,) = near_rows("loss", [b'{"metrics": {"loss": "0.5"}}'], (), "JSON")
    assert near.why == "it is inside 'metrics', and Katib reads the outer object only"
    assert near.remedy == 'write {"loss": "0.3"}'
    (near,) = near_rows("loss", [b'{"metricName": "loss", "metricValue": 0.5}'], (), "JSON")
    assert near.remedy == 'write {"loss": "0.3"}'


def test_colours_are_kept_and_carriage_returns_separate_as_in_katib_s_collector():
    for line in (b"\x1b[32mloss=0.5\x1b[0m", b"loss=\x1b[1m0.5\x1b[0m", b"10%|#  \rloss=0.9\rloss=0.5\r"):
        reducer = Reducer(["loss"])
        reducer.feed(line + b"\n")
        found = reducer.result("loss")
        rows = [row.value for row in Collector(["loss"], [METRIC_FORMAT]).line(line)]
        assert ([found.max, found.min] if found else []) == rows


def test_a_line_that_is_read_is_not_explained():
    assert not list(near_reports("loss", [b"loss=0.5"]))
    assert not list(near_rows("loss", [b"loss=0.5,"], ()))
