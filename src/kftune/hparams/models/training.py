"""Hyperparameters of a training by `kftune.training.fit`: the model, its data, and how it is trained."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from kftune.hparams import Hparam, Hparams

METRIC_IN_NAME = re.compile(r"\{([^{}:]*)(?::[^{}]*)?\}")
"""A metric in the name of a checkpoint, such as ``{validation/loss:.2f}``; the group is its name."""

_CLASS_NAME = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)+")


def _dotted(name: str) -> str:
    if not _CLASS_NAME.fullmatch(name):
        raise ValueError(f"must be module and class with dots between, such as torch.optim.Adam, but got {name!r}")
    return name


def _file_name(text: str) -> str:
    rest = METRIC_IN_NAME.sub("", text)
    if not text or "{" in rest or "}" in rest or "/" in rest or "" in METRIC_IN_NAME.findall(text):
        raise ValueError(
            f"must be the name of a file, with metrics such as {{epoch}} or {{validation/loss:.2f}}, but got {text!r}"
        )
    return text


ClassName = Annotated[str, AfterValidator(_dotted)]
Precision = Annotated[
    Literal["64", "32", "16-mixed", "bf16-mixed", "bf16-true"],
    BeforeValidator(lambda given: str(given) if type(given) is int else given, json_schema_input_type=int | str),
]
Logger = Literal["console", "tensorboard", "wandb", "mlflow"]


class OptimizerHparams(Hparams):
    """The optimizer."""

    module_name: ClassName = Hparam("torch.optim.Adam")
    """The class, with its module. The module must be one that the project allows."""
    kwargs: dict[str, Any] = Hparam(default_factory=dict)
    """Its arguments by name, without the parameters of the model."""


class SchedulerHparams(Hparams):
    """The schedule of the learning rate."""

    module_name: ClassName | None = Hparam(None)
    """The class, with its module; null keeps the learning rate as it is."""
    kwargs: dict[str, Any] = Hparam(default_factory=dict)
    """Its arguments by name, without the optimizer."""
    interval: Literal["epoch", "step"] = Hparam("epoch")
    """When it makes a step: after each epoch, or after each step of the optimizer."""
    frequency: int = Hparam(1, ge=1)
    """Epochs or steps between two of its steps."""
    monitor: str | None = Hparam(None)
    """The metric that a ReduceLROnPlateau follows; null for that of the checkpoints."""

    @model_validator(mode="after")
    def _needs_a_class(self) -> Self:
        if self.module_name is None and self.kwargs:
            raise ValueError(f"kwargs belong to a class: give module_name too, or remove kwargs {self.kwargs!r}")
        return self


class CheckpointHparams(Hparams):
    """What is kept of a training."""

    dirpath: str | None = Hparam(None)
    """The folder, in the output folder or absolute; null for checkpoints."""
    filename: Annotated[str, AfterValidator(_file_name)] = Hparam("{epoch}-{validation/loss:.2f}")
    """The name of a file without .ckpt, with metrics in braces."""
    monitor: str = Hparam("validation/loss")
    """The metric that says which checkpoints are best."""
    mode: Literal["min", "max"] = Hparam("min")
    """Which values of it are better."""
    save_last: bool = Hparam(True)
    """Whether last.ckpt is kept too, from which an interrupted training goes on."""
    save_top_k: int = Hparam(3, ge=-1)
    """How many of the best are kept; -1 for all."""
    every_n_epochs: int = Hparam(1, ge=1)
    """Epochs between two checkpoints."""


class EarlyStoppingHparams(Hparams):
    """When a training ends before its last epoch."""

    monitor: str = Hparam("validation/loss")
    """The metric that must become better."""
    min_delta: float = Hparam(0.0, ge=0)
    """By how much, to count."""
    patience: int = Hparam(3, ge=0)
    """Epochs that it may fail to."""
    mode: Literal["min", "max"] = Hparam("min")
    """Which values of it are better."""
    stopping_threshold: float | None = Hparam(None)
    """A value that is good enough to end; null for none."""
    divergence_threshold: float | None = Hparam(None)
    """A value that is too bad to go on; null for none."""
    check_finite: bool = Hparam(True)
    """Whether a metric that is no longer finite ends the training."""


class ModelHparams(Hparams):
    """A model, and how its weights are learned. A model of one's own adds its fields in a subclass."""

    optimizer: OptimizerHparams = Hparam(OptimizerHparams())
    scheduler: SchedulerHparams = Hparam(SchedulerHparams())
    checkpoint: CheckpointHparams = Hparam(CheckpointHparams())
    early_stopping: EarlyStoppingHparams | None = Hparam(None)
    """When training ends before its last epoch; null trains all epochs."""
    matmul_precision: Literal["highest", "high", "medium"] = Hparam("highest")
    """How exact float32 matrices are multiplied on GPUs that can do it faster."""


