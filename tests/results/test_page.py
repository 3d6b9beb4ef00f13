"""The page of all trials, as text."""

from __future__ import annotations

import re
from collections.abc import Sequence

from local_study import run, study

from kftune.results import open_results
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
