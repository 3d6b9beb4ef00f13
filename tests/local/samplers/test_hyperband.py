"""Hyperband: rungs, brackets, waiting for a rung's end, and going on after a cut."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from local_experiment import LR, OPT, experiment, run, sh
from local_study import run as run_the_study
from local_study import study, trials_in

from kftune import Choice, Discrete, Hparam, Hparams, IntUniform, LogUniform
from kftune.errors import RunError
from kftune.local.samplers import Sampler, make_sampler
from kftune.study import Algorithm, Study

SETTINGS: dict[str, Any] = {"r_l": 9, "eta": 3, "resource_name": "epochs"}


class Deep(Hparams):
    """Something that learns for a number of epochs."""

    lr: float = Hparam(1e-3, search=LogUniform(1e-4, 1e-1))
    epochs: int = Hparam(1, search=IntUniform(1, 9))


class Small(Hparams):
    """Two points."""

    kind: str = Hparam("a", search=Choice("a", "b"))
    epochs: int = Hparam(1, search=IntUniform(1, 9))


def study_of(**parts: Any) -> Study:
    return study(hparams=Deep, algorithm={"name": "hyperband", "settings": SETTINGS}, **parts)


def loss(point: dict[str, Any]) -> float:
    return abs(float(point["lr"]) - 0.01) + 1 / int(point["epochs"])


def test_the_best_third_of_each_rung_continues_with_three_times_the_resource():
    a_study = study_of()
    sampler = make_sampler(a_study, a_study.algorithm, "minimize", 3)
    points = []
    for number in range(1, 23):
        suggestion = sampler.ask(number)
        assert suggestion is not None
        points.append(suggestion.point)
        sampler.tell(number, loss(suggestion.point))
    epochs = [point["epochs"] for point in points]
    # Brackets of 9, 5 and 3 points: (9 at 1, 3 at 3, 1 at 9), (5 at 3, 1 at 9), (3 at 9).
    assert epochs == [*[1] * 9, *[3] * 3, 9, *[3] * 5, 9, *[9] * 3]
    best = sorted(points[:9], key=loss)[:3]
    assert [point["lr"] for point in points[9:12]] == [point["lr"] for point in best]
    assert points[12]["lr"] == best[0]["lr"]


def test_a_rung_waits_for_its_trials_and_failed_ones_go_no_further():
    a_study = study_of()
    sampler = make_sampler(a_study, a_study.algorithm, "minimize", 3)
    first = [sampler.ask(number) for number in range(1, 10)]
    assert sampler.ask(10) is None
    for number in range(2, 10):
        sampler.tell(number, None if number < 4 else float(number))
    assert sampler.ask(10) is None
    sampler.tell(1, 100.0)
    promoted = sampler.ask(10)
    assert promoted is not None
    assert promoted.point == {**first[3].point, "epochs": 3}  # type: ignore[union-attr]


def test_a_study_of_hyperband_runs_in_parallel_and_resumes(tmp_path):
    script = sh("""lr=${0#--lr=}; epochs=${1#--epochs=}; echo loss=$(awk "BEGIN {print $lr + 1 / $epochs}")""")["args"][
        0
    ]
    parts: dict[str, Any] = {"budget": {"parallel": 3}, "command": ("sh", "-c", script)}
    run_the_study(study_of(trials=22, **parts), tmp_path / "whole")
    for trials in (5, 11, 22):
        run_the_study(study_of(trials=trials, **parts), tmp_path / "cut")
    whole, cut = (trials_in(tmp_path / name) for name in ("whole", "cut"))
    assert Counter(trial.point["epochs"] for trial in whole) == {1: 9, 3: 8, 9: 5}
    assert sorted(map(str, (trial.point for trial in whole))) == sorted(map(str, (trial.point for trial in cut)))


def test_a_small_space_ends():
    a_study = study(hparams=Small, algorithm={"name": "hyperband", "settings": SETTINGS})
    sampler = make_sampler(a_study, a_study.algorithm, "minimize", 3)
    found = list(all_points(sampler))
    assert len(found) == len(set(found)) <= 6


@pytest.mark.parametrize(
    ("resource", "r_l", "amounts"),
    [
        (IntUniform(8, 256), 81, {9, 27, 81}),
        (IntUniform(8, 256), 8, {8}),
        (IntUniform(2, 20, step=3), 18, {2, 5, 17}),
        (IntUniform(0, 9), 9, {1, 3, 9}),
        (IntUniform(1, 4), 9, {1, 4}),
        (Discrete(1, 2, 5, 10), 10, {1, 2, 10}),
        (Choice(10, 1), 10, {1, 10}),
    ],
)
def test_the_resource_stays_in_its_domain(resource, r_l, amounts):
    a_study = study_of(search={"epochs": resource}).model_copy(
        update={"algorithm": Algorithm(name="hyperband", settings={**SETTINGS, "r_l": r_l})}
    )
    points = list(all_points(make_sampler(a_study, a_study.algorithm, "minimize", 3)))
    assert {epochs for _, epochs in points} == amounts


def test_a_resource_without_a_value_of_one_or_more_is_refused():
    a_study = study_of(search={"epochs": IntUniform(-5, 0)})
    with pytest.raises(RunError, match="needs r_l of at least 1 in the domain of its resource, and got 0"):
        make_sampler(a_study, a_study.algorithm, "minimize", 3)


def test_a_resource_that_r_l_exceeds_is_noted():
    a_study = study(hparams=Deep, algorithm={"name": "hyperband", "settings": {**SETTINGS, "r_l": 81}})
    sampler = make_sampler(a_study, a_study.algorithm, "minimize", 3)
    assert sampler.notes == ["epochs is at most 9, so hyperband takes this for r_l=81"]


def all_points(sampler: Sampler) -> Iterator[tuple[Any, ...]]:
    """Asks for up to 99 trials and tells an objective of 1."""
    for number in range(1, 100):
        suggestion = sampler.ask(number)
        if suggestion is None:
            return
        yield tuple(suggestion.point.values())
        sampler.tell(number, 1.0)


def test_an_experiment_of_hyperband_gets_past_its_first_bracket(tmp_path):
    settings = [
        {"name": "r_l", "value": "9"},
        {"name": "resource_name", "value": "units"},
        {"name": "eta", "value": "3"},
    ]
    units = {"name": "units", "parameterType": "int", "feasibleSpace": {"min": "1", "max": "9"}}
    parts = {"parameters": [LR, units, OPT], "parallelTrialCount": 9}
    an_experiment = experiment(
        sh("echo loss=$LR"), trials=13, algorithm={"algorithmName": "hyperband", "algorithmSettings": settings}, **parts
    )
    outcome, _ = run(an_experiment, tmp_path, seed=7)
    assert outcome.counts == {"Succeeded": 13}
    assert Counter(trial.assignment["units"] for trial in trials_in(tmp_path)) == {"1": 9, "3": 3, "9": 1}


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (
            {"r_l": 9, "resource_name": "epoch"},
            "sets its resource 'epoch', so it must be searched; did you mean 'epochs'",
        ),
        ({"r_l": 0.5, "resource_name": "epochs"}, "needs r_l of at least 1"),
        ({"r_l": 9, "resource_name": "kind"}, "its resource 'kind' to numbers, but it is Choice"),
    ],
)
def test_a_resource_that_cannot_be_is_refused(settings, told):
    hparams = Small if settings["resource_name"] == "kind" else Deep
    a_study = study(hparams=hparams, algorithm={"name": "hyperband", "settings": settings})
    with pytest.raises(RunError, match=told):
        make_sampler(a_study, a_study.algorithm, "minimize", 3)