class DataHparams(Hparams):
    """How the data is split and loaded."""

    batch_size: int = Hparam(64, ge=1)
    """Examples per step, over all processes together."""
    split: tuple[float, float, float] = Hparam((0.8, 0.1, 0.1))
    """Shares of a single data set for training, validation and test."""
    seed: int = Hparam(0, ge=0)
    """Seed of the split and of the order of the examples."""
    shuffle: bool = Hparam(True)
    """Whether each epoch has its own order."""
    drop_last: bool = Hparam(False)
    """Whether a last batch with fewer examples is left out."""
    num_workers: int = Hparam(0, ge=0)
    """Processes that load examples; 0 loads them in the process that trains."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if min(self.split) < 0 or not self.split[0] > 0 or not math.isclose(sum(self.split), 1, abs_tol=1e-6):
            raise ValueError(f"split must be three shares whose sum is 1, the first above 0, but got {self.split}")
        return self


class FallbackHparams(Hparams):
    """What a training changes when memory runs out, before it tries again."""

    enabled: bool = Hparam(True)
    """Whether it tries again at all."""
    order: tuple[Literal["batch", "precision"], ...] = Hparam(("batch", "precision"))
    """What is changed, in this order: batch halves the batch and doubles accumulate_grad_batches, precision computes
    with numbers of half the size."""
    halvings: int = Hparam(4, ge=0)
    """How often the batch is halved at most."""
    min_batch_size: int = Hparam(1, ge=1)
    """The smallest batch."""
    precision: Literal["16-mixed", "bf16-mixed", "bf16-true"] = Hparam("bf16-mixed")
    """What precision becomes."""


class TrainerHparams(Hparams):
    """How a training runs."""

    max_epochs: int = Hparam(10, ge=1)
    """Epochs. Passes over the data."""
    accelerator: Literal["auto", "cpu", "gpu"] = Hparam("auto")
    """Where tensors are; auto takes a GPU if there is one. The variable KFTUNE_DEVICE comes first."""
    devices: int = Hparam(1, ge=1)
    """GPUs, or processes on a CPU; torchrun's number of processes comes first."""
    precision: Precision = Hparam("32")
    """Bits of the numbers; mixed keeps the weights in 32."""
    gradient_clip_val: float | None = Hparam(None, gt=0)
    """Norm, or value, to which a larger gradient is shortened; null does not."""
    gradient_clip_algorithm: Literal["norm", "value"] = Hparam("norm")
    """What gradient_clip_val limits."""
    accumulate_grad_batches: int = Hparam(1, ge=1)
    """Batches whose gradients make one step of the optimizer."""
    compile: bool = Hparam(False)
    """Whether torch.compile compiles the model."""
    deterministic: bool = Hparam(False)
    """Whether operations without a deterministic version are refused."""
    seed: int = Hparam(0, ge=0)
    """Seed of dropout, augmentation and whatever else is random in a step."""
    limit_train_batches: Annotated[int, Field(ge=1)] | None = Hparam(None)
    """Batches per epoch at most; null for all."""
    limit_val_batches: Annotated[int, Field(ge=0)] | None = Hparam(None)
    """Batches per validation at most; null for all."""
    loggers: tuple[Logger, ...] = Hparam(("console", "tensorboard"))
    """Where metrics go besides the metric lines."""
    experiment: str = Hparam("kftune")
    """The name that W&B and MLflow group trainings under."""
    fallback: FallbackHparams = Hparam(FallbackHparams())


class RunHparams(Hparams):
    """A whole training. A script's own class has the class of its model in place of `ModelHparams`."""

    model: ModelHparams = Hparam(ModelHparams())
    data: DataHparams = Hparam(DataHparams())
    trainer: TrainerHparams = Hparam(TrainerHparams())
