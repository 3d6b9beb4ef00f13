"""20 fields as an `Hparams` class."""

from __future__ import annotations

import sys

from benchmarks.f_arguments import ARGV
from benchmarks.worker import serve
from kftune import Hparam, Hparams


class Optimizer(Hparams):
    name: str = "sgd"
    lr: float = Hparam(1e-3, gt=0)
    momentum: float = Hparam(0.0, ge=0, lt=1)
    weight_decay: float = 0.0
    nesterov: bool = False


class Model(Hparams):
    layers: int = Hparam(2, ge=1)
    units: int = Hparam(64, ge=1)
    dropout: float = Hparam(0.0, ge=0, lt=1)
    activation: str = "relu"
    bias: bool = True


class Data(Hparams):
    path: str = "/data"
    window: int = Hparam(24, ge=1)
    horizon: int = Hparam(1, ge=1)
    share: float = Hparam(0.8, gt=0, lt=1)
    shuffle: bool = True


class Training(Hparams):
    epochs: int = Hparam(10, ge=1)
    batch_size: int = Hparam(32, ge=1)
    seed: int = 0
    precision: str = "fp32"
    resume: bool = False
    optimizer: Optimizer = Optimizer()
    model: Model = Model()
    data: Data = Data()


if __name__ == "__main__":
    if sys.argv[1:] == ["show"]:
        print(Training.from_args(ARGV).to_flat())
    else:
        serve(lambda: Training.from_args(ARGV))
