"""The collector's rules beyond the recorded cases: rows, timestamps, min, max and latest, stop rules."""

from __future__ import annotations

import datetime

import pytest
from growth import is_linear
from hypothesis import given
from hypothesis import strategies as st
from katib_as_run import DEFAULT_FILTER, stop_flag, stop_rule

from kftune.katib.go import times
from kftune.katib.go.numbers import go_float, positional
from kftune.katib.go.regex_search import GoRegex
from kftune.katib.trial.aggregation import AggregationError, Metric, observation
from kftune.katib.trial.collector import (
    Collector,
    CollectorError,
    CollectorPanic,
    Row,
    as_passed,
    collect,
)
from kftune.katib.trial.medianstop import Finished, MedianStop, MedianStopError, refused_setting
from kftune.katib.trial.stopping import StoppingError, StopRule, StopWatch

LINES = st.text(st.sampled_from("loss=|-_ \t\r0.5eE+x\v;é"), max_size=24)
LOGS = st.lists(st.one_of(LINES.map(str.encode), st.binary(max_size=8)), max_size=6).map(b"\n".join)


def pairs(log: bytes, *arguments, **named) -> list[tuple[str, str]]:
    return [(row.name, row.value) for row in collect(log, *arguments, **named)]


# -- rows --------------------------------------------------------------------------------------------------------------


@given(LOGS)
def test_the_default_filter_finds_what_its_regex_finds(log):
    metrics = ["loss", "s", "-", "|"]
    assert collect(log, metrics) == collect(log, metrics, [DEFAULT_FILTER])


@given(LOGS, st.sampled_from([(), (r"(\w+)=(\S*)",), (r"([^=]*)=(.)", DEFAULT_FILTER)]))
def test_line_by_line_gives_the_rows_of_the_whole_log(log, filters):
    collector = Collector(["loss", "s"], filters)
    read = [row for line in log.split(b"\n") for row in collector.line(line)]
    rows = collect(log, ["loss", "s"], filters)
    assert collector.rows() == rows
    assert rows in (read, [Row("loss", "unavailable")])


@pytest.mark.parametrize(
    "parts", [(b"", b"w", b" loss"), (b"loss", b" ", b""), (b"", b"loss ", b""), (b"loss=", b"5", b"")]
)
def test_the_time_of_the_default_filter_is_linear_in_the_line(parts):
    before, repeated, after = parts
    half, whole = (before + repeated * count + after for count in (100_000, 200_000))
    assert is_linear(lambda line: collect(line, ["loss"]), half, whole)


def test_values_keep_their_bytes_in_text_and_not_in_json():
    (row,) = collect(b"loss=\xff\xfe9", ["loss"], ["(loss)=(.+)"])
    assert row.value.encode("utf-8", "surrogateescape") == b"\xff\xfe9"
    assert pairs(b'{"loss": "\xff\\ud800\xc3\xa9"}', ["loss"], format="JSON") == [("loss", "\ufffd\ufffdé")]


def test_a_filter_that_go_refuses_stops_the_collector_at_a_line_with_a_metric():
    assert pairs(b"nothing\n", ["loss"], ["("]) == [("loss", "unavailable")]
    with pytest.raises(CollectorPanic, match=r"a filter must be a regex of Go; .*missing closing"):
        collect(b"no loss here\n", ["loss"], [r"(\w+)=(\d+)", "("])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("[1]", "cannot unmarshal array into"),
        ("1", "cannot unmarshal number into"),
        ("true", "cannot unmarshal bool into"),
        ('"x"', "cannot unmarshal string into"),
        ('{"a": 1e400}', "cannot unmarshal number 1e400"),
        ('{"a": ' + "9" * 5000 + "}", "cannot unmarshal number 9999"),
        ('{"a": 1} x', "invalid character 'x' after top-level value"),
        ('{"a": NaN}', "invalid character 'N'"),
        ("{'a': 1}", "invalid character"),
        ('{"a": 1,}', "invalid character '}'"),
        ('{"a": "b\tc"}', "invalid character"),
        ("\ufeff{}", "invalid character"),
        (" ", "unexpected end of JSON input"),
        ('{"a"', "unexpected end of JSON input"),
        ("[" * 100_000, "exceeded max depth"),
    ],
)
def test_a_line_that_is_not_a_json_object_ends_the_collector(line, message):
    with pytest.raises(CollectorError, match=message):
        collect(line.encode(), ["loss"], format="JSON")


def test_json_takes_texts_only_and_the_last_of_equal_keys():
    log = b'{"loss": 0.1}\nnull\n\n{"loss": "0.2", "loss": "0.3"}\n{"loss": "0.4", "loss": 5}'
    assert pairs(log, ["loss"], format="JSON") == [("loss", "0.3")]


def test_metrics_and_filters_pass_joined():
    assert as_passed(["loss", "a;b"], [r"(a)=(b);", "c"]) == (["loss", "a", "b"], ["(a)=(b)", "", "c"])
    assert as_passed([], []) == ([], [])
    with pytest.raises(CollectorPanic, match="there must be a metric"):
        collect(b"loss=1", *as_passed([], []))


