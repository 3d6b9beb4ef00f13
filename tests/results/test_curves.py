"""Curves in the file of results."""

from __future__ import annotations

import csv
import io
import json
import re
import sqlite3
import time
from array import array
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from local_study import run, sh, study

from kftune.cli import main
from kftune.errors import StoreError
from kftune.metrics.curves import Curve
from kftune.results import Results, open_results
from kftune.results.curves import from_bytes, to_bytes
from kftune.results.export import curves_to_rows, to_csv, to_json
from kftune.results.page import results_page

STEPS = st.integers(-(1 << 63), (1 << 63) - 1)
VALUES = st.floats(allow_nan=False, allow_infinity=False)
SECONDS = st.integers(0, 10**9).map(lambda each: each / 1000)
SCRIPT = "for step in 1 2 3; do echo step=$((step * 10)) loss=0.$step acc=$step; done; echo acc=9"


def curve(*points: tuple[int, float, float], more: int = 0) -> Curve:
    steps, values, times = zip(*points, strict=True)
    return Curve(array("q", steps), array("d", values), array("d", times), len(points) + more)


CURVES = st.lists(st.tuples(STEPS, VALUES, SECONDS), min_size=1, max_size=20).map(lambda each: curve(*each))


@given(CURVES)
def test_a_curve_is_read_back_as_it_was_stored(stored):
    assert from_bytes(to_bytes(stored)) == stored


@given(st.integers(-1000, 1000), st.integers(0, 1 << 40), st.integers(1, 50))
def test_steps_with_equal_distances_are_read_back_too(first, apart, size):
    stored = curve(*((first + apart * index, 0.5, 1.0) for index in range(size)))
    assert from_bytes(to_bytes(stored)) == stored


def test_a_hundred_reports_take_little_room():
    assert len(to_bytes(curve(*((step, 1 / step, step / 10) for step in range(1, 101))))) < 1300


@given(CURVES, st.data())
def test_damaged_bytes_are_refused_or_are_another_curve(stored, data):
    good = to_bytes(stored)
    place = data.draw(st.integers(0, len(good) - 1))
    damaged = data.draw(
        st.sampled_from([good[:place], good + b"\0", good[:place] + bytes([good[place] ^ 0x41]) + good[place + 1 :]])
    )
    try_to_read(damaged)


