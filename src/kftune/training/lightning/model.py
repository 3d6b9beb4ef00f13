"""`Model`: a Lightning module with typed hyperparameters; a subclass has layers, `forward` and `compute_metrics`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Generic, TypeVar, cast, get_args, get_origin

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from kftune.errors import HparamsError, MetricError
from kftune.hparams import Hparams
from kftune.hparams.models.training import ModelHparams
from kftune.training.lightning.averages import Averages, examples_in
from kftune.training.lightning.targets import build, check_targets

H = TypeVar("H", bound=ModelHparams)
STAGES = ("train", "validation", "test")


class Model(pl.LightningModule, Generic[H]):
    """Base of models: ``class Net(Model[NetHparams])``.

    `compute_metrics` gives the numbers of a batch, of which ``loss`` is learned from. They are averaged over the
    examples of an epoch, in all processes together, and logged as ``train/loss``, ``validation/loss`` and so on.

    Args:
        hparams: An instance of the class in the brackets, or a mapping that it is made from; None for its defaults.

    Attributes:
        thparams: The hyperparameters, of that class.
        hparams_class: That class.
        allowed_modules: More modules from which the hyperparameters may name an optimizer or a scheduler.
    """

    hparams_class: ClassVar[type[ModelHparams]] = ModelHparams
    allowed_modules: ClassVar[tuple[str, ...]] = ()
    thparams: H

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for base in cls.__dict__.get("__orig_bases__", ()):
            origin = get_origin(base)
            if isinstance(origin, type) and issubclass(origin, Model):
                for given in get_args(base):
                    _take_class(cls, given)

    def __init__(self, hparams: H | Mapping[str, Any] | None = None) -> None:
        super().__init__()
        self.thparams = cast("H", _validated(type(self), hparams))
        # Lightning writes these into checkpoints, as a plain dict, and gives them back under this name.
        self._hparams_name = "hparams"
        self._set_hparams(self.thparams.to_dict())
        self.averages = {stage: Averages() for stage in STAGES}
        torch.set_float32_matmul_precision(self.thparams.matmul_precision)

    # -- what a subclass defines -------------------------------------------------------------------------------

    def compute_metrics(self, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        """Returns the metrics of a batch: name -> its average over the batch. ``loss`` is learned from.

        Args:
            *args: What the model gives for the batch, and what the batch has as targets.
            **kwargs: Nothing, unless `metrics_of` passes it.
        """
        raise NotImplementedError(f"{type(self).__name__} must define compute_metrics(outputs, targets)")

    def metrics_of(self, batch: Any) -> dict[str, Tensor]:
        """Returns the metrics of a batch. A model with batches that are not (inputs, targets) defines its own.

        Args:
            batch: What the data gives: a pair of inputs and targets.

        Raises:
            HparamsError: The batch is no pair.
        """
        if not (isinstance(batch, (tuple, list)) and len(batch) == 2):
            raise HparamsError(
                f"a batch must be a pair of inputs and targets, but is {type(batch).__name__}; define "
                f"metrics_of(self, batch) in {type(self).__name__} for other batches"
            )
        inputs, targets = batch
        return self.compute_metrics(self(inputs), targets)

    # -- what Lightning calls ----------------------------------------------------------------------------------

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """Returns the loss of a batch.

        Args:
            batch: The batch.
            batch_idx: Its number in the epoch.
        """
        return self._step("train", batch)

    def validation_step(self, batch: Any, batch_idx: int) -> Tensor:
        """Returns the loss of a batch.

        Args:
            batch: The batch.
            batch_idx: Its number.
        """
        return self._step("validation", batch)

    def test_step(self, batch: Any, batch_idx: int) -> Tensor:
        """Returns the loss of a batch.

        Args:
            batch: The batch.
            batch_idx: Its number.
        """
        return self._step("test", batch)

    def on_train_epoch_end(self) -> None:
        """Logs the averages of the epoch; a method of this name in a subclass must call this one."""
        self._log_averages("train")

    def on_validation_epoch_end(self) -> None:
        """Logs the averages of a validation; a method of this name in a subclass must call this one."""
        self._log_averages("validation")

    def on_test_epoch_end(self) -> None:
        """Logs the averages of a test; a method of this name in a subclass must call this one."""
        self._log_averages("test")

    def configure_optimizers(self) -> Any:
        """Returns optimizer and scheduler as the hyperparameters name them.

        Raises:
            HparamsError: They name no class, or one that refuses its arguments.
        """
        hparams = self.thparams
        weights = [weight for weight in self.parameters() if weight.requires_grad]
        optimizer = build("optimizer", hparams.optimizer, Optimizer, weights, self.allowed_modules)
        chosen = hparams.scheduler
        if chosen.module_name is None:
            return optimizer
        scheduler = build("scheduler", chosen, LRScheduler, optimizer, self.allowed_modules)
        how: dict[str, Any] = {"scheduler": scheduler, "interval": chosen.interval, "frequency": chosen.frequency}
        if isinstance(scheduler, ReduceLROnPlateau):
            how["monitor"] = chosen.monitor or hparams.checkpoint.monitor
        return {"optimizer": optimizer, "lr_scheduler": how}

    # -- what it knows of itself -------------------------------------------------------------------------------

    def check(self) -> None:
        """Checks, before training, what the hyperparameters name.

        Raises:
            HparamsError: They name no class, or one that refuses its arguments.
        """
        check_targets(self.thparams.optimizer, self.thparams.scheduler, self.allowed_modules)

    @property
    def num_params(self) -> int:
        """The number of weights."""
        return sum(weight.numel() for weight in self.parameters())

    @property
    def num_trainable_params(self) -> int:
        """The number of weights that are learned."""
        return sum(weight.numel() for weight in self.parameters() if weight.requires_grad)

    @property
    def num_params_by_module(self) -> dict[str, int]:
        """The number of weights in each of the modules that the model has directly, by attribute."""
        return {name: sum(weight.numel() for weight in module.parameters()) for name, module in self.named_children()}

    def _step(self, stage: str, batch: Any) -> Tensor:
        metrics: object = self.metrics_of(batch)
        if not isinstance(metrics, Mapping) or "loss" not in metrics:
            shown = sorted(metrics) if isinstance(metrics, Mapping) else type(metrics).__name__
            owner = type(self).__name__
            raise MetricError(f"compute_metrics must return a dict with 'loss', but that of {owner} gives {shown}")
        loss: object = metrics["loss"]
        if not isinstance(loss, Tensor) or loss.ndim != 0:
            raise MetricError(f"the loss must be a tensor with one number, but is {loss!r:.80}")
        self.averages[stage].add(metrics, examples_in(batch))
        return loss

    def _log_averages(self, stage: str) -> None:
        found = self.averages[stage].finish()
        self.log_dict({f"{stage}/{name}": value for name, value in found.items()}, sync_dist=True)


def _take_class(model: type[Model[Any]], given: Any) -> None:
    """Notes the class of hyperparameters in the brackets of a base."""
    if isinstance(given, TypeVar):
        return
    if not (isinstance(given, type) and issubclass(given, ModelHparams)):
        shown = getattr(given, "__name__", given)
        raise HparamsError(f"{model.__name__}: Model[…] takes a subclass of ModelHparams, but got {shown}")
    model.hparams_class = given


def _validated(model: type[Model[Any]], hparams: Any) -> ModelHparams:
    wanted = model.hparams_class
    if hparams is None:
        return wanted()
    if isinstance(hparams, Hparams) and not isinstance(hparams, wanted):
        raise HparamsError(f"{model.__name__} takes {wanted.__name__}, but got {type(hparams).__name__}")
    return hparams if isinstance(hparams, wanted) else wanted.from_config(hparams)
