"""Studies that Optuna itself has written are read without Optuna."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from kftune.errors import ForeignFileError
from kftune.importers import Options, read_foreign

pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")

DISTRIBUTIONS: dict[str, tuple[optuna.distributions.BaseDistribution, dict[str, Any]]] = {
    "lr": (optuna.distributions.FloatDistribution(1e-5, 1e-1, log=True), {"loguniform": [1e-5, 1e-1]}),
    "dropout": (optuna.distributions.FloatDistribution(0, 0.5), {"uniform": [0.0, 0.5]}),
    "share": (optuna.distributions.FloatDistribution(0, 1, step=0.25), {"quniform": [0.0, 1.0], "q": 0.25}),
    "layers": (optuna.distributions.IntDistribution(1, 4), {"int": [1, 4]}),
    "units": (optuna.distributions.IntDistribution(16, 64, step=16), {"int": [16, 64], "step": 16}),
    "width": (optuna.distributions.IntDistribution(8, 512, log=True), {"int": [8, 512], "log": True}),
    "optimizer": (optuna.distributions.CategoricalDistribution(["adam", "sgd"]), {"choice": ["adam", "sgd"]}),
    "amp": (optuna.distributions.CategoricalDistribution([True, False]), {"choice": [True, False]}),
}


def stored(path: Path, kind: str) -> Path:
    storage: Any = f"sqlite:///{path}" if kind == "sqlite" else JournalStorage(JournalFileBackend(str(path)))
    study = optuna.create_study(storage=storage, study_name="first", direction="maximize")
    for _ in range(3):
        study.tell(study.ask({name: distribution for name, (distribution, _) in DISTRIBUTIONS.items()}), 0.5)
    both = optuna.create_study(storage=storage, study_name="second", directions=["minimize", "maximize"])
    both.set_metric_names(["loss", "accuracy"])
    both.tell(both.ask({"x": DISTRIBUTIONS["lr"][0]}), [0.5, 0.9])
    wider = optuna.distributions.FloatDistribution(1e-6, 1.0, log=True)
    both.tell(both.ask({"x": wider, "y": DISTRIBUTIONS["layers"][0]}), [0.5, 0.9])
    return path


@pytest.fixture(scope="module", params=["sqlite", "journal"])
def storage(request, tmp_path_factory) -> Path:
    return stored(tmp_path_factory.mktemp("stored") / "storage", request.param)


def test_a_stored_study_has_its_space_and_directions(storage: Path):
    found = read_foreign("optuna", storage, Options(pick="first"))
    assert found.study["search"] == {name: spec for name, (_, spec) in DISTRIBUTIONS.items()}
    assert found.study["objective"] == {"metric": "value", "direction": "maximize"}
    assert found.study["budget"] == {"max_trials": 3}


def test_what_differs_between_trials_is_reported(storage: Path):
    found = read_foreign("optuna", storage, Options(pick="second"))
    assert found.study["objectives"] == [
        {"metric": "loss", "direction": "minimize"},
        {"metric": "accuracy", "direction": "maximize"},
    ]
    lost = {(note.where, note.text.partition(":")[0]) for note in found.notes if note.kind == "lost"}
    assert ("distributions.y", "1 of 2 trials have it") in lost
    assert ("distributions.x", "its distribution differs between trials; that of the last trial is taken") in lost


def test_one_of_several_studies_has_to_be_picked(storage: Path):
    with pytest.raises(ForeignFileError, match="2 studies; choose one with --pick"):
        read_foreign("optuna", storage)
    with pytest.raises(ForeignFileError, match="did you mean 'first'"):
        read_foreign("optuna", storage, Options(pick="frist"))


def test_a_storage_is_not_changed_by_reading(storage: Path):
    before = storage.read_bytes()
    read_foreign("optuna", storage, Options(pick="first"))
    assert storage.read_bytes() == before
    assert [each.name for each in storage.parent.iterdir()] == ["storage"]
