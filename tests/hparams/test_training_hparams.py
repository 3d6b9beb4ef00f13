"""The groups of a training: their defaults, where they are read from, and what they refuse."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from kftune import Hparam
from kftune.errors import HparamsError
from kftune.hparams.models.training import (
    DataHparams,
    EarlyStoppingHparams,
    ModelHparams,
    OptimizerHparams,
    RunHparams,
    SchedulerHparams,
    TrainerHparams,
)


class NetHparams(ModelHparams):
    hidden_dim: int = 128
    optimizer: OptimizerHparams = Hparam(OptimizerHparams(kwargs={"lr": 0.01, "weight_decay": 0.1}))


class NetRun(RunHparams):
    model: NetHparams = Hparam(NetHparams())


WHOLE: dict[str, Any] = {
    "hidden_dim": 64,
    "matmul_precision": "high",
    "optimizer": {"module_name": "torch.optim.AdamW", "kwargs": {"lr": 0.001, "weight_decay": 0.01}},
    "scheduler": {"module_name": "torch.optim.lr_scheduler.CosineAnnealingLR", "kwargs": {"T_max": 100}},
    "checkpoint": {"dirpath": "checkpoints/", "monitor": "validation/loss", "mode": "min", "save_top_k": 3},
    "early_stopping": {"monitor": "validation/loss", "patience": 10, "mode": "min"},
}


@pytest.mark.parametrize("model", [ModelHparams, NetHparams, RunHparams, NetRun, DataHparams, TrainerHparams])
def test_the_groups_have_defaults_and_are_read_back_from_their_command_line(model: type[ModelHparams]):
    made = model()
    assert model.from_args(made.to_args()) == made
    assert model.from_dict(made.to_dict()) == made


def test_dict_yaml_omegaconf_and_arguments_give_the_same(tmp_path: Path):
    made = NetHparams.from_dict(WHOLE)
    file = tmp_path / "config.yaml"
    file.write_text(OmegaConf.to_yaml(OmegaConf.create({"model_config": WHOLE})))
    assert NetHparams.from_yaml(file, key="model_config") == made
    assert NetHparams.from_config(OmegaConf.load(file).model_config) == made
    assert NetHparams.from_args(made.to_args()) == made
    assert made.early_stopping == EarlyStoppingHparams(patience=10)


@pytest.mark.parametrize(
    "change",
    [
        lambda name: NetHparams.from_args([f"--{name}=0.5"]),
        lambda name: NetHparams().override(f"{name}=0.5"),
        lambda name: NetHparams.from_assignments({name: "0.5"}),
    ],
    ids=["argument", "override", "assignment"],
)
def test_one_key_inside_kwargs_can_be_given_and_the_others_stay(change: Any):
    assert change("optimizer.kwargs.lr").optimizer.kwargs == {"lr": 0.5, "weight_decay": 0.1}


def test_the_default_of_a_class_does_not_change_with_an_instance():
    NetHparams.from_args(["--optimizer.kwargs.lr=0.5", "--optimizer.kwargs.eps=1e-7"])
    assert NetHparams().optimizer.kwargs == {"lr": 0.01, "weight_decay": 0.1}


@pytest.mark.parametrize(
    ("model", "override", "problem"),
    [
        (RunHparams, "optimizer.kwargs.lr=1", "did you mean 'model.optimizer.kwargs.lr'"),
        (RunHparams, "batch_size=1", "did you mean 'data.batch_size'"),
        (ModelHparams, "checkpoint.save_every_n_epochs=1", r"did you mean 'checkpoint\.every_n_epochs'"),
        (ModelHparams, "optimizer.module_name=Adam", "module and class with dots between"),
        (ModelHparams, "scheduler.kwargs.T_max=1", "give module_name too"),
        (ModelHparams, "checkpoint.filename={epoch", "must be the name of a file"),
        (ModelHparams, "checkpoint.filename=a/{epoch}", "must be the name of a file"),
        (DataHparams, "split=[0.5, 0.1, 0.1]", "three shares whose sum is 1"),
        (TrainerHparams, "precision=8", "must be '64', '32', '16-mixed'"),
        (TrainerHparams, "loggers=[tensorbord]", "must be 'console', 'tensorboard', 'wandb' or 'mlflow'"),
    ],
)
def test_a_wrong_name_or_value_is_refused_with_what_to_write(model: type[ModelHparams], override: str, problem: str):
    with pytest.raises(HparamsError, match=problem):
        model().override(override)


def test_a_misspelt_key_of_a_file_is_refused(tmp_path: Path):
    file = tmp_path / "config.yaml"
    file.write_text("model_config: {hidden_dim: 3}\n")
    with pytest.raises(HparamsError, match="did you mean 'model_config'"):
        NetHparams.from_yaml(file, key="model_cfg")


def test_precision_may_be_a_number():
    assert TrainerHparams.from_dict({"precision": 32}) == TrainerHparams()


def test_a_scheduler_without_a_class_keeps_the_learning_rate():
    assert ModelHparams().scheduler == SchedulerHparams(module_name=None)


def test_the_groups_import_neither_torch_nor_lightning():
    code = (
        "import sys; import kftune.training; from kftune.training import ModelHparams; ModelHparams();"
        "assert not {'torch', 'pytorch_lightning'} & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
