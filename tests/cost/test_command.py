"""`kftune cost`: what it prints, its gate, and what it says about mistakes (tests/snapshots/cost_mistakes.txt)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from mistake_texts import REMEDY, printed, record, recorded

SNAPSHOTS = "cost_mistakes.txt"
STUDY = """\
name: toy
hparams: LstmHparams
objective: {metric: loss, direction: minimize}
algorithm: {name: random, seed: 1}
budget: {max_trials: 2, trial_timeout: 1h}
step:
  command: [sh, -c, 'echo loss=1; sleep 0.1', toy]
  image: registry.example/toy:1
  resources: {cpu: 2, memory: 4Gi}
"""
PIPELINE = """\
name: pipe
defaults: {image: "registry.example/toy:1", resources: {cpu: 1, memory: 1Gi}, timeout: 1h}
loops: {each: {items: "${steps.list.outputs.names}"}}
steps:
  list: {kind: container, command: [sh, -c, 'echo "[\\"a\\"]" > "${0#--names=}"'], outputs: {names: list}}
  work: {kind: container, command: [echo], inputs: {name: "${item}"}, for_each: each}
  tune: {kind: tune, study: study.yaml, image: "registry.example/launcher:1"}
"""
FILES = {
    "study.yaml": STUDY,
    "pipeline.yaml": PIPELINE,
    "prices.yaml": "{currency: EUR, cpu_hour: 0.05, memory_gib_hour: 0.01}",
    "free.yaml": "{currency: EUR, cpu_hour: 0, memory_gib_hour: 0}",
    "gpu.yaml": "{currency: EUR, gpu_hour: 1}",
    "below/study.yaml": STUDY,
    "wrong/key.yaml": "{currency: EUR, cpu_hours: 0.05}",
    "wrong/negative.yaml": "{currency: EUR, cpu_hour: -1}",
    "wrong/none.yaml": "{cpu_hour: 1}",
    "wrong/text.yaml": "{currency: EUR, gpu_hour: {NVIDIA-L4: cheap}}",
    "wrong/list.yaml": "[1, 2]",
    "experiment.yaml": "apiVersion: kubeflow.org/v1beta1\nkind: Experiment\nmetadata: {name: x}\nspec: {}\n",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return tmp_path


def found(folder: Path, *arguments: str) -> tuple[str, dict[str, Any]]:
    status, _, text = printed(["cost", *arguments, "--format", "json"], folder).partition("\n")
    return status, json.loads(text)


def test_times_are_measured_in_earlier_runs(project: Path):
    assert printed(["run", "study.yaml", "--plain"], project).startswith("exit 0")
    _, cost = found(project, "study.yaml")
    time = cost["parts"][0]["time"]
    assert (time["source"], time["where"], time["number"]) == ("measured", "runs/toy", 2)
    assert 0.1 <= time["least"] <= time["median"] <= time["longest"] < 30
    assert cost["expected"]["node_hours"] == pytest.approx(2 * time["mean"] / 3600)
    assert cost["expected"]["cost"] == pytest.approx(2 * time["mean"] / 3600 * (2 * 0.05 + 4 * 0.01))
    assert "in runs/toy (median" in printed(["cost", "study.yaml"], project)
    assert found(project, "study.yaml", "--from", "runs/toy")[1]["expected"] == cost["expected"]


def test_times_are_measured_in_the_results_of_all_entities(project: Path):
    of_each = STUDY.replace(", toy]", ", '${entity}']")
    (project / "many.yaml").write_text(of_each + "for_each: [a, b, c]\n")
    assert printed(["run", "many.yaml", "--plain"], project).startswith("exit 0")
    _, cost = found(project, "many.yaml", "--from", "runs/toy")
    assert cost["parts"][0]["time"]["number"] == 6
    assert found(project, "many.yaml")[1]["expected"] == cost["expected"]


def test_times_are_measured_in_earlier_runs_of_a_pipeline(project: Path):
    assert printed(["run", "pipeline.yaml", "--plain"], project).startswith("exit 0")
    _, cost = found(project, "pipeline.yaml", "--items", "each=5")
    measured = {part["name"]: (part["time"]["source"], part["time"]["number"], part["runs"]) for part in cost["parts"]}
    assert measured == {
        "list": ("measured", 1, 1),
        "work": ("measured", 1, 5),
        "tune: launcher": ("measured", 0, 1),
        "tune: trials": ("measured", 2, 2),
    }


@pytest.mark.parametrize(
    ("most", "status"), [pytest.param("0.29", "exit 0", id="above"), pytest.param("0.28", "exit 1", id="below")]
)
def test_the_exit_code_is_a_gate(project: Path, most, status):
    # 2 trials of an hour and 30 s, at 0.14 an hour.
    given, cost = found(project, "study.yaml", "--trial-time", "1h", "--max", most)
    assert given == status
    assert cost["most"]["cost"] == pytest.approx(2 * 3630 / 3600 * 0.14)
    assert bool(cost["over"]) == (status == "exit 1")


def test_the_limit_of_the_study_is_a_gate_too(project: Path):
    assert found(project, "study.yaml", "budget.max_cost=0.1")[0] == "exit 1"
    assert found(project, "study.yaml", "budget.max_cost=1")[0] == "exit 0"


def test_a_run_ends_at_the_limit_by_the_price_table(project: Path):
    (project / "prices.yaml").write_text("{currency: EUR, cpu_hour: 1800, memory_gib_hour: 0}")
    command = "step.command=[sh, -c, 'echo loss=1; sleep 60', toy]"
    text = printed(["run", "study.yaml", "--plain", command, "budget.max_cost=0.4"], project)
    # Two cores cost 1 each second.
    assert "max_cost: the trials have cost 0.4" in text


def test_a_run_says_before_it_starts_that_the_limit_will_end_it(project: Path):
    printed(["run", "study.yaml", "--plain"], project)
    limit = "budget.max_cost={limit: 3, per_hour: 36000}"
    text = printed(["run", "study.yaml", "--plain", "budget.max_trials=90", limit, "--strict"], project)
    assert text.startswith("exit 2\nkftune: budget.max_cost is 3, but by the mean time of 2 finished trial(s), ")
    assert "it ends the study after about " in text


def test_katib_is_said_to_have_no_such_limit(project: Path):
    text = printed(["render", "study.yaml", "budget.max_cost=5"], project)
    assert (
        "Katib cannot limit what a study costs; max_cost (5) applies to local runs only, and kftune cost says" in text
    )


def test_show_has_a_line_of_it(project: Path):
    text = printed(["show", "study.yaml", "budget.max_cost=5"], project)
    assert "each at most 3600 s, costs at most 5\n" in text
    assert "  cost       expected unknown, at most 0.282 EUR; kftune cost study.yaml says more\n" in text


MISTAKES = {
    "an Experiment": ["experiment.yaml"],
    "no such prices": ["study.yaml", "--prices", "price.yaml"],
    "prices in a folder": ["study.yaml", "--prices", "wrong"],
    "prices: an unknown key": ["study.yaml", "--prices", "wrong/key.yaml"],
    "prices: below 0": ["study.yaml", "--prices", "wrong/negative.yaml"],
    "prices: no currency": ["study.yaml", "--prices", "wrong/none.yaml"],
    "prices: a text": ["study.yaml", "--prices", "wrong/text.yaml"],
    "prices: a list": ["study.yaml", "--prices", "wrong/list.yaml"],
    "a time without a unit that exists": ["study.yaml", "--trial-time", "20 minutes"],
    "a time of 0": ["study.yaml", "--trial-time", "0"],
    "two times": ["study.yaml", "--trial-time", "1m", "--trial-time", "2m"],
    "a step of a study": ["study.yaml", "--step-time", "train=1m"],
    "items of a study": ["study.yaml", "--items", "each=3"],
    "a limit that is no sum": ["study.yaml", "--max", "free"],
    "a step without a name": ["pipeline.yaml", "--step-time", "1m"],
    "an unknown step": ["pipeline.yaml", "--step-time", "lists=1m"],
    "a tune step's time as that of a step": ["pipeline.yaml", "--step-time", "tune=1m"],
    "a step's time as that of a trial": ["pipeline.yaml", "--trial-time", "list=1m"],
    "a step twice": ["pipeline.yaml", "--step-time", "list=1m", "--step-time", "list=2m"],
    "items that are no number": ["pipeline.yaml", "--items", "each=many"],
    "an unknown loop": ["pipeline.yaml", "--items", "all=3"],
    "results that are not there": ["study.yaml", "--from", "runs/toi"],
    "above the limit": ["study.yaml", "--trial-time", "1h", "--max", "0.1"],
    "nothing known": ["below/study.yaml", "--prices", "gpu.yaml", "~budget.trial_timeout"],
    "a pipeline with an unknown loop": ["pipeline.yaml"],
}
RUNS = {
    "max_cost: no sum": ["budget.max_cost=0"],
    "max_cost: a text": ["budget.max_cost=much"],
    "max_cost: an unknown key": ["budget.max_cost={limit: 5, hourly: 1}"],
    "max_cost: no limit": ["budget.max_cost={per_hour: 1}"],
    "max_cost: also a rule": ["budget.max_cost=5", "stopping={max_cost: {limit: 5, per_hour: 1}}"],
    "max_cost: a price that is missing": ["budget.max_cost=5", "step.resources.gpu=1"],
    "max_cost: nothing asked for": ["budget.max_cost=5", "~step.resources"],
}


def test_every_mistake_is_explained(project: Path):
    texts = {name: printed(["cost", *arguments], project) for name, arguments in MISTAKES.items()}
    texts |= {name: printed(["run", "study.yaml", *settings], project) for name, settings in RUNS.items()}
    (project / "prices.yaml").write_text(FILES["free.yaml"])
    texts["max_cost: everything is free"] = printed(["run", "study.yaml", "budget.max_cost=5"], project)
    (project / "prices.yaml").unlink()
    texts["max_cost: no prices"] = printed(["run", "study.yaml", "budget.max_cost=5"], project)
    record(SNAPSHOTS, texts)
    assert texts == recorded(SNAPSHOTS), REMEDY
