"""What a run of a pipeline costs: the sum of its steps, loops, trials, nodes and launchers."""

from __future__ import annotations

from pathlib import Path

import pytest
from pipeline_examples import chain, pipeline, step
from study_examples import data as study_data

from kftune.cost import Estimate, pipeline_estimate
from kftune.cost.of_pipeline import PipelineTimes
from kftune.cost.times import given
from kftune.pipeline import Pipeline
from kftune.spec.prices import Prices, PriceTable

TABLE = PriceTable(
    Prices(currency="EUR", cpu_hour=0.1, memory_gib_hour=0, gpu_hour={"any": 1}, node_hour={"ml.g5.xlarge": 2}),
    Path("prices.yaml"),
)
DEFAULTS = {"resources": {"cpu": 1}, "image": "registry.example/toy:1", "timeout": "1h", "grace_period": 36}
LAUNCHER = {"image": "registry.example/launcher:1", "resources": {"cpu": "100m"}}
ITEMS = {"loops": {"circuits": {"items": ["a", "b", "c", "d"]}}}


def estimate(made: Pipeline, items: dict[str, int] | None = None, **hours: float) -> Estimate:
    times = {name: given(each * 3600, "--step-time") for name, each in hours.items()}
    return pipeline_estimate(made, PipelineTimes(times, items or {}), TABLE)


def tune(**fields: object) -> dict[str, object]:
    trial = {"command": ["python", "train.py"], "resources": {"cpu": 4, "gpu": 1}}
    budget = {"max_trials": 6, "parallel": 3, "trial_timeout": "30m"}
    study = study_data(step=trial, budget=budget, algorithm={"name": "random"})
    return step("tune", study=study, **LAUNCHER, **fields)


def names(found: Estimate) -> list[tuple[str, int | None, int]]:
    return [(line.name, line.runs, line.pods) for line in found.lines]


def test_steps_are_summed():
    found = estimate(pipeline(chain(), defaults=DEFAULTS), data=1, train=2, evaluate=0.5)
    assert names(found) == [("data", 1, 1), ("train", 1, 1), ("evaluate", 1, 1)]
    assert found.expected.value("cpu_hours") == 3.5
    assert found.expected.value("cost") == pytest.approx(0.35)
    assert found.most.value("cost") == pytest.approx(3 * 1.01 * 0.1)
    assert found.objects["argo"] == {"Workflow": 1, "Pod": 3, "WorkflowTaskResult": 3}
    assert found.objects["kfp"] == {"Workflow": 1, "Pod": 7, "WorkflowTaskResult": 7}


def test_a_step_whose_time_is_not_known_makes_the_sum_unknown_and_leaves_what_is_known():
    found = estimate(pipeline(chain(), defaults=DEFAULTS), data=1, train=2)
    assert found.expected.value("cpu_hours") is None
    assert found.expected.known.cpu_hours == 3
    assert found.all_unknown == (
        "evaluate: it has not run yet, so its time is unknown; give --step-time evaluate=DURATION",
    )


def test_a_tune_step_is_its_trials_and_the_launcher_that_waits_for_them():
    found = estimate(pipeline({"tune": tune()}, defaults=DEFAULTS), tune=0.5)
    assert names(found) == [("tune: launcher", 1, 1), ("tune: trials", 6, 1)]
    assert found.expected.value("gpu_hours") == {"nvidia.com/gpu": 3}
    assert found.expected.value("cost") == pytest.approx(6 * 0.5 * (0.4 + 1) + 1 * 0.01)
    assert found.objects["argo"]["Pod"] == 1 + 1 + 6
    assert found.objects["argo"]["Trial"] == 6
    assert found.objects["kfp"]["Pod"] == 1 + 2 + 1 + 6


def test_a_loop_runs_its_steps_once_for_each_item():
    found = estimate(pipeline({"tune": tune(for_each="circuits")}, defaults=DEFAULTS, **ITEMS), tune=0.5)
    assert names(found) == [("tune: launcher", 4, 1), ("tune: trials", 24, 1)]
    assert found.expected.value("gpu_hours") == {"nvidia.com/gpu": 12}
    assert found.objects["argo"]["Experiment"] == 4
    assert found.objects["argo"]["Pod"] == 4 * (1 + 1 + 6)
    # The run, the loop and each iteration have a driver, and each launcher.
    assert found.objects["kfp"]["Pod"] == 1 + 1 + 4 + 4 * 2 + 4 * (1 + 6)


def test_the_items_of_a_loop_that_only_a_run_knows_are_not_guessed():
    loops = {"circuits": {"items": "${steps.list.outputs.names}"}}
    steps = {"list": step(outputs={"names": "list"}), "work": step(for_each="circuits")}
    made = pipeline(steps, loops=loops, defaults=DEFAULTS)
    found = estimate(made, list=1, work=1)
    assert found.expected.value("cost") is None
    assert found.objects == {}
    assert found.all_unknown == (
        "the number of items of loop circuits, which only a run knows; give --items circuits=NUMBER",
    )
    known = estimate(made, {"circuits": 20}, list=1, work=1)
    assert known.expected.value("cpu_hours") == 21
    assert known.objects["argo"]["Pod"] == 21


def test_every_node_of_a_step_counts_and_its_launcher():
    job = {"kind": "PyTorchJob", "launcher": "registry.example/launcher:1", "resources": {"cpu": "100m"}}
    several = step(job=job, resources={"cpu": 2, "nodes": 4})
    found = estimate(pipeline({"train": several}, defaults=DEFAULTS), train=2)
    assert names(found) == [("train: launcher", 1, 1), ("train: nodes", 1, 4)]
    assert found.expected.value("cpu_hours") == pytest.approx(2 * 0.1 + 4 * 2 * 2)
    assert found.objects["argo"]["Pod"] == 1 + 4
    assert found.objects["argo"]["PyTorchJob"] == 1


def test_an_instance_type_with_a_price_costs_the_whole_node_and_a_launcher_does_not():
    defaults = {**DEFAULTS, "resources": {}, "instance_type": "ml.g5.xlarge"}
    found = estimate(pipeline({"tune": tune(), "after": step()}, defaults=defaults), tune=1, after=1)
    costs = {line.name: line.expected.cost for line in found.lines}
    assert costs == {"tune: launcher": pytest.approx(2 * 0.01), "tune: trials": 12, "after": 2}


def test_retries_count_at_most():
    found = estimate(pipeline({"data": step(retries=2)}, defaults=DEFAULTS), data=0.5)
    assert found.expected.value("node_hours") == 0.5
    assert found.most.value("node_hours") == pytest.approx(3 * 1.01)


def test_the_timeout_of_the_pipeline_bounds_a_step_too():
    defaults = {name: value for name, value in DEFAULTS.items() if name != "timeout"}
    found = estimate(pipeline({"data": step()}, defaults=defaults, timeout="2h"), data=0.5)
    assert found.most.value("node_hours") == pytest.approx(2.01)


def test_conditions_and_the_exit_step_count():
    steps = chain(check=step(when="${steps.evaluate.outputs.val_loss} < 1", inputs={"x": 1}))
    made = pipeline(steps, defaults=DEFAULTS, exit=step())
    found = estimate(made, data=1, train=1, evaluate=1, check=1, exit=1)
    assert found.expected.value("node_hours") == 5
    assert found.not_counted[1] == "conditions: check may be skipped"
    assert found.objects["argo"]["Pod"] == 5
    # Drivers of the run, the condition, the part before the exit step, and each step.
    assert found.objects["kfp"]["Pod"] == 3 + 5 * 2
