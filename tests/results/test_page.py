"""The page of all trials, as text."""

from __future__ import annotations

import re
from array import array
from collections.abc import Sequence

import pytest
from local_study import run, study

from kftune.html_page import Scale
from kftune.metrics.curves import Curve
from kftune.results import open_results
from kftune.results.curve_picture import TrialCurve, curves_picture
from kftune.results.page import TrialRow, results_page, trials_page


def row(name: str, objective: float | None, shown: str | None = None, **values: str) -> TrialRow:
    return TrialRow(name, "Succeeded", str(objective or "") if shown is None else shown, objective, values)


def page_of(*rows: TrialRow, best: Sequence[str] = (), names: tuple[str, ...] = ()) -> str:
    return trials_page(title="study", summary="a summary", metric="loss", names=names, rows=rows, best=best)


def dots(page: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r'<circle[^>]* cx="([\d.]+)" cy="([\d.]+)"', page)]


def test_each_trial_has_a_line_and_each_number_a_dot():
    rows = [row("t-1", 0.5, lr="0.1"), row("t-2", None), row("t-3", float("nan"), "nan"), row("t-4", 1.5, lr="0.2")]
    page = page_of(*rows, best=("t-1",), names=("lr",))
    assert page.count("<tr") == 5
    assert "<td>t-4</td><td>Succeeded</td><td>1.5</td><td>0.2</td>" in page
    assert "<td>t-3</td><td>Succeeded</td><td>nan</td><td></td>" in page
    (first, low), (last, high) = dots(page)
    assert first < last
    assert low > high  # down is up in SVG
    assert "<title>t-4: 1.5</title>" in page


def test_the_best_trial_is_marked_in_both():
    page = page_of(row("t-1", 2.0), row("t-2", 1.0), best=("t-2",))
    assert '<tr class="best"><td>t-2</td>' in page
    assert re.search(r'<circle class="best"[^>]*><title>t-2: 1.0</title>', page)
    assert page.count('class="best"') == 2


def test_equal_values_and_a_single_trial_are_drawn_in_the_middle():
    assert len({height for _, height in dots(page_of(row("a", 1), row("b", 1)))}) == 1
    assert len(dots(page_of(row("a", 0.0, "0"), best=("a",)))) == 1


def test_values_of_different_orders_of_magnitude_are_drawn_on_a_logarithmic_scale():
    page = page_of(row("a", 1e-3), row("b", 1e-1), row("c", 10.0))
    (_, low), (_, middle), (_, high) = dots(page)
    assert low - middle == pytest.approx(middle - high)
    assert "in the order of their start (logarithmic)" in page
    assert "logarithmic" not in page_of(row("a", -1e-3), row("b", 10.0))
    assert "logarithmic" not in page_of(row("a", 1.0), row("b", 10.0))


def test_a_scale_takes_all_finite_numbers():
    assert Scale.of([5e-324, 1.7e308]).share(1.0) == pytest.approx(0.51, abs=0.01)
    assert Scale.of([-1.7e308, 1.7e308]).share(0.0) == 0.5
    assert Scale.of([1.0, 2.0]).share(1e308) == 1.0


def test_a_diverged_trial_without_a_result_hides_no_other_curve():
    steps, seconds = array("q", [1, 2]), array("d", [0.1, 0.2])
    curves = [
        TrialCurve("good", Curve(steps, array("d", [2.0, 1.0]), seconds, 2)),
        TrialCurve("diverged", Curve(steps, array("d", [1.5, 1e31]), seconds, 2), "above 10", counts=False),
    ]
    picture = "".join(curves_picture("loss", curves, ()))
    assert ">2</text>" in picture
    assert "e+31" not in picture
    assert "a cross marks an early stop; at the edge: no result" in picture


def test_the_table_says_why_trials_were_stopped():
    stopped = TrialRow("t-2", "EarlyStopped", "2", 2.0, {}, message="stopped early by asha")
    assert "<td>stopped early by asha</td>" in page_of(row("t-1", 1.0), stopped)
    assert "message" not in page_of(row("t-1", 1.0))


def test_without_any_number_there_is_no_picture():
    page = page_of(row("t-1", None))
    assert "<svg" not in page
    assert "t-1" in page


def test_no_text_becomes_markup():
    hostile = '"><script>&'
    rows = [TrialRow(hostile, hostile, hostile, 1.0, {hostile: hostile})]
    page = trials_page(title=hostile, summary=hostile, metric=hostile, names=[hostile], rows=rows, best=())
    assert "<script" not in page


def test_the_page_of_a_study_has_all_its_trials_and_loads_nothing(tmp_path):
    outcome, _ = run(study(trials=3), tmp_path)
    assert outcome.best is not None
    with open_results(tmp_path) as results:
        page = results_page(results)
        names = [trial.name for trial in results.trials()]
    assert all(f"<td>{name}</td>" in page for name in names)
    assert f"the best is 0.5, of {outcome.best.name}, of 3 trials" in page
    assert not re.search(r"src=|href=|url\(|<script", page)
