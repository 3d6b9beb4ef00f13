"""Seed 004, typed hyperparameters and models on Lightning: each item that `docs/seeds.md` says works."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from seed_project import kftune, write
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import TensorDataset

from kftune import Hparam, Hparams, yaml_text
from kftune.cli import main
from kftune.errors import HparamsError, KftuneError, YamlError
from kftune.training import (
    CheckpointHparams,
    Data,
    DataHparams,
    EarlyStoppingHparams,
    Model,
    ModelHparams,
    OptimizerHparams,
    RunHparams,
    SchedulerHparams,
    TrainerHparams,
    evaluate,
    fit,
)


class TestHparams(Hparams):
    """Four values with bounds."""

    __test__ = False
    learning_rate: float = Hparam(1e-3, gt=0)
    hidden_dim: int = Hparam(128, ge=1)
    num_layers: int = Hparam(3, ge=1, le=10)
    dropout: float = Hparam(0.1, ge=0, lt=1)


GIVEN: dict[str, Any] = {"learning_rate": 0.001, "hidden_dim": 256, "num_layers": 4, "dropout": 0.2}


class MyModelHparams(ModelHparams):
    """Width and depth."""

    hidden_dim: int = 128
    num_layers: int = 3


class MyModel(Model[MyModelHparams]):
    """Layers of one width."""

    def __init__(self, hparams: MyModelHparams):
        super().__init__(hparams)
        width, depth = self.thparams.hidden_dim, self.thparams.num_layers
        parts = [part for _ in range(depth) for part in (nn.Linear(width, width), nn.ReLU())]
        self.net = nn.Sequential(*parts)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.net(x)
        return found

    def compute_metrics(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        return {"loss": functional.mse_loss(outputs, targets)}


class MyRun(RunHparams):
    """A whole training of it."""

    model: MyModelHparams = Hparam(MyModelHparams())


MODEL_CONFIG: dict[str, Any] = {
    "matmul_precision": "high",
    "optimizer": {"module_name": "torch.optim.AdamW", "kwargs": {"lr": 0.001, "weight_decay": 0.01}},
    "scheduler": {"module_name": "torch.optim.lr_scheduler.CosineAnnealingLR", "kwargs": {"T_max": 100}},
    "checkpoint": {"dirpath": "checkpoints/", "monitor": "validation/loss", "mode": "min", "save_top_k": 3},
    "early_stopping": {"monitor": "validation/loss", "patience": 10, "mode": "min"},
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(yaml_text.dump({"model_config": MODEL_CONFIG}))
    return path


@pytest.fixture
def one_cpu(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("KFTUNE_DEVICE", "cpu")
    before, threads = torch.get_float32_matmul_precision(), torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    torch.set_float32_matmul_precision(before)


def examples() -> Data:
    inputs = torch.rand(64, 8, generator=torch.Generator().manual_seed(0))
    return Data(TensorDataset(inputs, inputs))


# -- Hparams -----------------------------------------------------------------------------------------------------


def test_hyperparameters_are_a_class_and_a_mapping():
    hparams = TestHparams(**GIVEN)
    assert hparams.hidden_dim == 256
    assert hparams["learning_rate"] == 0.001
    assert [*hparams.keys()] == ["learning_rate", "hidden_dim", "num_layers", "dropout"]
    assert [f"{key}: {value}" for key, value in hparams.items()] == [f"{key}: {GIVEN[key]}" for key in GIVEN]
    assert dict(**hparams) == GIVEN
    assert (len(hparams), "dropout" in hparams) == (4, True)


def test_hyperparameters_come_from_a_dict_a_file_and_a_config(tmp_path: Path):
    (tmp_path / "config.yaml").write_text(yaml_text.dump({"model": GIVEN}))
    wanted = TestHparams(**GIVEN)
    assert TestHparams.from_dict(GIVEN) == wanted
    assert TestHparams.from_yaml(tmp_path / "config.yaml", key="model") == wanted
    assert TestHparams.from_config(OmegaConf.load(tmp_path / "config.yaml").model) == wanted


@pytest.mark.parametrize(
    ("name", "value"), [("learning_rate", -0.001), ("hidden_dim", 0), ("num_layers", 11), ("dropout", 1.0)]
)
def test_a_value_out_of_bounds_is_a_value_error(name: str, value: float):
    with pytest.raises(ValueError, match=f"{name}: must be"):
        TestHparams.from_dict({name: value})


# -- the groups of a model ---------------------------------------------------------------------------------------


def test_groups_have_the_defaults_of_the_document():
    made = ModelHparams()
    assert made.optimizer == OptimizerHparams(module_name="torch.optim.Adam", kwargs={})
    assert made.scheduler == SchedulerHparams(module_name=None, kwargs={})
    assert (made.early_stopping, made.matmul_precision) == (None, "highest")
    checkpoint = made.checkpoint
    assert (checkpoint.dirpath, checkpoint.monitor, checkpoint.mode) == (None, "validation/loss", "min")
    assert (checkpoint.save_last, checkpoint.save_top_k, checkpoint.every_n_epochs) == (True, 3, 1)
    assert EarlyStoppingHparams().to_dict() == {
        "monitor": "validation/loss",
        "min_delta": 0.0,
        "patience": 3,
        "mode": "min",
        "stopping_threshold": None,
        "divergence_threshold": None,
        "check_finite": True,
    }


def test_data_and_trainer_have_the_defaults_of_the_program():
    assert (DataHparams().batch_size, DataHparams().split) == (64, (0.8, 0.1, 0.1))
    trainer = TrainerHparams()
    assert (trainer.accelerator, trainer.devices, trainer.precision, trainer.max_epochs) == ("auto", 1, "32", 10)


def test_groups_of_a_model_are_set_one_by_one():
    made = ModelHparams(
        optimizer=OptimizerHparams(module_name="torch.optim.Adam", kwargs={"lr": 1e-3}),
        scheduler=SchedulerHparams(
            module_name="torch.optim.lr_scheduler.StepLR", kwargs={"step_size": 10, "gamma": 0.1}
        ),
        checkpoint=CheckpointHparams(dirpath="checkpoints/", save_top_k=3, save_last=True),
        early_stopping=EarlyStoppingHparams(monitor="validation/loss", patience=5, mode="min"),
        matmul_precision="high",
    )
    assert ModelHparams.from_args(made.to_args()) == made


@pytest.mark.parametrize("precision", ["highest", "high", "medium"])
def test_matmul_precision_has_three_values(precision: Any):
    assert ModelHparams(matmul_precision=precision).matmul_precision == precision
    with pytest.raises(HparamsError, match="matmul_precision"):
        ModelHparams.from_dict({"matmul_precision": f"{precision}er"})


def test_a_file_gives_the_groups_of_a_model(file: Path):
    model_hparams = ModelHparams.from_yaml(file, key="model_config")
    assert ModelHparams.from_config(OmegaConf.load(file).model_config) == model_hparams
    assert model_hparams.optimizer.kwargs == {"lr": 0.001, "weight_decay": 0.01}


def test_a_config_blueprint_is_written_from_the_class(tmp_path: Path):
    kftune(tmp_path, "init", "kftune.training:RunHparams", "-o", "config_blueprint.yaml")
    text = (tmp_path / "config_blueprint.yaml").read_text()
    assert "module_name: torch.optim.Adam" in text
    assert "save_top_k: 3" in text
    assert RunHparams.from_yaml(tmp_path / "config_blueprint.yaml") == RunHparams()


# -- the model ---------------------------------------------------------------------------------------------------


def test_the_model_trains_with_the_groups_of_the_file(file: Path, one_cpu: None):
    hparams: Any = MyModelHparams.from_yaml(file, key="model_config").override("hidden_dim=8")
    model = MyModel(hparams)
    assert model.num_params == 3 * (8 * 8 + 8)
    assert model.num_params_by_module == {"net": 3 * (8 * 8 + 8)}
    found = fit(model, examples(), {"max_epochs": 2}, output=file.parent)
    assert found.best_checkpoint is not None
    assert found.history[1]["validation/loss"] < found.history[0]["validation/loss"]
    assert (file.parent / "checkpoints" / "last.ckpt").is_file()
    assert torch.get_float32_matmul_precision() == "high"
    assert set(evaluate(model, examples(), checkpoint=found.best_checkpoint)) == {"test/loss"}


def test_a_short_run_tries_everything_and_a_training_goes_on_from_a_checkpoint(one_cpu: None, tmp_path: Path):
    model, short = MyModelHparams(hidden_dim=8), {"limit_train_batches": 1, "limit_val_batches": 1}
    first = fit(MyModel(model), examples(), {**short, "max_epochs": 1}, output=tmp_path)
    assert first.best_checkpoint is not None
    again = fit(MyModel(model), examples(), {**short, "max_epochs": 2}, output=tmp_path, resume=first.best_checkpoint)
    assert [epoch["epoch"] for epoch in again.history][-1] == 2


def test_a_model_types_and_validates_what_it_gets():
    assert type(MyModel({"hidden_dim": 8}).thparams) is MyModelHparams  # type: ignore[arg-type]  # a dict is validated
    with pytest.raises(HparamsError, match="did you mean 'hidden_dim'"):
        MyModel({"hidden_dims": 8})  # type: ignore[arg-type]  # a user may write it


def test_a_class_that_is_not_allowed_or_not_there_is_refused_before_training(one_cpu: None, tmp_path: Path):
    for name, message in (("os.system", "os"), ("torch.optim.Adamm", "did you mean 'Adam'")):
        model = MyModel(MyModelHparams(hidden_dim=8, optimizer=OptimizerHparams(module_name=name)))
        with pytest.raises(HparamsError, match=message):
            fit(model, examples(), output=tmp_path)


def test_an_argument_that_the_optimizer_does_not_have_is_refused_before_training(one_cpu: None, tmp_path: Path):
    model = MyModel(MyModelHparams(hidden_dim=8, optimizer=OptimizerHparams(kwargs={"weight_decy": 0.1})))
    with pytest.raises(HparamsError, match="weight_decy"):
        fit(model, examples(), output=tmp_path)


# -- the command line --------------------------------------------------------------------------------------------


def test_a_script_reads_a_file_and_overrides_as_hydra_does(tmp_path: Path):
    (tmp_path / "your_config.yaml").write_text(yaml_text.dump({"model": MODEL_CONFIG}))
    made = MyRun.from_args(
        [
            *("--config", str(tmp_path / "your_config.yaml")),
            *("model.optimizer.kwargs.lr=0.0005", "data.batch_size=64", "+model.optimizer.kwargs.amsgrad=true"),
        ]
    )
    assert made.model.optimizer.kwargs == {"lr": 0.0005, "weight_decay": 0.01, "amsgrad": True}
    assert made.data.batch_size == 64


def test_a_key_that_nothing_reads_cannot_be_added():
    with pytest.raises(HparamsError, match="new_key"):
        MyRun.from_args(["+new_key=new_value"])


def test_a_config_is_found_by_its_name_in_the_folder_of_configs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("KFTUNE_CONFIG_PATH", str(tmp_path / "configs"))
    write(tmp_path, {"configs/your_config.yaml": yaml_text.dump({"model": MODEL_CONFIG})})
    given = ("--config-name", "your_config", "model.optimizer.kwargs.lr=0.0005", "~model.early_stopping")
    assert main(["train", "kftune.training:RunHparams", *given, "--print-config"]) == 0
    found: Any = yaml_text.load(capsys.readouterr().out)
    assert found["model"]["optimizer"]["kwargs"] == {"lr": 0.0005, "weight_decay": 0.01}
    assert found["model"]["early_stopping"] is None


# -- traps -------------------------------------------------------------------------------------------------------


def test_an_override_without_its_root_is_answered_with_the_whole_name():
    with pytest.raises(HparamsError, match=r"model\.optimizer\.kwargs"):
        MyRun.from_args(["optimizer.kwargs.lr=0.0005"])


def test_a_key_that_the_file_does_not_have_gives_no_defaults(file: Path):
    with pytest.raises(HparamsError, match="no key 'model'"):
        ModelHparams.from_yaml(file, key="model")


def test_a_config_without_the_key_that_is_read_from_it_gives_no_defaults(file: Path):
    config: Any = OmegaConf.load(file)
    with pytest.raises(HparamsError, match="ModelHparams is made from a mapping of names to values, but got None"):
        ModelHparams.from_config(config.get("model"))


def test_a_placeholder_line_in_a_file_is_an_error_with_its_place(file: Path):
    file.write_text(file.read_text().replace("model_config:\n", "model_config:\n  ...\n"))
    with pytest.raises(YamlError, match=r"config.yaml:\d+:\d+: "):
        ModelHparams.from_yaml(file, key="model_config")


def test_names_that_the_class_does_not_have_are_errors(file: Path):
    file.write_text(file.read_text().replace("save_top_k: 3", "save_every_n_epochs: 3"))
    with pytest.raises(HparamsError, match="did you mean 'every_n_epochs'"):
        ModelHparams.from_yaml(file, key="model_config")


def test_the_values_of_one_class_are_not_those_of_another():
    with pytest.raises(HparamsError, match="learning_rate"):
        ModelHparams.from_dict(GIVEN)


def test_from_dict_makes_an_instance_and_changes_none():
    hparams = TestHparams()
    made = hparams.from_dict(GIVEN)
    assert (hparams, made) == (TestHparams(), TestHparams(**GIVEN))
    with pytest.raises(HparamsError, match="override"):
        hparams.dropout = 0.2  # type: ignore[misc]  # a user may write it


def test_print_takes_hyperparameters_as_one_value_and_not_as_its_own_arguments(capsys: pytest.CaptureFixture[str]):
    hparams: Any = TestHparams()
    with pytest.raises(TypeError, match="keyword argument"):
        print(**hparams)  # noqa: T201
    print(hparams)  # noqa: T201
    assert capsys.readouterr().out == "learning_rate=0.001 hidden_dim=128 num_layers=3 dropout=0.1\n"


def test_a_file_name_with_a_metric_that_nobody_reports_is_refused(one_cpu: None, tmp_path: Path):
    checkpoint = CheckpointHparams(filename="{epoch}-{val_loss:.2f}")
    with pytest.raises(KftuneError, match="val_loss"):
        fit(
            MyModel(MyModelHparams(hidden_dim=8, checkpoint=checkpoint)), examples(), {"max_epochs": 1}, output=tmp_path
        )
    assert CheckpointHparams().filename == "{epoch}-{validation/loss:.2f}"


def test_seeds_are_fixed_and_wandb_is_off_unless_asked_for():
    assert (DataHparams().seed, TrainerHparams().seed) == (0, 0)
    assert TrainerHparams().loggers == ("console", "tensorboard")
