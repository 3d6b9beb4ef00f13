"""What a study costs: exact sums, and no number that nobody knows."""

from __future__ import annotations

from pathlib import Path

import pytest
from study_examples import toy

from kftune.cost import study_estimate
from kftune.cost.times import UNKNOWN, given, measured
from kftune.spec.prices import Prices, PriceTable
from kftune.study import Study

TABLE = PriceTable(
    Prices(currency="EUR", cpu_hour=0.04, memory_gib_hour=0.005, gpu_hour={"NVIDIA-L4": 0.7}), Path("prices.yaml")
)
HALF_AN_HOUR = given(1800, "--trial-time 30m")


def study(budget: dict[str, object] | None = None, katib: dict[str, object] | None = None, **step: object) -> Study:
    settings = {
        "command": ["python", "train.py"],
        "image": "registry.example/toy:1",
        "grace_period": 36,
        "resources": {"cpu": 2, "memory": "4Gi", "gpu": 1, "gpu_type": "NVIDIA-L4"},
        **step,
    }
    limits = {"max_trials": 10, "parallel": 2, **(budget or {})}
    return toy(step=settings, budget=limits, algorithm={"name": "random"}, targets={"katib": katib or {}})


def test_the_sums_are_trials_by_time_by_resources_by_prices():
    estimate = study_estimate(study(), HALF_AN_HOUR, TABLE)
    expected = estimate.expected.known
    assert expected.node_hours == 5
    assert expected.cpu_hours == 10
    assert expected.memory_gib_hours == 20
    assert expected.gpu_hours == {"NVIDIA-L4": 5}
    assert expected.cost == pytest.approx(10 * 0.04 + 20 * 0.005 + 5 * 0.7)


def test_at_most_each_trial_and_each_of_its_tries_takes_its_timeout_and_the_grace_period():
    retries = {"failed": 2, "out_of_memory": 1}
    estimate = study_estimate(study({"trial_timeout": "1h", "retries": retries}), HALF_AN_HOUR, TABLE)
    most = estimate.most
    assert most.value("node_hours") == pytest.approx(10 * 4 * 1.01)
    assert most.value("gpu_hours") == {"NVIDIA-L4": pytest.approx(40.4)}
    assert most.value("cost") == pytest.approx(40.4 * (2 * 0.04 + 4 * 0.005 + 0.7))


def test_every_node_of_a_trial_counts():
    resources = {"cpu": 2, "memory": "4Gi", "nodes": 3}
    estimate = study_estimate(study(katib={"trial_kind": "PyTorchJob"}, resources=resources), HALF_AN_HOUR, TABLE)
    assert estimate.expected.known.cpu_hours == 30
    assert estimate.expected.known.cost == pytest.approx(15 * 0.1)


def test_many_trials_take_their_number_times_the_mean_and_not_the_median():
    seconds = [360.0, 360.0, 2880.0]
    estimate = study_estimate(study(), measured(seconds, "runs/toy"), TABLE)
    (line,) = estimate.lines
    assert (line.times.median, line.times.least, line.times.longest, line.times.number) == (360, 360, 2880, 3)
    assert estimate.expected.known.node_hours == pytest.approx(10 * 1200 / 3600)


def test_what_is_not_known_is_named():
    estimate = study_estimate(study(resources={}), UNKNOWN, TABLE)
    assert [estimate.expected.value(name) for name in ("node_hours", "cpu_hours", "cost")] == [None, None, None]
    assert estimate.most.value("cost") is None
    assert estimate.all_unknown == (
        "trials: no trial has finished, so its time is unknown; give --trial-time, or run one first",
        "trials: a trial has no longest time; give budget.trial_timeout",
        "trials: resources.cpu is not given, which cpu_hour is the price of",
        "trials: resources.memory is not given, which memory_gib_hour is the price of",
    )


def test_a_node_that_may_be_lost_any_number_of_times_has_no_bound():
    estimate = study_estimate(study({"trial_timeout": "1h", "retries": {"lost": 1}}), HALF_AN_HOUR, TABLE)
    assert estimate.most.value("cost") is None
    assert "nothing limits its tries" in estimate.all_unknown[0]


def test_a_price_of_the_study_itself_needs_no_table():
    limited = study({"max_cost": {"limit": 50, "per_hour": 1.2}, "trial_timeout": "30m"}, resources={})
    estimate = study_estimate(limited, HALF_AN_HOUR, None)
    assert estimate.expected.value("cost") == pytest.approx(6.0)
    assert estimate.most.value("cost") == pytest.approx(10 * 1836 / 3600 * 1.2)
    assert estimate.limit == 50


