"""A study in the words of another system means the same there, and each part that does not is named."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import optuna
import pytest
from mistake_texts import printed

from kftune import Hparams, yaml_text
from kftune.domains import Domain, domain_from_spec
from kftune.errors import UnknownNameError
from kftune.importers import Options, read_foreign
from kftune.importers.outward import Exported, write_foreign
from kftune.importers.report import losses
from kftune.study import Study, study_from_dict


class One(Hparams):
    """One hyperparameter."""

    x: float | str = 1.0
    """Whatever the domain gives."""


def study(search: dict[str, Any], **parts: Any) -> Study:
    given = {
        "name": "one",
        "hparams": One,
        "search": {"x": search},
        "objective": {"metric": "loss", "direction": "minimize"},
        "algorithm": {"name": "random"},
        "step": {"command": ["python", "train.py"], "image": "registry.example/one:1"},
    }
    return study_from_dict({**given, **parts})


def loaded(text: str) -> Any:
    return yaml_text.load(text)


def back(system: str, exported: Exported, folder: Path) -> Domain:
    path = folder / "written.yaml"
    path.write_text(exported.text, encoding="utf-8")
    return domain_from_spec(read_foreign(system, path, Options()).study["search"]["x"])


def _digits(rng: random.Random, low: float, high: float) -> float:
    return float(f"{rng.uniform(low, high):.5g}")


def _specs(seed: int) -> list[dict[str, Any]]:
    """Returns domains that Azure ML has too, with drawn bounds."""
    rng = random.Random(seed)
    low, q, first = _digits(rng, 1e-6, 1), rng.choice([1, 2, 0.5, 0.1, 8]), rng.randrange(1, 9)
    ends = [round(first * q, 6), round((first + rng.randrange(1, 40)) * q, 6)]
    step = rng.randrange(1, 9)
    return [
        {"uniform": [-low, _digits(rng, 1, 99)]},
        {"loguniform": [low, _digits(rng, 1.1, 99)]},
        {"quniform": ends, "q": q},
        {"qloguniform": ends, "q": q},
        {"int": [0, rng.randrange(2, 99)]},
        {"int": [first * step, first * step + step * rng.randrange(1, 40)], "step": step},
        {"int": [first, first + rng.randrange(1, 400)], "log": True},
        {"int": [first, first + 3 * 7], "step": 7},
        {"normal": [low, 2.5]},
        {"lognormal": [low, 0.25]},
        {"qnormal": [10.0, 2.5], "q": 0.5},
        {"qlognormal": [2.0, 0.5], "q": 1},
        {"choice": [0.5, low, 7.25]},
        {"choice": ["adam", "sgd"]},
        {"discrete": [1.5, 2.5]},
        {"ordinal": ["small", "large"]},
    ]


def _same(one: Domain, other: Domain) -> bool:
    """Returns whether two domains have the same points: all of them, or those at some shares."""
    if one.size == other.size and one.size < float("inf"):
        return [*map(str, map(_number, one.grid()))] == [*map(str, map(_number, other.grid()))]
    shares = [0.001, 0.1, 0.5, 0.8, 0.999]
    return [one.quantile(u) for u in shares] == pytest.approx([other.quantile(u) for u in shares], rel=1e-9)


def _number(value: Any) -> Any:
    return value if isinstance(value, str) else float(value)


@pytest.mark.parametrize("seed", range(12))
def test_a_space_without_loss_comes_back_from_azure_as_it_was(seed: int, tmp_path: Path) -> None:
    for spec in _specs(seed):
        exported = write_foreign("azureml", study(spec))
        assert losses(exported) == [], spec
        assert _same(back("azureml", exported, tmp_path), domain_from_spec(spec)), (spec, exported.text)


@pytest.mark.parametrize("seed", range(12))
def test_a_space_without_loss_comes_back_from_optuna_as_it_was(seed: int, tmp_path: Path) -> None:
    carried = 0
    for spec in _specs(seed):
        exported = write_foreign("optuna", study(spec))
        lost = any(note.where == "search.x" for note in losses(exported))
        carried += not lost
        assert lost or _same(back("optuna", exported, tmp_path), domain_from_spec(spec)), (spec, exported.text)
    assert carried == 11


@pytest.mark.parametrize("spec", _specs(0), ids=lambda spec: next(iter(spec)))
def test_optuna_reads_the_distributions(spec: dict[str, Any]) -> None:
    found = json.loads(write_foreign("optuna", study(spec)).text)["x"]
    read = optuna.distributions.json_to_distribution(json.dumps(found))
    assert type(read).__name__ == found["name"]


@pytest.mark.parametrize(
    ("spec", "system", "said"),
    [
        ({"reverse_loguniform": [0.9, 0.999]}, "azureml", "logarithmic towards 1"),
        ({"reverse_loguniform": [0.9, 0.999]}, "optuna", "logarithmic towards 1"),
        ({"normal": [0.0, 1.0], "low": -1}, "azureml", "bounds are left out"),
        ({"normal": [0.0, 1.0]}, "optuna", "3 standard deviations"),
        ({"choice": [0.5, 0.25], "weights": [1, 3]}, "azureml", "weights are left out"),
        ({"choice": [0.5, 0.25], "weights": [1, 3]}, "optuna", "weights are left out"),
        ({"qloguniform": [2, 64], "q": 2}, "optuna", "no step on a logarithmic scale"),
        ({"int": [2, 64], "step": 2, "log": True}, "optuna", "no step on a logarithmic scale"),
        ({"int": [2, 64], "step": 2, "log": True}, "azureml", "other values"),
    ],
)
def test_a_domain_that_a_system_lacks_is_named(spec: dict[str, Any], system: str, said: str) -> None:
    (note,) = [note for note in losses(write_foreign(system, study(spec))) if note.where == "search.x"]
    assert said in note.text


def test_the_bounds_of_azure_s_logarithmic_range_are_exponents() -> None:
    job = loaded(write_foreign("azureml", study({"loguniform": [1e-4, 1e-2]})).text)
    found = job["search_space"]["x"]
    assert (found["min_value"], found["max_value"]) == pytest.approx((-9.21034, -4.60517))


def test_a_sweep_has_the_policy_the_limits_and_the_objective() -> None:
    parts = {
        "budget": {"max_trials": 20, "parallel": 4, "wall_clock": "2h", "trial_timeout": "90s"},
        "stopping": {"bandit": {"slack_factor": 0.2, "interval": 2, "delay": 3}},
        "algorithm": {"name": "sobol", "seed": 4},
    }
    exported = write_foreign("azureml", study({"uniform": [0, 1]}, **parts))
    job = loaded(exported.text)
    assert job["limits"] == {
        "max_total_trials": 20,
        "max_concurrent_trials": 4,
        "timeout": 7200,
        "trial_timeout": 90,
    }
    assert job["early_termination"] == {
        "type": "bandit",
        "evaluation_interval": 2,
        "delay_evaluation": 3,
        "slack_factor": 0.2,
    }
    assert job["objective"] == {"goal": "minimize", "primary_metric": "loss"}
    assert job["sampling_algorithm"] == {"type": "random", "rule": "sobol", "seed": 4}
    assert job["trial"]["command"] == "python train.py --x=${{search_space.x}}"
    assert losses(exported) == []


@pytest.mark.parametrize(
    ("parts", "where"),
    [
        ({"algorithm": {"name": "tpe"}}, "algorithm"),
        ({"budget": {"max_failed": 2}}, "budget.max_failed"),
        ({"stopping": {"plateau": {"patience": 3}, "wall_clock": "1h"}}, "stopping.plateau"),
        ({"metrics": ["accuracy"]}, "metrics"),
        ({"points": [{"x": 0.5}]}, "points"),
        ({"objective": {"metric": "loss", "direction": "minimize", "goal": 0.1}}, "objective.goal"),
        ({"step": {"command": ["a"], "resources": {"cpu": 1}}}, "step.resources"),
    ],
)
def test_what_a_sweep_lacks_is_named(parts: dict[str, Any], where: str) -> None:
    assert where in [note.where for note in losses(write_foreign("azureml", study({"uniform": [0, 1]}, **parts)))]


def test_a_quoted_token_keeps_what_azure_replaces() -> None:
    step = {"command": ["python", "my train.py", "it's"]}
    job = loaded(write_foreign("azureml", study({"uniform": [0, 1]}, step=step)).text)
    assert job["trial"]["command"] == "python 'my train.py' 'it'\"'\"'s' --x=${{search_space.x}}"


def test_an_unknown_system_is_answered_with_those_there_are() -> None:
    with pytest.raises(UnknownNameError, match="azureml"):
        write_foreign("azure", study({"uniform": [0, 1]}))


def test_strict_writes_nothing_when_something_is_lost(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(
        "name: pumps\nhparams: kftune.hparams.models.lstm:LstmHparams\n"
        "search: {learning_rate: {reverse_loguniform: [0.9, 0.99]}}\n"
        "objective: {metric: val_loss, direction: minimize}\nstep: {command: [python, train.py]}\n"
    )
    text = printed(["export", "study.yaml", "--to", "azureml", "-o", "sweep.yaml", "--strict"], tmp_path)
    assert text.startswith("exit 1")
    assert not (tmp_path / "sweep.yaml").exists()
