"""Values of groups, lists, mappings and conditions find their places in a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from applied import Deep, Net, deep, trade_off

from kftune import yaml_text
from kftune.applying import Target, choose, evidence_for, plan_for, snippet
from kftune.errors import UsageError
from kftune.results import Trials

FIRST: dict[str, Any] = {"optimizer.name": "adam", "layers": (64, 32), "options.b.c": 2.0}
BEST: dict[str, Any] = {"optimizer.name": "sgd", "optimizer.momentum": 0.9, "layers": (16,), "options.b.c": 1.0}
WHOLE = "optimizer: {name: adam, momentum: 0.0}\nlayers: [64, 32] # two\noptions: {a: 1, b: {c: 2}}\n"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trials]:
    with deep(tmp_path_factory.mktemp("deep"), FIRST, BEST) as found:
        yield found


def target(folder: Path, text: str) -> Target:
    (folder / "config.yaml").write_text(text)
    return Target(folder / "config.yaml", "")


def test_each_value_goes_to_its_place(results: Trials, tmp_path: Path):
    found = plan_for(choose(results, Deep), target(tmp_path, WHOLE), Deep)
    assert found.text == ("optimizer: {name: sgd, momentum: 0.9}\nlayers: [16] # two\noptions: {a: 1, b: {c: 1.0}}\n")


def test_groups_are_added_as_mappings_and_a_mapping_as_a_whole(results: Trials, tmp_path: Path):
    found = plan_for(choose(results, Deep), target(tmp_path, "other: 1\n"), Deep, add=True)
    assert yaml_text.load(found.text) == {
        "other": 1,
        "optimizer": {"name": "sgd", "momentum": 0.9},
        "layers": [16],
        "options": {"a": 1, "b": {"c": 1.0}},  # with the key that was not searched
    }
    assert Deep.from_dict({**yaml_text.load(snippet(choose(results, Deep).all_values))}) == Deep.from_dict(  # type: ignore[dict-item]
        {name: value for name, value in yaml_text.load(found.text).items() if name != "other"}  # type: ignore[attr-defined]
    )


def test_a_value_whose_condition_does_not_hold_stays(results: Trials, tmp_path: Path):
    chosen = choose(results, Deep, trial="1")
    text = WHOLE.replace("momentum: 0.0", "momentum: 0.7")
    assert chosen.idle == ("optimizer.momentum",)
    assert plan_for(chosen, target(tmp_path, text), Deep).text == text


def test_the_present_values_are_found_among_the_trials(results: Trials, tmp_path: Path):
    evidence = evidence_for(results, choose(results, Deep), target(tmp_path, WHOLE), Deep)
    assert (evidence.baseline and evidence.baseline.number, evidence.is_better, evidence.differences) == (1, True, ())


def test_values_that_the_file_leaves_out_have_the_defaults_of_the_class(results: Trials, tmp_path: Path):
    evidence = evidence_for(results, choose(results, Deep), target(tmp_path, "layers: [64, 32]\n"), Deep)
    assert [trial.number for trial in (evidence.baseline,) if trial is not None] == [1]


def test_other_keys_of_a_mapping_that_differ_are_named(results: Trials, tmp_path: Path):
    text = WHOLE.replace("a: 1", "a: 5")
    evidence = evidence_for(results, choose(results, Deep), target(tmp_path, text), Deep)
    assert evidence.differences == (
        "options is {'a': 5, 'b': {'c': 2}} there and {'a': 1, 'b': {'c': 1.0}} in the trial",
    )


@pytest.mark.parametrize(
    "names",
    [
        {"optimizer": "opt", "options": "more", "layers": "widths"},
        {
            "optimizer.name": "opt.name",
            "optimizer.momentum": "opt.momentum",
            "options.b.c": "more.b.c",
            "layers": "widths",
        },
    ],
)
def test_a_map_names_groups_and_mappings_or_what_is_in_them(results: Trials, tmp_path: Path, names: dict[str, str]):
    text = WHOLE.replace("optimizer:", "opt:").replace("layers:", "widths:").replace("options:", "more:")
    (tmp_path / "config.yaml").write_text(text)
    found = plan_for(choose(results, Deep), Target(tmp_path / "config.yaml", "", names), Deep)
    assert found.text == "opt: {name: sgd, momentum: 0.9}\nwidths: [16] # two\nmore: {a: 1, b: {c: 1.0}}\n"
    assert found.notes == ()


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trials]:
    with trade_off(tmp_path_factory.mktemp("two")) as found:
        yield found


def test_of_a_pareto_set_one_trial_is_chosen(two: Trials):
    with pytest.raises(UsageError, match="the Pareto set has 2 trials; choose one: --metric loss or --metric speed"):
        choose(two, Net)
    assert choose(two, Net, metric="loss").values == {"lr": 1e-05, "units": 32}
    assert choose(two, Net, metric="speed").values == {"lr": 0.001, "units": 32}


def test_with_an_objective_chosen_that_one_counts(two: Trials, tmp_path: Path):
    present = target(tmp_path, "lr: 0.001\nunits: 32\n")
    assert evidence_for(two, choose(two, Net, metric="loss"), present, Net).lines() == [
        "loss 1, baseline 2 (two-0003): 50 % lower"
    ]
    present = target(tmp_path, "lr: 1.0e-05\nunits: 32\n")
    evidence = evidence_for(two, choose(two, Net, metric="speed"), present, Net)
    assert (evidence.lines(), evidence.is_better) == (["speed 2, baseline 1 (two-0002): 100 % higher"], True)


def test_a_trial_that_is_better_in_no_objective_is_no_better(two: Trials, tmp_path: Path):
    present = target(tmp_path, "lr: 0.001\nunits: 32\n")
    evidence = evidence_for(two, choose(two, Net, trial="1"), present, Net)
    assert not evidence.is_better
    assert "is no better than the present values" in str(evidence.problem(needs_baseline=True, run="", target=present))
