"""The code of seed 004, typed hyperparameters and models, with kftune's names for its modules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from torch import Tensor
from torch.utils.data import TensorDataset

from kftune import Hparam, Hparams
from kftune.errors import HparamsError
from kftune.training import (
    CheckpointHparams,
    Data,
    EarlyStoppingHparams,
    Model,
    ModelHparams,
    OptimizerHparams,
    SchedulerHparams,
    fit,
)


class TestHparams(Hparams):
    """Hyperparameters for a neural network model."""

    __test__ = False
    learning_rate: float = Hparam(default=1e-3, gt=0.0)
    hidden_dim: int = Hparam(default=128, ge=1)
    num_layers: int = Hparam(default=3, ge=1, le=10)
    dropout: float = Hparam(default=0.1, ge=0.0, lt=1.0)


class MyModelHparams(ModelHparams):
    """Hyperparameters specific to MyModel."""

    hidden_dim: int = 128
    num_layers: int = 3


class MyModel(Model[MyModelHparams]):
    """A simple neural network model."""

    def __init__(self, hparams: MyModelHparams):
        super().__init__(hparams)
        self.layers = torch.nn.ModuleList(
            [
                torch.nn.Linear(self.thparams.hidden_dim, self.thparams.hidden_dim)
                for _ in range(self.thparams.num_layers)
            ]
        )

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = torch.relu(layer(x))
        return x

    def compute_metrics(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        loss = torch.nn.functional.mse_loss(outputs, targets)
        return {"loss": loss}


CONFIG = """\
model_config:
  matmul_precision: high
  optimizer:
    module_name: torch.optim.AdamW
    kwargs:
      lr: 0.001
      weight_decay: 0.01
  scheduler:
    module_name: torch.optim.lr_scheduler.CosineAnnealingLR
    kwargs:
      T_max: 100
  checkpoint:
    dirpath: checkpoints/
    monitor: validation/loss
    mode: min
    save_top_k: 3
  early_stopping:
    monitor: validation/loss
    patience: 10
    mode: min
"""


def test_hyperparameters_are_a_class_and_a_mapping():
    hparams = TestHparams(learning_rate=0.001, hidden_dim=256, num_layers=4, dropout=0.2)
    dict_config = {"learning_rate": 0.001, "hidden_dim": 256, "num_layers": 4, "dropout": 0.2}
    assert TestHparams.from_dict(dict_config) == hparams
    assert hparams.hidden_dim == 256
    assert hparams["learning_rate"] == 0.001
    assert [*hparams.keys()] == ["learning_rate", "hidden_dim", "num_layers", "dropout"]
    assert dict(**hparams) == dict(hparams.items())


def test_a_value_out_of_bounds_is_a_value_error():
    with pytest.raises(ValueError, match="learning_rate"):
        TestHparams(learning_rate=-0.001)


def test_groups_of_a_model_are_set_one_by_one():
    assert ModelHparams().optimizer == OptimizerHparams(module_name="torch.optim.Adam")
    made = ModelHparams(
        optimizer=OptimizerHparams(module_name="torch.optim.Adam", kwargs={"lr": 1e-3}),
        scheduler=SchedulerHparams(
            module_name="torch.optim.lr_scheduler.StepLR", kwargs={"step_size": 10, "gamma": 0.1}
        ),
        checkpoint=CheckpointHparams(
            dirpath="checkpoints/", monitor="validation/loss", mode="min", save_top_k=3, save_last=True
        ),
        early_stopping=EarlyStoppingHparams(monitor="validation/loss", patience=5, mode="min"),
        matmul_precision="high",
    )
    assert ModelHparams.from_args(made.to_args()) == made


def test_a_file_gives_the_groups_of_a_model(tmp_path: Path):
    file = tmp_path / "config.yaml"
    file.write_text(CONFIG)
    model_hparams = ModelHparams.from_yaml(file, key="model_config")
    assert ModelHparams.from_config(OmegaConf.load(file).model_config) == model_hparams
    assert model_hparams.optimizer.kwargs == {"lr": 0.001, "weight_decay": 0.01}
    assert model_hparams.override("optimizer.kwargs.lr=0.0005").optimizer.kwargs["lr"] == 0.0005


def test_a_name_that_the_file_has_too_many_or_misspells_is_an_error(tmp_path: Path):
    file = tmp_path / "config.yaml"
    file.write_text(CONFIG.replace("save_top_k: 3", "save_every_n_epochs: 3"))
    with pytest.raises(HparamsError, match="every_n_epochs"):
        ModelHparams.from_yaml(file, key="model_config")
    with pytest.raises(HparamsError, match="no key 'model'"):
        ModelHparams.from_yaml(file, key="model")


def test_the_model_trains_with_the_groups_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("KFTUNE_DEVICE", "cpu")
    before = torch.get_float32_matmul_precision()
    (tmp_path / "config.yaml").write_text(CONFIG)
    hparams: Any = MyModelHparams.from_yaml(tmp_path / "config.yaml", key="model_config")
    model = MyModel(hparams.override("hidden_dim=8"))
    assert model.num_params == 3 * (8 * 8 + 8)
    inputs = torch.rand(64, 8, generator=torch.Generator().manual_seed(0))
    found = fit(model, Data(TensorDataset(inputs, inputs)), {"max_epochs": 2}, output=tmp_path)
    assert found.history[1]["validation/loss"] < found.history[0]["validation/loss"]
    assert (tmp_path / "checkpoints" / "last.ckpt").is_file()
    torch.set_float32_matmul_precision(before)
