from __future__ import annotations

import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from places import DATA

from kftune.metrics import format_line
from kftune.metrics.definition import MetricDefinition
from kftune.metrics.reduction import Reducer
from kftune.metrics.values import MetricValues

RECORDED = [json.loads(line) for line in (DATA / "katib_reduced_metrics.jsonl").read_text().splitlines()[1:]]


@pytest.mark.parametrize("case", RECORDED, ids=lambda case: " ".join(text for _, text in case["rows"]))
@pytest.mark.parametrize("at_once", [True, False])
def test_values_are_reduced_as_katib_recorded_it(case, at_once):
    reducer = Reducer(list(case["metrics"]))
    lines = [f"{name}={text}\n".encode() for name, text in case["rows"]]
    for chunk in [b"".join(lines)] if at_once else lines:
        reducer.feed(chunk)
    found = {name: {"min": r.min, "max": r.max, "latest": r.latest} for name, r in reducer.results.items()}
    assert found == case["metrics"]


@given(st.lists(st.floats(-1e9, 1e9), min_size=1), st.integers(1, 5))
def test_min_max_latest_and_count_do_not_depend_on_the_chunks(values, size):
    lines = [f"{format_line({'loss': value}, step)}\n".encode() for step, value in enumerate(values)]
    reducer = Reducer(["loss"])
    for begin in range(0, len(lines), size):
        reducer.feed(b"".join(lines[begin : begin + size]))
    found = reducer.result("loss")
    assert found is not None
    assert (found.number("min"), found.number("max"), found.number("latest")) == (min(values), max(values), values[-1])
    assert (found.count, found.step) == (len(values), len(values) - 1)


def test_the_text_that_stands_for_a_trial_is_the_printed_one():
    found = MetricValues("1e-05", "5.", ".5", 3, None)
    assert [found.text(reduce) for reduce in ("min", "max", "latest")] == ["1e-05", "5.", ".5"]


def test_a_chunk_returns_the_metrics_in_it():
    reducer = Reducer(["loss", "acc"])
    assert reducer.feed(b"hello\nloss=0.5\nacc=na") == ("loss",)
    assert reducer.feed(b"n\n") == ()
    assert reducer.feed(b"loss=0.25 acc=1") == ()
    assert reducer.close() == ("loss", "acc")
    assert reducer.refused == {("acc", "nan"): 1}


def test_a_metric_never_reported_has_no_result():
    reducer = Reducer(["loss"])
    reducer.feed(b"loss=nan\n")
    assert reducer.result("loss") is None
    assert reducer.results == {}


def test_the_step_is_that_of_the_latest_value():
    reducer = Reducer(["loss"])
    reducer.feed(b"step=0 loss=0.25\nstep=1 loss=0.5 step=2\nstep=3 val_loss=1\n")
    assert reducer.result("loss") == ("0.25", "0.5", "0.5", 2, 1)
    reducer.feed(b"step=4 loss=1\nstep=5 loss=nan\n")
    assert reducer.result("loss") == ("0.25", "1", "nan", 3, 5)


@pytest.mark.parametrize(
    ("log", "latest"),
    [
        ("loss=0.4\nloss=nan\nloss=inf\n", "inf"),
        ("loss=nan\nloss=-Infinity\nloss=0.4\n", "0.4"),
        ("loss=0.4\nloss=1e400\n", "1e400"),
        ("loss=0.4\nloss=\nloss=0.5,\nloss=none\n", "0.4"),
        ("loss is 0.4\nloss is nan.\n", "nan"),
        ("loss is 0.4\nloss is information\n", "0.4"),
    ],
)
@pytest.mark.parametrize("at_once", [True, False])
def test_a_latest_value_that_is_nan_or_infinite_stays_the_latest(log, latest, at_once):
    definitions = [MetricDefinition("loss", r"loss is ([0-9.]+)")] if " is " in log else []
    reducer = Reducer(["loss"], definitions)
    for chunk in [log] if at_once else log.splitlines(keepends=True):
        reducer.feed(chunk.encode())
    values = reducer.result("loss")
    assert values is not None
    assert (values.min, values.max, values.latest) == ("0.4", "0.4", latest)
    assert values.number("latest") == ({"0.4": 0.4}.get(latest))


def test_a_reducer_can_be_pickled_and_continued():
    reducer = Reducer(["loss"], [MetricDefinition("acc", "acc is ([0-9.]+)")])
    reducer.feed(b"loss=0.5\nacc is 0.7\nlos")
    again = pickle.loads(pickle.dumps(reducer))  # noqa: S301  # our own bytes
    again.feed(b"s=0.25\nacc is 0.75\n")
    assert again.result("loss") == ("0.25", "0.5", "0.25", 2, None)
    assert again.result("acc") == ("0.7", "0.75", "0.75", 2, None)