def try_to_read(data: bytes) -> None:
    """Reads what may be a curve."""
    try:
        found = from_bytes(data)
    except ValueError:
        return
    assert len(found.steps) == len(found.values) == len(found.times) <= found.reported


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Results of two trials that report two metrics."""
    run(study(sh(SCRIPT), trials=2, metrics=["acc"]), tmp_path)
    return tmp_path


def all_of(results: Results) -> dict[tuple[int, str], tuple[list[int], list[float]]]:
    return {
        (number, metric): (each.steps.tolist(), each.values.tolist()) for number, metric, each in results.all_curves()
    }


def test_what_trials_reported_is_read_by_trial_and_for_all(folder):
    loss, acc = ([10, 20, 30], [0.1, 0.2, 0.3]), ([10, 20, 30, 4], [1.0, 2.0, 3.0, 9.0])
    with open_results(folder) as results:
        assert all_of(results) == {(1, "acc"): acc, (1, "loss"): loss, (2, "acc"): acc, (2, "loss"): loss}
        first = results.curves(results.trial("1"))
        assert (first["loss"].steps.tolist(), first["loss"].reported) == ([10, 20, 30], 3)
        assert list(first["loss"].times) == sorted(first["loss"].times)
        assert 0 <= first["loss"].times[-1] < 60
        assert [metric for _, metric, _ in results.all_curves("acc")] == ["acc", "acc"]


def test_curves_are_in_the_json_and_the_csv_if_they_are_asked_for(folder, capsys):
    with open_results(folder) as results:
        assert "curves" not in to_json(results)["trials"][0]
        found = to_json(results, curves=True)["trials"][1]["curves"]
        assert (found["loss"]["steps"], found["loss"]["values"]) == ([10, 20, 30], [0.1, 0.2, 0.3])
        assert found["acc"]["reported"] == 4
        rows = list(csv.DictReader(io.StringIO(to_csv(results, curves=True))))
        assert [row["value"] for row in rows if (row["trial"], row["metric"]) == ("small-study-0002", "loss")] == [
            "0.1",
            "0.2",
            "0.3",
        ]
        header, table = curves_to_rows(results)
        assert (header[:4], table[0][:4]) == (
            ["trial", "metric", "step", "value"],
            ["small-study-0001", "acc", 10, 1.0],
        )
    assert main(["results", str(folder), "--curves"]) == 0
    assert re.search(r"small-study-0002 +loss +30 +0\.3 ", capsys.readouterr().out)
    assert main(["results", str(folder), "--curves", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["trials"][0]["curves"].keys() == {"acc", "loss"}


@pytest.mark.parametrize(
    ("kind", "why"), [("seed", "which has no curves"), ("html", "which has the curves without it")]
)
def test_other_formats_refuse_the_option(folder, capsys, kind, why):
    assert main(["results", str(folder), "--curves", "--format", kind]) == 2
    assert why in capsys.readouterr().err


def test_the_page_draws_curves_and_marks_stopped_trials(tmp_path):
    script = """
    i=0; while [ $i -lt 6 ]; do i=$((i + 1)); echo step=$i loss=$KFTUNE_TRIAL_NAME$i; sleep 0.05; done
    """.strip().replace("loss=$KFTUNE_TRIAL_NAME$i", "loss=${KFTUNE_TRIAL_NAME##*-000}.$i")
    run(study(sh(script), trials=2, stopping={"bandit": {"slack_factor": 0.1, "interval": 2, "delay": 2}}), tmp_path)
    with open_results(tmp_path) as results:
        first, second = results.trials()
        page = results_page(results)
    assert (first.state, first.stopped_by) == ("Succeeded", "")
    assert (second.state, second.stopped_by) == ("EarlyStopped", "bandit")
    assert page.count("<polyline") == 2
    assert page.count('class="stopped"') == 1
    assert 'class="best" points=' in page
    assert "small-study-0002: stopped early by bandit" in page
    assert "loss by step, from 1 to 6; a cross marks an early stop" in page


def test_without_two_reports_of_a_trial_the_page_has_no_curves(tmp_path):
    run(study(trials=2), tmp_path)
    with open_results(tmp_path) as results:
        assert "<polyline" not in results_page(results)


def test_a_damaged_curve_is_an_error_with_its_trial_and_the_rest_is_read(folder, capsys):
    with closing(sqlite3.connect(folder / "trials.db", isolation_level=None)) as connection:
        connection.execute("UPDATE curves SET data = x'0102' WHERE number = 2 AND metric = 'acc'")
    with open_results(folder) as results:
        assert results.curves(results.trial("1"))["acc"].reported == 4
        with pytest.raises(StoreError, match="the curve of acc of small-study-0002 is damaged: it is cut off"):
            results.curves(results.trial("2"))
        assert len(list(results.all_curves("loss"))) == 2
    assert main(["results", str(folder)]) == 0
    assert main(["results", str(folder), "--curves"]) != 0
    assert "is damaged" in capsys.readouterr().err


def test_curves_of_a_thousand_trials_are_read_faster_than_the_same_numbers_as_json(tmp_path):
    run(study(trials=1), tmp_path)
    stored = curve(*((step, 1 / step, step / 10) for step in range(1, 101)))
    rows = [(number, to_bytes(stored, f"{number} loss")) for number in range(2, 1002)]
    with closing(sqlite3.connect(tmp_path / "trials.db")) as connection:
        connection.executemany("INSERT INTO curves VALUES (?, 'loss', ?)", rows)
        connection.commit()
    text = json.dumps([[each.tolist() for each in stored[:3]]] * 1000)
    with open_results(tmp_path) as results:
        read, ours = least_seconds(lambda: sum(len(each.values) for _, _, each in results.all_curves()))
    parsed, theirs = least_seconds(lambda: sum(len(each[1]) for each in json.loads(text)))
    assert read == parsed + 1 == 100_001
    assert ours < theirs


def least_seconds(work: Callable[[], int]) -> tuple[int, float]:
    """Returns what a function returns, and the least time that it took in five calls."""
    seconds = []
    for _ in range(5):
        began = time.perf_counter()
        found = work()
        seconds.append(time.perf_counter() - began)
    return found, min(seconds)