@pytest.mark.parametrize(
    ("budget", "limit", "why"),
    [
        pytest.param({"trial_timeout": "1h"}, 9, "", id="below"),
        pytest.param({"trial_timeout": "1h"}, 8, "it may cost 8.08, above the limit of 8", id="at most above"),
        pytest.param({"trial_timeout": "1h"}, 3.5, "it is expected to cost 4.00, above the limit of 3.5", id="above"),
        pytest.param(
            {},
            100,
            "nothing says that it costs no more than the limit of 100: its cost has no upper bound",
            id="no bound is no proof",
        ),
    ],
)
def test_a_limit_holds_only_where_no_trial_can_break_it(budget, limit, why):
    assert study_estimate(study(budget), HALF_AN_HOUR, TABLE).over(limit) == why


def test_a_grid_has_no_more_trials_than_points():
    space = {"kind": None, "momentum": None, "optimizer.lr": None, "units": {"choice": [32, 64, 128]}}
    small = toy(search=space, algorithm={"name": "grid"}, budget={"max_trials": 10})
    assert study_estimate(small, HALF_AN_HOUR, TABLE).expected.known.node_hours == 1.5


# -- pods and objects ------------------------------------------------------------------------------------------------

_OF_KATIB = {"Experiment": 1, "Suggestion": 1, "Deployment": 1, "ReplicaSet": 1}


@pytest.mark.parametrize(
    ("katib", "step", "made"),
    [
        pytest.param({}, {}, {"Service": 1, "Pod": 11, "Job": 10}, id="Jobs"),
        pytest.param({}, {"queue": "gpus"}, {"Service": 1, "Pod": 11, "Job": 10, "Workload": 10}, id="in a queue"),
        pytest.param(
            {"trial_kind": "PyTorchJob"},
            {"resources": {"nodes": 3}},
            {"Service": 31, "Pod": 31, "PyTorchJob": 10},
            id="PyTorchJobs",
        ),
        pytest.param(
            {"trial_kind": "TrainJob"},
            {"resources": {"nodes": 2}},
            {"Service": 11, "Pod": 21, "TrainJob": 10, "JobSet": 10, "Job": 10},
            id="TrainJobs",
        ),
        pytest.param(
            {"resume_policy": "FromVolume"},
            {},
            {"Service": 1, "Pod": 11, "Job": 10, "PersistentVolumeClaim": 1},
            id="a volume",
        ),
    ],
)
def test_the_objects_on_katib_are_counted_by_kind(katib, step, made):
    (engine,) = study_estimate(study(katib=katib, **step), HALF_AN_HOUR, None).objects.items()
    assert engine == ("katib", {**_OF_KATIB, "Trial": 10, **made})


def test_early_stopping_on_katib_needs_an_account_of_its_own():
    stopping = study().replace(stopping={"median": {}})
    objects = study_estimate(stopping, HALF_AN_HOUR, None).objects["katib"]
    assert [objects[kind] for kind in ("ServiceAccount", "Role", "RoleBinding", "Pod")] == [1, 1, 1, 11]


def test_a_study_that_katib_cannot_run_has_no_objects_there():
    estimate = study_estimate(study().replace(constraints=["units > 3"]), HALF_AN_HOUR, None)
    assert estimate.objects == {}
    assert estimate.all_unknown[0].startswith("pods and objects on Katib, which cannot run it: Katib draws each value")


# -- entities --------------------------------------------------------------------------------------------------------


def entities(count: int, shared: dict[str, int] | None = None, **budget: object) -> Study:
    step = {
        "command": ["train", "--entity=${entity}"],
        "image": "registry.example/toy:1",
        "resources": {"cpu": 2, "memory": "4Gi"},
    }
    each = {"items": [f"entity-{number}" for number in range(count)], "budget": shared or {}}
    return toy(step=step, for_each=each, budget={"max_trials": 3, **budget}, algorithm={"name": "random"})


def test_each_entity_has_trials_and_an_experiment_of_its_own():
    estimate = study_estimate(entities(200), HALF_AN_HOUR, TABLE)
    assert estimate.lines[0].runs == 600
    assert estimate.expected.known.cpu_hours == 600
    assert estimate.objects["katib"]["Experiment"] == 200
    assert estimate.objects["katib"]["Pod"] == 200 * (1 + 3)


def test_the_trials_that_all_entities_share_are_a_bound():
    estimate = study_estimate(entities(200, {"max_trials": 250}), HALF_AN_HOUR, TABLE)
    assert estimate.lines[0].runs == 250
    assert estimate.objects == {}
    assert "nothing on a cluster counts the trials of all entities together" in estimate.all_unknown[0]


def test_the_limit_of_the_cost_is_that_of_each_entity_or_of_all_of_them():
    def limit(shared: dict[str, int] | None, **budget: object) -> float | None:
        return study_estimate(entities(20, shared, **budget), HALF_AN_HOUR, TABLE).limit

    assert limit(None) is None
    assert limit(None, max_cost=5) == 100
    assert limit({"max_cost": 70}) == 70
    assert limit({"max_cost": 70}, max_cost=5) == 70
    assert limit({"max_cost": 700}, max_cost=5) == 100
