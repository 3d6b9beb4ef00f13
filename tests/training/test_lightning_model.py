"""Typed models and their data: what a subclass declares, and what is refused before training starts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, Generic, TypeVar

import pytest
import torch
from lightning_net import Net, NetHparams, sums
from omegaconf import OmegaConf
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau, StepLR

from kftune.errors import HparamsError, MetricError, ProjectError
from kftune.training import Data, DataHparams, Model, ModelHparams
from kftune.training.lightning.averages import Averages, examples_in

T = TypeVar("T", bound=ModelHparams)


class OtherHparams(ModelHparams):
    depth: int = 3


class Between(Model[T], Generic[T]):
    """A base of models that leaves the class of hyperparameters open."""


class OfBetween(Between[OtherHparams]):
    pass


class WithoutClass(Model):  # type: ignore[type-arg]
    pass


@pytest.mark.parametrize(
    ("model", "wanted"),
    [(Net, NetHparams), (OfBetween, OtherHparams), (WithoutClass, ModelHparams), (Between, ModelHparams)],
)
def test_the_class_in_the_brackets_types_the_hyperparameters(model: type[Model[Any]], wanted: type[ModelHparams]):
    assert model.hparams_class is wanted
    assert type(model().thparams) is wanted


@pytest.mark.parametrize("given", [{"hidden": 3}, OmegaConf.create({"hidden": 3}), NetHparams(hidden=3)])
def test_a_model_takes_an_instance_a_mapping_or_a_config(given: Any):
    assert Net(given).thparams == NetHparams(hidden=3)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (ModelHparams(), "Net takes NetHparams, but got ModelHparams"),
        (OtherHparams(), "Net takes NetHparams, but got OtherHparams"),
        ({"hiden": 3}, "did you mean 'hidden'"),
        ({"hidden": 0}, "hidden"),
        (7, "a mapping"),
    ],
)
def test_other_hyperparameters_are_refused(given: Any, problem: str):
    with pytest.raises(HparamsError, match=problem):
        Net(given)


def test_only_a_class_of_models_hyperparameters_goes_into_the_brackets():
    with pytest.raises(HparamsError, match=r"takes a subclass of ModelHparams, but got DataHparams"):

        class Wrong(Model[DataHparams]):  # type: ignore[type-var]
            pass


def test_weights_are_counted_in_all_and_by_module():
    net = Net({"hidden": 8})
    net.head.weight.requires_grad = False
    assert (net.num_params, net.num_trainable_params) == (49, 41)
    assert net.num_params_by_module == {"body": 40, "head": 9}


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("optimizer.module_name=torch.optim.AdamX", "has no optimizer 'AdamX'; did you mean 'Adam"),
        ("optimizer.module_name=torch.optim.lr_scheduler.StepLR", "has no optimizer 'StepLR'"),
        ("optimizer.module_name=torch.optim.Optimizer", "has no optimizer 'Optimizer'"),
        ("optimizer.module_name=torch.optim.nowhere.Adam", "no module 'torch.optim.nowhere'"),
        ("optimizer.module_name=os.system", "no module that may be imported: torch.optim"),
        ("optimizer.module_name=torch.optimize.Adam", "no module that may be imported"),
        ("optimizer.kwargs={learning_rate: 0.1}", "Adam has no argument 'learning_rate'; "),
        ("optimizer.kwargs={lr: -1}", "refuses {'lr': -1}: Invalid learning rate"),
        ("optimizer.kwargs={lr: fast}", "optimizer.kwargs: torch.optim.Adam refuses"),
        ("optimizer.kwargs={params: 1}", "has no argument 'params'"),
        ("scheduler.module_name=torch.optim.lr_scheduler.StepLR", "StepLR needs 'step_size'; give kwargs.step_size"),
        ("scheduler.module_name=torch.optim.Adam", "has no scheduler 'Adam'"),
    ],
)
def test_what_hyperparameters_name_is_checked_before_training(override: str, problem: str):
    with pytest.raises(HparamsError, match=problem):
        Net(NetHparams().override(override)).check()


def test_a_module_of_ones_own_must_be_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "own_steps.py").write_text("import torch\nclass Slow(torch.optim.SGD):\n    pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    net = Net(NetHparams().override("optimizer.module_name=own_steps.Slow"))
    with pytest.raises(HparamsError, match=r"add its module to training_modules in project\.yaml"):
        net.check()
    assert "own_steps" not in sys.modules
    (tmp_path / "project.yaml").write_text("name: p\nnamespace: n\ntraining_modules: [own_steps]\n")
    net.check()
    (tmp_path / "project.yaml").write_text("name: p\nnamespace: n\ntraining_modules: [own-steps]\n")
    with pytest.raises(ProjectError, match="training_modules"):
        net.check()
    monkeypatch.setattr(Net, "allowed_modules", ("own_steps",))
    net.check()


@pytest.mark.parametrize(
    ("name", "kwargs", "wanted", "monitor"),
    [
        ("StepLR", {"step_size": 2}, StepLR, None),
        ("ReduceLROnPlateau", {"patience": 1}, ReduceLROnPlateau, "validation/loss"),
    ],
)
def test_optimizer_and_scheduler_are_built_from_the_groups(name: str, kwargs: Any, wanted: type, monitor: str | None):
    scheduler = {"module_name": f"torch.optim.lr_scheduler.{name}", "kwargs": kwargs, "frequency": 3}
    built = Net({"optimizer": {"kwargs": {"lr": 0.5}}, "scheduler": scheduler}).configure_optimizers()
    assert built["optimizer"].param_groups[0]["lr"] == 0.5
    assert type(built["lr_scheduler"]["scheduler"]) is wanted
    assert (built["lr_scheduler"].get("monitor"), built["lr_scheduler"]["frequency"]) == (monitor, 3)


class Returns(Model[ModelHparams]):
    def __init__(self, found: Any) -> None:
        super().__init__()
        self.found = found

    def metrics_of(self, batch: Any) -> Any:
        return self.found


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        ({"mse": torch.zeros(())}, "with 'loss', but that of Returns gives \\['mse'\\]"),
        (torch.zeros(()), "gives Tensor"),
        ({"loss": torch.zeros(2)}, "one number"),
        ({"loss": 0.5}, "must be a tensor"),
        ({"loss": torch.zeros(()), "each": torch.zeros(2)}, "'each' has the shape \\(2,\\)"),
    ],
)
def test_a_step_needs_a_loss_and_plain_numbers(found: Any, problem: str):
    with pytest.raises(MetricError, match=problem):
        Returns(found).training_step((torch.zeros(1), torch.zeros(1)), 0)


def test_a_batch_that_is_no_pair_needs_its_own_method():
    with pytest.raises(HparamsError, match="define metrics_of"):
        Net().training_step({"a": torch.zeros(1)}, 0)


def test_averages_count_examples_not_batches():
    averages = Averages()
    averages.add({"loss": torch.tensor(1.0), "n": 2}, 3)
    averages.add({"loss": torch.tensor(5.0), "n": 2}, 1)
    assert {name: value.item() for name, value in averages.finish().items()} == {"loss": 2.0, "n": 2.0}
    assert averages.finish() == {}


@pytest.mark.parametrize(
    ("batch", "count"),
    [
        (torch.zeros(5, 2), 5),
        ([torch.zeros(4), torch.zeros(9)], 4),
        ({"x": {"y": torch.zeros(3)}}, 3),
        ((1, "a"), 1),
        (torch.zeros(()), 1),
    ],
)
def test_the_examples_of_a_batch_are_the_length_of_its_first_tensor(batch: Any, count: int):
    assert examples_in(batch) == count


def order(data: Data, epoch: int) -> list[float]:
    loader = data.train_dataloader()
    loader.sampler.set_epoch(epoch)
    return [value for inputs, _ in loader for value in inputs[:, 0].tolist()]


def test_one_data_set_is_split_the_same_way_each_time():
    first, second = Data(sums(50)), Data(sums(50), {"batch_size": 7})
    assert [len(part) for part in (first.train, first.val, first.test)] == [40, 5, 5]
    assert sorted(order(first, 0)) == sorted(order(second, 0))
    assert sorted(order(Data(sums(50), {"seed": 1}), 0)) != sorted(order(first, 0))


def test_each_epoch_has_its_own_order_and_the_same_one_again():
    data = Data(sums(50))
    assert order(data, 1) == order(data, 1) != order(data, 2)
    assert order(Data(sums(50), {"shuffle": False}), 1) == order(Data(sums(50), {"shuffle": False}), 2)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_loader_goes_on_in_the_middle_of_an_epoch(workers: int):
    loader = Data(sums(50), {"batch_size": 6, "num_workers": workers}).train_dataloader()
    whole = iter(loader)
    for _ in range(3):
        next(whole)
    other = Data(sums(50), {"batch_size": 6, "num_workers": workers}).train_dataloader()
    other.load_state_dict(loader.state_dict())
    rest = list(other)
    assert len(rest) == 4
    assert all(torch.equal(mine, theirs) for mine, (theirs, _) in zip((x for x, _ in whole), rest, strict=True))
    assert len(list(other)) == 7


@pytest.mark.parametrize(("given", "problem"), [([sums(3)], "got 1"), ([[], sums(3)], "at least one example")])
def test_data_sets_that_cannot_be_learned_from_are_refused(given: Any, problem: str):
    with pytest.raises(HparamsError, match=problem):
        Data(given)


class Several:
    """What `Data` asks Lightning's trainer for, in one of several processes."""

    def __init__(self, rank: int, world: int) -> None:
        self.global_rank, self.world_size = rank, world


