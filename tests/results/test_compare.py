"""Studies are compared by their best trials at equal numbers of trials, with exact intervals."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from typing import Any

import pytest
from memory_trials import a_trial

from kftune.cli import main
from kftune.errors import UnknownNameError, UsageError
from kftune.results import TrackedMetric
from kftune.results.compare import best_so_far, compare, interval
from kftune.results.export import to_json, to_text
from kftune.results.trials import Recorded, plain_meta

_METRICS = (TrackedMetric("val-loss", "min"), TrackedMetric("acc", "max"))


def a_study(name: str, losses: list[float | None], **known: Any) -> Recorded:
    """Returns a study whose trials reached some losses; None for one that failed."""
    trials = [
        a_trial(
            number, "Failed" if loss is None else "Succeeded", None if loss is None else repr(loss), "0.5", {"lr": 0.1}
        )
        for number, loss in enumerate(losses, start=1)
    ]
    meta = plain_meta(
        name, **{"metrics": _METRICS, "space": {"lr": {"uniform": [0, 1]}}, "algorithm": "random", **known}
    )
    return Recorded(meta, trials, place=f"{name}.json")


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Returns the files of two studies."""
    studies = [
        a_study("one", [4.0, 2.0, None, 3.0]),
        a_study("other", [1.0, 5.0], space={"lr": {"uniform": [0, 2]}, "units": {}}, algorithm="tpe"),
    ]
    paths = [tmp_path / f"{each.meta.name}.json" for each in studies]
    for each, path in zip(studies, paths, strict=True):
        path.write_text(to_text(to_json(each)), encoding="utf-8")
    return [str(path) for path in paths]


@pytest.mark.parametrize("values", [[3.0], [3.0, 1.0], [2.0, 2.0, 5.0], [4.0, 1.0, math.inf]])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_interval_is_that_of_all_draws(values, count):
    drawn = sorted(min(each) for each in itertools.product(values, repeat=count))
    low, high = interval(values, count)
    assert sum(each <= low for each in drawn) >= 0.05 * len(drawn) > sum(each < low for each in drawn)
    assert sum(each <= high for each in drawn) >= 0.95 * len(drawn) > sum(each < high for each in drawn)


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_the_chances_are_those_of_all_draws(direction):
    sign = 1 if direction == "minimize" else -1
    losses = [[4.0, 2.0, 3.0], [1.0, 5.0, 2.0]]
    found = compare(
        [a_study(str(name), [sign * each for each in one], direction=direction) for name, one in enumerate(losses)]
    )
    draws = [[min(each) for each in itertools.product(one, repeat=3)] for one in losses]
    pairs = list(itertools.product(*draws))
    expected = [
        sum(one <= other for one, other in pairs) / len(pairs),
        sum(other <= one for one, other in pairs) / len(pairs),
    ]
    assert [each["chance"] for each in found["studies"]] == pytest.approx(expected, abs=1e-6)
    assert found["best"] == sign * 1.0


def test_the_best_so_far_counts_failed_trials():
    found = compare([a_study("one", [None, 4.0, None, 3.0]), a_study("other", [5.0, 2.0])])
    one, other = found["studies"]
    assert one["best_so_far"] == [None, 4.0, 4.0, 3.0]
    assert found["equal_trials"] == 2
    assert (one["best_at_equal"], other["best_at_equal"]) == (4.0, 2.0)
    assert one["best"] == {"trial": "t-4", "value": 3.0, "values": {"lr": 0.1}}
    assert best_so_far([3, 1, 2]) == [3, 1, 1]


def test_what_differs_is_named_and_few_trials_are_cautioned():
    one = a_study("one", [1.0, 2.0], seed=1)
    other = a_study("other", [1.5], algorithm="tpe", space={"lr": {"uniform": [0, 2]}, "units": {"int": [1, 2]}})
    found = compare([one, other])
    assert found["space"]["common"] == []
    assert found["space"]["other_domain"] == {"lr": {"one": {"uniform": [0, 1]}, "other": {"uniform": [0, 2]}}}
    assert found["space"]["not_in_all"] == {"units": ["other"]}
    assert found["differences"] == {
        "algorithm": {"one": "random", "other": "tpe"},
        "seed": {"one": 1, "other": None},
    }
    assert [caution.split(",")[0].split(":")[0] for caution in found["cautions"]] == [
        "1 trials each are few",
        "the studies have different numbers of trials",
        "the intervals overlap",
    ]


def test_a_clear_difference_has_no_caution():
    found = compare([a_study("one", [1.0 + each / 100 for each in range(20)]), a_study("other", [2.0] * 20)])
    assert found["cautions"] == []
    assert [each["chance"] for each in found["studies"]] == [1.0, 0.0]


def test_studies_without_results_are_named():
    found = compare([a_study("one", [None]), a_study("other", [])])
    assert found["best"] is None
    assert found["cautions"] == ["no trial of one, other has a result"]


@pytest.mark.parametrize(
    ("studies", "metric", "error", "says"),
    [
        ([("one", {})], None, UsageError, "needs two studies"),
        (
            [("one", {}), ("other", {"direction": "maximize"})],
            None,
            UsageError,
            r"\(one: minimize val-loss; other: maximize val-loss\)",
        ),
        ([("one", {}), ("other", {})], "ac", UnknownNameError, "unknown metric 'ac'; did you mean 'acc'"),
    ],
)
def test_studies_that_cannot_be_compared_are_refused(studies, metric, error, says):
    with pytest.raises(error, match=says):
        compare([a_study(name, [1.0], **known) for name, known in studies], metric)


def test_the_command_prints_it_all(files, capsys):
    assert main(["compare", *files]) == 0
    shown = capsys.readouterr().out
    for line in (
        "minimize val-loss",
        "one    4       2     t-2    2",
        'lr differs: one {"uniform": [0, 1]}',
        "units only in other",
    ):
        assert line in shown
    assert "algorithm  random  tpe" in shown
    assert main(["compare", *files, "--format", "json", "--metric", "acc"]) == 0
    assert json.loads(capsys.readouterr().out)["objective"] == {"metric": "acc", "direction": "maximize"}


def test_equal_names_are_told_apart_by_their_places(files, capsys):
    assert main(["compare", files[0], files[0], "--format", "json"]) == 0
    labels = [each["label"] for each in json.loads(capsys.readouterr().out)["studies"]]
    assert labels == [f"{files[0]} (1)", f"{files[0]} (2)"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [((), "needs STUDY"), (("saved.json",), "no such file"), (("--metric", "x"), "unknown metric 'x'")],
    ids=str,
)
def test_mistakes_say_what_to_write(files, capsys, arguments, says):
    given = files if arguments[:1] == ("--metric",) else []
    assert main(["compare", *given, *arguments]) == 2
    assert says in capsys.readouterr().err
