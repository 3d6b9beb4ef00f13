"""Population based training on this machine: generations, what is inherited, and going on after a cut."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from local_experiment import experiment, run, sh
from local_study import trials_in

from kftune.katib.engines.declared import parameters_of
from kftune.local.experiment.parameters import ParameterSpace
from kftune.local.samplers import Sampler, make_sampler
from kftune.results import Trial
from kftune.results.kept import plan, remove
from kftune.study import Algorithm

SETTINGS: dict[str, Any] = {"suggestion_trial_dir": "/ckpt", "n_population": 5, "truncation_threshold": 0.4}
LR: dict[str, Any] = {
    "name": "lr",
    "parameterType": "double",
    "feasibleSpace": {"min": "0.01", "max": "0.1", "step": "0.01"},
}
UNITS: dict[str, Any] = {"name": "units", "parameterType": "int", "feasibleSpace": {"min": "1", "max": "64"}}
OPT: dict[str, Any] = {"name": "opt", "parameterType": "categorical", "feasibleSpace": {"list": ["a", "b", "c"]}}


def sampler_of(**settings: Any) -> tuple[Sampler, ParameterSpace]:
    given = [
        {**each, "feasibleSpace": {"distribution": "uniform", **each["feasibleSpace"]}} for each in (LR, UNITS, OPT)
    ]
    space = ParameterSpace(parameters_of({"parameters": given, "trialTemplate": {}})[0])
    return make_sampler(space, Algorithm(name="pbt", settings={**SETTINGS, **settings}), "minimize", 3), space


def generation(sampler: Sampler, first: int, values: list[float | None]) -> list[dict[str, Any]]:
    points = []
    for number in range(first, first + 5):
        suggestion = sampler.ask(number)
        assert suggestion is not None
        points.append(suggestion.point)
    assert sampler.ask(first + 5) is None, "the next generation waits"
    for number, value in enumerate(values, first):
        sampler.tell(number, value)
    return points


def test_the_worst_go_on_from_the_best_with_changed_values_and_the_others_from_themselves():
    sampler, space = sampler_of()
    first = generation(sampler, 1, [5.0, 1.0, None, 2.0, 3.0])
    second = generation(sampler, 6, [1.0] * 5)
    assert [sampler.parent_of(number) for number in (1, 2, 3, 4, 5)] == [None] * 5
    assert [sampler.parent_of(number) for number in (7, 9, 10)] == [2, 4, 5]
    assert [second[1], second[3], second[4]] == [first[1], first[3], first[4]]
    for number in (6, 8):
        parent = sampler.parent_of(number)
        assert parent in (2, 4)
        inherited, point = first[parent - 1], second[number - 6]
        assert point != inherited
        for name, domain in space.space.items():
            assert domain.contains(point[name])
        assert abs(point["lr"] - inherited["lr"]) <= 0.2 * inherited["lr"] + 0.01
    assert {point["opt"] for point in second} <= {"a", "b", "c"}


def test_values_stay_on_their_lattice_for_many_generations():
    sampler, space = sampler_of(truncation_threshold=0.8)
    for first in range(1, 150, 5):
        for point in generation(sampler, first, [1.0, 2.0, 3.0, 4.0, 5.0]):
            for name, domain in space.space.items():
                assert domain.contains(point[name]), (name, point[name])


SCRIPT = """
old=$(cat /ckpt/steps 2>/dev/null || echo 0); new=$((old + 1)); echo $new > /ckpt/steps
echo "had $old"; echo loss=$(awk "BEGIN {print $LR / $new}")
""".strip()


def pbt(trials: int) -> dict[str, Any]:
    settings = [{"name": name, "value": str(value)} for name, value in SETTINGS.items()]
    algorithm = {"algorithmName": "pbt", "algorithmSettings": settings}
    parts = {"algorithm": algorithm, "resumePolicy": "FromVolume", "parameters": [LR, UNITS, OPT]}
    return experiment(sh(SCRIPT), trials=trials, parallelTrialCount=5, **parts)


def had(folder: Path, trial: Trial) -> int:
    return int((folder / "logs" / f"{trial.name}.log").read_text().split()[1])


def test_trials_go_on_from_the_checkpoints_of_their_parents_also_after_a_cut(tmp_path):
    outcome, _ = run(pbt(15), tmp_path / "whole", seed=7)
    assert outcome.counts == {"Succeeded": 15}
    whole = trials_in(tmp_path / "whole")
    assert [had(tmp_path / "whole", trial) for trial in whole] == [*[0] * 5, *[1] * 5, *[2] * 5]
    for trials in (7, 11, 15):
        run(pbt(trials), tmp_path / "cut", seed=7)
    cut = trials_in(tmp_path / "cut")
    assert [trial.assignment for trial in cut] == [trial.assignment for trial in whole]
    assert [had(tmp_path / "cut", trial) for trial in cut] == [had(tmp_path / "whole", trial) for trial in whole]
    assert not Path("/ckpt").exists()


def test_prune_leaves_the_checkpoints_with_which_later_trials_begin(tmp_path):
    run(pbt(5), tmp_path, seed=7)
    made = plan(tmp_path, keep_best=1, keep_runs=None)
    assert {each.path.parent.name for each in made.unneeded} == {"logs"}
    gone, problems = remove(made.unneeded)
    assert (len(gone), problems) == (4, [])
    run(pbt(10), tmp_path, seed=7)
    assert [had(tmp_path, trial) for trial in trials_in(tmp_path)[5:]] == [1] * 5


@pytest.mark.parametrize(
    ("share", "allowed"),
    [(0.0, lambda parents: parents[:4] == [1, 2, 3, 4]), (1.0, lambda parents: None not in parents)],
)
def test_any_share_of_a_generation_may_be_replaced(share, allowed):
    sampler, _ = sampler_of(truncation_threshold=share)
    generation(sampler, 1, [1.0, 2.0, 3.0, 4.0, None])
    generation(sampler, 6, [1.0] * 5)
    assert allowed([sampler.parent_of(number) for number in range(6, 11)])