def test_processes_share_the_examples_and_have_equally_many_steps():
    seen: list[float] = []
    for rank in (0, 1, 2):
        data = Data(sums(50), {"batch_size": 6, "split": [0.8, 0.2, 0]})
        data.trainer = Several(rank, 3)  # type: ignore[assignment]
        found = [inputs[:, 0].tolist() for inputs, _ in data.train_dataloader()]
        assert [len(batch) for batch in found] == [2] * 7
        seen += [value for batch in found for value in batch]
        assert len(data.val_dataloader()) == 2
    assert len(set(seen)) == 40
    assert len(seen) == 42


@pytest.mark.parametrize(
    ("hparams", "problem"), [({"batch_size": 4}, "multiple of the number of processes"), ({"batch_size": 6}, "1 for 3")]
)
def test_what_processes_cannot_share_is_refused(hparams: dict[str, Any], problem: str):
    data = Data([sums(9), sums(1)], hparams)
    data.trainer = Several(0, 3)  # type: ignore[assignment]
    with pytest.raises(HparamsError, match=problem):
        data.val_dataloader()


def test_kftune_does_not_import_lightning_until_a_model_is_asked_for():
    code = (
        "import sys, kftune.training as t; assert 'pytorch_lightning' not in sys.modules;"
        "t.Model; assert 'pytorch_lightning' in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_without_lightning_the_error_names_the_extra(tmp_path: Path):
    (tmp_path / "pytorch_lightning.py").write_text("raise ModuleNotFoundError('gone', name='pytorch_lightning')\n")
    code = "from kftune.training import Model"
    environment = {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert "pip install 'kftune[lightning]'" in done.stderr


def test_a_model_is_a_torch_module():
    assert isinstance(Net(), nn.Module)