def test_the_format_must_be_text_or_json():
    with pytest.raises(CollectorError, match="TEXT or JSON"):
        collect(b"", ["loss"], format="text")


# -- timestamps --------------------------------------------------------------------------------------------------------

aware = st.datetimes(
    timezones=st.integers(-1439, 1439).map(lambda minutes: datetime.timezone(datetime.timedelta(minutes=minutes)))
)


@given(aware)
def test_a_timestamp_is_read_as_the_instant_it_names(moment):
    found = times.parse(moment.isoformat())
    seconds = (moment - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)) // datetime.timedelta(seconds=1)
    assert found == times.Instant(seconds, moment.microsecond * 1000)


@given(st.datetimes(), st.integers(0, 999_999_999))
def test_an_instant_is_written_so_that_it_reads_back(moment, nanoseconds):
    seconds = (moment - datetime.datetime(1970, 1, 1)) // datetime.timedelta(seconds=1)
    text = times.unix_text(seconds, nanoseconds)
    assert text.startswith(moment.strftime("%m-%dT%H:%M:%S") if moment.year < 1000 else moment.isoformat()[:19]) or (
        moment.year < 1000 and text[5:].startswith(moment.strftime("%m-%dT%H:%M:%S"))
    )
    assert times.parse(text) == times.Instant(seconds, nanoseconds)


@pytest.mark.parametrize("text", ["2024-05-06T7:08:09Z", "2024-05-06T07:08:09,123Z", "2024-02-29T00:00:00+24:60"])
def test_go_reads_more_timestamps_than_the_standard_allows(text):
    assert times.parse(text) is not None


@pytest.mark.parametrize(
    "text",
    [
        *("2024-05-06t07:08:09Z", "2024-05-06T07:08:09z", "2024-05-06T07:08:09+0200", "2024-05-06T07:08:09.Z"),
        *("2023-02-29T00:00:00Z", "2024-05-00T00:00:00Z", "2024-05-06T24:00:00Z", "2024-05-06T23:59:60Z"),
        *("10000-01-01T00:00:00Z", " 2024-05-06T07:08:09Z", "2024-05-06T07:08:09+25:00", "٢٠٢٤-05-06T07:08:09Z"),
    ],
)
def test_texts_that_go_does_not_read_as_a_timestamp(text):
    assert times.parse(text) is None
    assert collect(f"{text} loss=1".encode(), ["loss"]) == [Row("loss", "1")]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_written_without_exponent_reads_back(value):
    text = positional(value)
    assert "e" not in text
    assert not text.endswith(".0")
    assert float(text) == value


# -- min, max, latest --------------------------------------------------------------------------------------------------

finite = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(finite, min_size=1))
def test_min_max_and_latest_of_numbers(values):
    (metric,) = observation([Row("loss", repr(value)) for value in values], ["loss"])
    assert (float(metric.min), float(metric.max), metric.latest) == (min(values), max(values), repr(values[-1]))


def test_a_nan_that_comes_first_stays_and_a_later_one_is_skipped():
    assert observation([Row("a", "nan"), Row("a", "1")], ["a"]) == [Metric("a", "nan", "nan", "1")]
    assert observation([Row("a", "1"), Row("a", "nan")], ["a"]) == [Metric("a", "1", "1", "nan")]


def test_texts_and_numbers_beyond_float64_count_only_as_latest():
    rows = [Row("a", "1_000"), Row("a", "0x1p3"), Row("a", "1e400"), Row("a", " 5"), Row("b", "x")]
    assert observation(rows, ["a", "c"]) == [
        Metric("a", "0x1p3", "1_000", " 5"),
        Metric("c", "unavailable", "unavailable", "unavailable"),
    ]


def test_latest_is_that_of_the_last_time_and_of_equal_times_the_last_row():
    rows = [Row("a", "1", "2024-05-06T09:00:00+02:00"), Row("a", "2", "2024-05-06T07:00:00.000Z"), Row("a", "3")]
    assert observation(rows, ["a"])[0].latest == "2"
    with pytest.raises(AggregationError, match="failed to parse timestamps soon"):
        observation([Row("a", "1", "soon")], ["a"])
    assert observation([Row("b", "1", "soon")], ["a"]) == [Metric("a")]


@given(st.text("0123456789_.eExXpP+-infaN", max_size=8))
def test_go_reads_only_numbers_that_python_reads_without_their_underscores(text):
    value = go_float(text)
    is_special = "x" in text.lower() or text.lower() == "nan"
    assert value is None or is_special or value == float(text.replace("_", ""))


@pytest.mark.parametrize(
    "text", ["1__0", "_1", "1_", "1_.5", "1._5", "0x10", "0x1__0p3", "0b11", "+nan", "infi", "1e", "."]
)
def test_texts_that_go_does_not_read_as_a_number(text):
    assert go_float(text) is None


# -- stop rules --------------------------------------------------------------------------------------------------------


