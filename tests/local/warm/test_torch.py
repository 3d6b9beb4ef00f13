"""Trainings with torch give the same bytes from a warm worker."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from local_study import log_of, run, trials_in
from warm_study import Forks, run_module

from kftune.hparams.models.lstm import LstmHparams
from kftune.study import Study

TRAINING = """
import os
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(3)
data = TensorDataset(torch.randn(256, 16), torch.randn(256, 1))
model = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, 1))
optimizer = torch.optim.Adam(model.parameters())
if __name__ == "__main__":
    print(torch.get_num_threads(), torch.get_num_interop_threads(), torch.initial_seed(), torch.cuda.is_available())
    torch.set_num_threads(2)
    for epoch in range(2):
        for seen, wanted in DataLoader(data, batch_size=32, shuffle=True, num_workers=2):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(seen), wanted)
            loss.backward()
            optimizer.step()
        print(f"loss={loss.item()!r}")
    large = torch.randn(300, 300)
    print((large @ large).sum().item(), torch.linalg.svd(large).S.sum().item(), large.numpy().dot(large.numpy()).sum())
    print(torch.compiler.is_compiling(), torch.random.initial_seed())
    torch.save(model.state_dict(), os.environ["KFTUNE_OUTPUT_DIR"] + "/model.pt")
"""


@pytest.fixture
def forks(monkeypatch: pytest.MonkeyPatch) -> Forks:
    return Forks(monkeypatch)


def test_a_training_with_workers_and_threads_writes_the_same_bytes(tmp_path, forks):
    found = run_module(tmp_path, TRAINING, step={"warm": None})
    assert len(forks.pids) == 2
    as_usual, *forked = found.ends()
    assert as_usual[:2] == ("Succeeded", 0)
    assert forked == [as_usual] * 2
    models = {path.read_bytes() for path in (tmp_path / "runs").glob("trials/*/model.pt")}
    assert len(models) == 1


def lstm(folder: Path, warm: bool) -> list[tuple[object, ...]]:
    """Trains two LSTMs, and returns what is stored and printed, without times."""
    parts: dict[str, Any] = {
        "name": "circuits",
        "hparams": LstmHparams,
        "values": {"circuit": "PLANT001/CIRCUIT01", "epochs": 1, "batch_size": 256, "lstm_units": 8},
        "search": {"learning_rate": {"loguniform": [1e-4, 1e-2]}},
        "objective": {"metric": "val_loss", "direction": "minimize"},
        "algorithm": {"name": "random", "seed": 7},
        "budget": {"max_trials": 2},
        "step": {"module": "kftune.training", "args": ["lstm"], "warm": warm},
    }
    run(Study(**parts), folder)
    trials = trials_in(folder)
    logs = [re.sub(r"completed after .*", "", log_of(folder, trial)) for trial in trials]
    models = [(folder / "trials" / trial.name / "model.pt").read_bytes() for trial in trials]
    ends = [(trial.state, trial.assignment, trial.metrics) for trial in trials]
    return [*zip(ends, logs, models, strict=True)]


def test_the_built_in_training_prints_and_writes_the_same(tmp_path, forks):
    warm = lstm(tmp_path / "warm", warm=True)
    assert len(forks.pids) == 1
    assert [trial.state for trial in trials_in(tmp_path / "warm")] == ["Succeeded"] * 2
    assert warm == lstm(tmp_path / "cold", warm=False)
