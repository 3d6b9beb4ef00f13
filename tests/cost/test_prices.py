"""The price table: what one pod costs for an hour, and what is unknown."""

from __future__ import annotations

from pathlib import Path

import pytest

from kftune.spec.container import ContainerSettings, Resources
from kftune.spec.prices import Prices, PriceTable, node_type_of, prices_above

TABLE = PriceTable(
    Prices(
        currency="EUR",
        cpu_hour=0.04,
        memory_gib_hour=0.005,
        gpu_hour={"NVIDIA-L4": 0.7, "amd.com/gpu": 0.5, "any": 2.0},
        node_hour={"g5.xlarge": 1.1},
    ),
    Path("prices.yaml"),
)


def resources(**given) -> Resources:
    return Resources(**{"cpu": "2", "memory": "4Gi", **given})


@pytest.mark.parametrize(
    ("given", "cost"),
    [
        pytest.param(resources(), 2 * 0.04 + 4 * 0.005, id="cores and memory"),
        pytest.param(resources(cpu="500m", memory="512Mi"), 0.5 * 0.04 + 0.5 * 0.005, id="parts"),
        pytest.param(resources(memory="1G"), 2 * 0.04 + 1e9 / 2**30 * 0.005, id="a GB is less than a GiB"),
        pytest.param(resources(gpu=2, gpu_type="NVIDIA-L4"), 0.1 + 1.4, id="the product"),
        pytest.param(resources(gpu=1, gpu_resource="amd.com/gpu"), 0.1 + 0.5, id="the resource"),
        pytest.param(resources(gpu=1, gpu_type="NVIDIA-A100"), 0.1 + 2.0, id="any other"),
        pytest.param(resources(nodes=3), 0.1, id="the price is that of one pod"),
    ],
)
def test_a_pod_costs_what_it_asks_for(given, cost):
    rate = TABLE.rate(given, None)
    assert rate.value == pytest.approx(cost)
    assert rate.missing == ()


def test_a_pod_on_a_node_with_a_price_costs_the_whole_node():
    assert TABLE.rate(resources(gpu=1), "g5.xlarge").value == 1.1
    assert TABLE.rate(Resources(), "g5.xlarge").value == 1.1
    assert TABLE.rate(resources(), "other").value == pytest.approx(0.1)


def test_the_type_of_node_is_a_label_or_an_instance_type():
    labelled = ContainerSettings(node_selector={"node.kubernetes.io/instance-type": "g5.xlarge"})
    assert node_type_of(labelled) == "g5.xlarge"
    assert node_type_of(labelled, "ml.m5.large") == "g5.xlarge"
    assert node_type_of(ContainerSettings(), "ml.m5.large") == "ml.m5.large"
    assert node_type_of(ContainerSettings()) is None


def test_what_is_not_known_is_named_and_no_price_is_guessed():
    empty = PriceTable(Prices(currency="EUR"), Path("prices.yaml"))
    rate = empty.rate(resources(gpu=1, gpu_type="NVIDIA-L4"), None)
    assert rate.value is None
    assert rate.missing == (
        "prices.yaml has no cpu_hour (0 if it costs nothing)",
        "prices.yaml has no memory_gib_hour (0 if it costs nothing)",
        "prices.yaml has no gpu_hour for NVIDIA-L4 (0 if it costs nothing)",
    )
    assert TABLE.rate(Resources(cpu="1"), None).missing == (
        "resources.memory is not given, which memory_gib_hour is the price of",
    )


def test_an_amount_that_costs_nothing_need_not_be_known():
    free = PriceTable(Prices(currency="EUR", cpu_hour=0, memory_gib_hour=0, gpu_hour={"any": 1.5}), Path("prices.yaml"))
    assert free.rate(Resources(gpu=2), None).value == 3.0


def test_the_nearest_table_above_counts(tmp_path: Path):
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / "prices.yaml").write_text("{currency: EUR, cpu_hour: 1}")
    found = prices_above(inner)
    assert found is not None
    assert found.path == tmp_path / "prices.yaml"
    (tmp_path / "a" / "prices.yaml").write_text("{currency: USD}")
    found = prices_above(inner)
    assert found is not None
    assert found.prices.currency == "USD"
