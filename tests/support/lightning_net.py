"""A small typed model, its data, and a training script: ``python lightning_net.py --trainer.max_epochs=2``.

WIDE adds memory that a step needs. LIMIT_MIB limits the memory of the process to that much more than it has at the
start.
"""

from __future__ import annotations

import os
import resource
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from kftune import Hparam
from kftune.training import Data, FitResult, Model, ModelHparams, RunHparams, fit


class NetHparams(ModelHparams):
    """A net with one hidden layer."""

    hidden: int = Hparam(8, ge=1)
    dropout: float = Hparam(0.2, ge=0, lt=1)


class NetRun(RunHparams):
    """The training of a net."""

    model: NetHparams = Hparam(NetHparams())


class Net(Model[NetHparams]):
    def __init__(self, hparams: Any = None) -> None:
        super().__init__(hparams)
        hidden = self.thparams.hidden
        self.body = nn.Sequential(nn.Linear(4, hidden), nn.ReLU(), nn.Dropout(self.thparams.dropout))
        self.head = nn.Linear(hidden, 1)
        self.wide = int(os.environ.get("WIDE", "0"))

    def forward(self, inputs: Tensor) -> Tensor:
        found: Tensor = self.head(self.body(inputs))
        return found + found.new_zeros(self.wide).add(found).mean(1, keepdim=True) if self.wide else found

    def compute_metrics(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        off = outputs - targets
        return {"loss": off.square().mean(), "mae": off.abs().mean()}


def sums(count: int = 200) -> TensorDataset:
    inputs = torch.randn(count, 4, generator=torch.Generator().manual_seed(1))
    return TensorDataset(inputs, inputs.sum(1, keepdim=True))


def train(hparams: NetRun, **options: Any) -> FitResult:
    torch.manual_seed(0)
    return fit(Net(hparams.model), Data(sums(), hparams.data), hparams.trainer, **options)


def _limit_memory(mib: int) -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * os.sysconf("SC_PAGESIZE") + mib * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


if __name__ == "__main__":
    given = NetRun.from_args()
    if "LIMIT_MIB" in os.environ:
        _limit_memory(int(os.environ["LIMIT_MIB"]))
    train(given)
