"""The cost that all entities share: it ends a run for them, over all runs, while trials run."""

from __future__ import annotations

import pytest
from entity_runs import counts, many, run

from kftune.errors import RunError
from kftune.results.entities import EntitiesFolder


def spent(folder) -> float:
    total = 0.0
    entities = EntitiesFolder(folder)
    for entity in entities.entities():
        found = entities.open(entity)
        assert found is not None
        with found as results:
            total += results.trial_seconds()
    return total


def test_what_all_entities_cost_together_ends_the_run_and_the_next_one(tmp_path):
    def study(limit):
        shared = {"items": ["a", "b", "c"], "budget": {"parallel": 3, "max_cost": {"limit": limit, "per_hour": 3600}}}
        return many(shared, trials=50, script="sleep 0.1; echo loss=1")

    outcome, _ = run(study(1.0), tmp_path / "runs")
    assert outcome.reason == "MaxCostReached"
    assert outcome.message.startswith("the trials of all entities have cost for_each.budget.max_cost, after ")
    assert 1.0 <= spent(tmp_path / "runs") < 2.5
    before = counts(tmp_path / "runs")
    again, _ = run(study(1.0), tmp_path / "runs")
    assert again.reason == "MaxCostReached"
    assert counts(tmp_path / "runs") == before
    more, _ = run(study(2.6), tmp_path / "runs")
    assert more.reason == "MaxCostReached"
    assert spent(tmp_path / "runs") >= 2.6


def test_a_shared_limit_without_a_price_is_refused_before_anything_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shared = {"items": ["a", "b"], "budget": {"max_cost": 5}}
    with pytest.raises(RunError, match=r"for_each\.budget\.max_cost needs the price of a trial's hour"):
        run(many(shared), tmp_path / "runs")
    assert not (tmp_path / "runs" / "entities.json").exists()
