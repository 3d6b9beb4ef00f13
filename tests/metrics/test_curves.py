"""Curves: what is kept of what a trial reports over time."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from metric_lines import HOSTILE_LINES
from metric_parser import MetricParser, Observation

from kftune.metrics.curves import LEAST, Curve, CurveKeeper, Rows, thinned
from kftune.metrics.definition import MetricDefinition
from kftune.metrics.reduction import Reducer

NAMES = ("loss", "acc")
LOGS = st.lists(HOSTILE_LINES, max_size=6).map(lambda lines: "\n".join(lines).encode())
DEFINITIONS = [MetricDefinition("acc", "acc=([^ ]+)")]


def observations(log: bytes, name: str, definitions: list[MetricDefinition]) -> list[Observation]:
    """What an independent parser reads, report by report."""
    parser = MetricParser(NAMES, definitions)
    return [each for each in parser.feed(log) + parser.close() if each.name == name]


def points(curve: Curve | None) -> list[tuple[int, float]]:
    return [] if curve is None else list(zip(curve.steps, curve.values, strict=True))


def expected(found: list[Observation]) -> list[tuple[int, float]]:
    """Each report by its step, or its number."""
    return [(number if o.step is None else o.step, o.value) for number, o in enumerate(found, 1)]


def fed(log: bytes, cuts: list[int], most: int, definitions: list[MetricDefinition] | None = None) -> Reducer:
    reducer = Reducer(NAMES, definitions or [], most=most, every=True)
    for begin, end in pairwise([0, *cuts, len(log)]):
        reducer.feed(log[begin:end])
    reducer.close()
    return reducer


@given(LOGS | st.binary(max_size=200), st.data())
def test_with_room_for_all_reports_a_curve_has_each_with_its_step_or_its_number(log, data):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(log)), max_size=5)))
    reducer = fed(log, cuts, 10_000, DEFINITIONS)
    for name in NAMES:
        found = observations(log, name, DEFINITIONS)
        assert points(reducer.curves.get(name)) == expected(found)


@given(LOGS, st.data())
def test_every_report_is_told_in_the_order_of_the_log(log, data):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(log)), max_size=5)))
    parser = MetricParser(NAMES, [])
    found = [(o.name, o.value, o.step) for o in parser.feed(log) + parser.close()]
    reducer = fed(log, cuts, LEAST)
    assert reducer.take_new() == found
    assert reducer.take_new() == []


VALUES = st.lists(st.integers(-3, 3).map(float), min_size=1, max_size=200)


@given(VALUES, st.integers(LEAST, 40), st.data())
def test_a_thinned_curve_has_the_first_the_last_the_lowest_the_highest_and_even_ones(values, most, data):
    keeper, begin = CurveKeeper(most), 0
    while begin < len(values):
        block = values[begin : begin + data.draw(st.integers(1, 50))]
        keeper.add(Rows(block, [None] * len(block)), begin)
        begin += len(block)
    curve = keeper.curve()
    kept = dict(points(curve))
    assert kept == {number: values[number - 1] for number in kept}
    assert list(kept) == sorted(kept)
    assert len(kept) == len(curve.steps) == len(curve.times) <= most
    assert curve.reported == len(values)
    assert {1, len(values), values.index(min(values)) + 1, values.index(max(values)) + 1} <= kept.keys()
    every = next(each for each in (1 << power for power in range(9)) if (len(values) - 1) // each + 1 <= most - 3)
    assert set(range(1, len(values) + 1, every)) <= kept.keys()


LINES = 30_000


def line(chance: random.Random, number: int, kind: str) -> str:
    """One line of a long log, of which some have traps."""
    value = f"{chance.random():.{chance.choice([1, 6])}f}"
    other = f"val_loss={chance.random():.3f} "
    text = {
        "stepped": f"step={number * 2} {other}loss={value} lr=0.1",
        "plain": f"loss={value}",
        "some steps": f"{'step=' + str(number) + ' ' if chance.random() < 0.9 else ''}loss={value}",
        "constant": f"step={number} loss=0.5",
        "clustered": f"{'x' * 3000 if number % 1000 == 0 else ''} step={number} loss={value}",
        "not finite": f"step={number} loss={chance.choice([value, 'nan'])}",
    }
    return text[kind]


@pytest.mark.parametrize("kind", ["stepped", "plain", "some steps", "constant", "clustered", "not finite"])
@pytest.mark.parametrize("size", [700, 1 << 16])
def test_a_long_log_is_thinned_to_reports_that_it_has_in_their_order(kind, size):
    chance = random.Random(kind)
    log = "".join(f"{line(chance, number, kind)}\n" for number in range(LINES)).encode()
    truth = expected(observations(log, "loss", []))
    most = 100
    reducer = Reducer(NAMES, most=most)
    for begin in range(0, len(log), size):
        reducer.feed(log[begin : begin + size])
    curve = reducer.curves["loss"]
    kept = points(curve)
    values = [value for _, value in truth]
    assert curve.reported == len(truth)
    assert most // 2 - 2 <= len(kept) <= most
    assert (kept[0], kept[-1]) == (truth[0], truth[-1])
    assert truth[values.index(min(values))] in kept
    assert truth[values.index(max(values))] in kept
    # Steps and numbers ascend in these logs, so each kept report has one place.
    place = {each: index for index, each in enumerate(truth)}
    places = [place[each] for each in kept]
    assert places == sorted(set(places))
    evenly = len(truth) / (most // 2)
    assert max(later - earlier for earlier, later in pairwise(places)) <= 2.5 * evenly


@given(VALUES, st.integers(LEAST, 40))
def test_a_curve_is_thinned_as_its_reports_would_have_been(values, most):
    whole, thin = CurveKeeper(), CurveKeeper(most)
    for keeper in (whole, thin):
        keeper.add(Rows(values, [None] * len(values)), 1.0)
    found = thinned(whole.curve(), most)
    assert len(found.values) <= most
    assert found.reported == len(values)
    assert set(points(thin.curve())) <= set(points(found))


def test_memory_does_not_grow_with_the_reports():
    keeper = CurveKeeper(100)
    for begin in range(0, 1_000_000, 10_000):
        keeper.add(Rows([float(each) for each in range(begin, begin + 10_000)], [None] * 10_000), 0.0)
    assert len(keeper.curve().values) <= 100
    assert keeper.count == 1_000_000