def watch(flags: list[str], objective_type: str = "minimize", **named) -> StopWatch:
    return StopWatch([stop_rule(flag) for flag in flags], "loss", objective_type, **named)


def stops(found: StopWatch, *lines: str) -> list[bool]:
    return [found.line(line.encode()) for line in lines]


def test_a_rule_is_looked_at_once_when_its_start_step_comes():
    assert stops(watch(["loss;0.5;less;2"]), "loss=0.1", "loss=0.9", "loss=0.1") == [False, True, False]
    assert stops(watch(["acc;0.5;less;2"]), "acc=0.1", "acc=0.9", "acc=0.1") == [False, False, False]


def test_two_met_rules_of_one_metric_need_two_reports():
    found = watch(["loss;0.5;less;0", "loss;0.6;less;0"])
    assert stops(found, "loss=0.1") == [False]
    assert [rule.value for rule in found.left] == ["0.6"]
    assert stops(found, "loss=0.9") == [True]


def test_rules_of_two_metrics_stop_at_one_line_of_text_and_at_two_of_json():
    flags = ["loss;0.5;less;0", "acc;0.5;greater;0"]
    assert stops(watch(flags), "loss=0.1 acc=0.9") == [True]
    line = '{"loss": "0.1", "acc": "0.9"}'
    assert stops(watch(flags, format="JSON"), line, line) == [False, True]


def test_the_last_start_step_of_a_metric_counts_and_every_rule_counts_down():
    found = watch(["loss;0.5;less;2", "loss;0.5;less;3"])
    assert stops(found, *["loss=0.1"] * 8) == [False] * 8
    assert len(found.left) == 1


def test_only_lines_with_a_rules_metric_are_read():
    assert stops(watch(["loss;0.5;less;0"]), "name=resnet", "loss=0.1") == [False, True]
    with pytest.raises(CollectorPanic):
        stops(watch(["loss;0.5;less;0"], filters=["("]), "loss=1")


@pytest.mark.parametrize("line", ["name=resnet loss=0.1", "loss=nan"])
def test_a_value_on_a_line_with_a_rules_metric_that_is_not_a_number_is_an_error(line):
    with pytest.raises(StoppingError, match="to float for metric"):
        stops(watch(["loss;0.5;less;0"]), line)


def test_a_rule_reads_back_from_its_flag():
    assert stop_rule("loss;0.5;less;+4") == StopRule("loss", "0.5", "less", 4)
    assert stop_flag(stop_rule("loss;0.5;less;+4")) == "loss;0.5;less;4"


@pytest.mark.parametrize("flag", ["loss;0.5;less", "loss;0.5;less;4;5", "loss;0.5;less;4.0"])
def test_a_flag_needs_four_parts_and_a_whole_number(flag):
    with pytest.raises(StoppingError):
        stop_rule(flag)


# -- medianstop --------------------------------------------------------------------------------------------------------


def test_medianstop_takes_the_mean_of_the_means():
    service = MedianStop([("min_trials_required", "2"), ("start_step", "9"), ("start_step", "2")], "loss", "maximize")
    assert service.rules([Finished("a", True, ["1", "3", "99"]), Finished("b", False, ["0"])]) == []
    rules = service.rules([Finished("b", True, ["30"]), Finished("a", True, ["7"])])
    assert rules == [StopRule("loss", "16.0", "less", 2)]


@pytest.mark.parametrize("values", [[], ["unavailable"], [""]])
def test_medianstop_fails_on_a_trial_without_numbers_every_time(values):
    service = MedianStop([], "loss", "minimize")
    with pytest.raises(MedianStopError):
        service.rules([Finished("a", True, values)])
    with pytest.raises(MedianStopError):
        service.rules([Finished("a", True, values)])


@pytest.mark.parametrize("setting", [("start_step", str(2**31)), ("min_trials_required", "0")])
def test_medianstop_fails_on_settings_that_its_check_let_through(setting):
    with pytest.raises(MedianStopError, match="must"):
        MedianStop([("min_trials_required", "1"), setting], "loss", "minimize").rules(
            [Finished("a", setting[0] == "start_step", ["1"])]
        )
    with pytest.raises(MedianStopError, match="invalid literal"):
        MedianStop([("start_step", "x")], "loss", "minimize")


def test_medianstop_names_the_first_setting_that_it_refuses():
    refused = refused_setting([("start_step", "4"), ("min_trials_required", "0"), ("x", "1")])
    assert refused == (1, False, "min_trials_required must be greater than zero (>0)")
    unknown = refused_setting([("x", "1")])
    assert unknown is not None
    assert unknown.unknown
    assert refused_setting([("start_step", " 1_0 ")]) is None


def test_regexes_are_not_run_on_lines_without_a_metric(monkeypatch):
    monkeypatch.setattr(GoRegex, "find_all", lambda *_: pytest.fail("it was run"))
    assert pairs(b"epoch=1\n" * 3, ["loss"], ["(a)(b)"]) == [("loss", "unavailable")]
