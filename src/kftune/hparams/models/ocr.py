"""Hyperparameters of the models that read Khmer numbers, which `kftune.training.ocr` trains.

The fields are flat. An experiment file has them in groups such as ``training``: `OcrHparams.from_experiment`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import model_validator

from kftune.domains import Choice, LogUniform, Uniform
from kftune.errors import HparamsError
from kftune.hparams import Hparam, Hparams
from kftune.hparams.grouped import GroupedProblem, GroupedValue, Groups, grouped_values

Monitor = Literal[
    "train_loss", "val_loss", "train_char_accuracy", "val_char_accuracy", "train_seq_accuracy", "val_seq_accuracy"
]


class OcrHparams(Hparams):
    """Reads numbers in Khmer digits from pictures: a convolutional encoder and a decoder with attention, or CTC."""

    model_name: Literal["small", "medium", "large", "ctc"] = Hparam(
        "medium", search=Choice("small", "medium", "large", "ctc")
    )
    """Size of the model; ctc has no decoder and is trained with the CTC loss."""
    model_config_path: str = Hparam("config/model_config.yaml")
    """YAML file with other sizes of the models; without a file at the default place, the sizes of kftune count."""
    vocab_size: int = Hparam(13, ge=4)
    """Tokens. Ten digits and three special tokens; must be the size of the data set's vocabulary."""
    max_sequence_length: int = Hparam(9, ge=2)
    """Tokens. The longest number that the model writes, with the token that ends it."""

    metadata_path: str = Hparam("generated_data/metadata.yaml")
    """The data set. At the default place it is generated when there is none."""
    train_split: str = Hparam("train")
    """Split of the data set to train on."""
    val_split: str = Hparam("val")
    """Split of the data set to validate with."""
    batch_size: int = Hparam(32, ge=1, search=Choice(16, 32, 64, 96))
    """Pictures per optimizer step."""
    num_workers: int = Hparam(4, ge=0)
    """Processes that prepare batches, at most one for each core; 0 prepares them in the training process."""
    pin_memory: bool = Hparam(False)
    """Whether batches are put into memory from which a GPU copies faster."""
    augmentation: bool = Hparam(True)
    """Whether pictures to train on are spoiled anew in each epoch."""

    device: Literal["auto", "cpu", "cuda"] = Hparam("auto")
    """auto is the device in KFTUNE_DEVICE; without it CUDA when there is a device, otherwise the CPU."""
    mixed_precision: bool = Hparam(False)
    """Whether to compute in 16 bits where this loses little: float16 on CUDA, bfloat16 on the CPU."""
    num_epochs: int = Hparam(40, ge=1)
    """Epochs. Passes over the pictures to train on."""
    learning_rate: float = Hparam(1e-3, gt=0, search=LogUniform(1e-4, 1e-2))
    """Step size of the optimizer."""
    weight_decay: float = Hparam(1e-4, ge=0, search=LogUniform(1e-6, 1e-2))
    """L2 penalty of adam; decay of the weights themselves with adamw."""
    gradient_clip_norm: float = Hparam(1.0, gt=0)
    """Norm to which a larger gradient is shortened."""
    log_every_n_steps: int = Hparam(25, ge=1)
    """Steps. The log says how far an epoch is after this many."""
    save_every_n_epochs: int = Hparam(5, ge=1)
    """Epochs between checkpoints to resume from."""
    keep_n_checkpoints: int = Hparam(3, ge=1)
    """How many of these checkpoints are kept, the newest."""
    use_tensorboard: bool = Hparam(True)
    """Whether metrics are written for TensorBoard too."""

    loss_type: Literal["crossentropy", "ctc"] = Hparam("crossentropy")
    """Loss of a decoder with attention. The model ctc is always trained with the CTC loss."""
    label_smoothing: float = Hparam(0.0, ge=0, lt=1, search=Uniform(0.0, 0.2))
    """Share of the target that is spread over all tokens; the CTC loss has none."""

    optimizer_type: Literal["adam", "adamw"] = Hparam("adam", search=Choice("adam", "adamw"))
    """Optimizer."""
    optimizer_betas: tuple[float, float] = Hparam((0.9, 0.999))
    """Memory of the optimizer's averages of gradient and squared gradient."""

    scheduler_type: Literal["cosine", "steplr", "plateau"] = Hparam(
        "steplr", search=Choice("cosine", "steplr", "plateau")
    )
    """How the learning rate falls: along a cosine, in steps, or when val_loss no longer does."""
    warmup_epochs: int = Hparam(0, ge=0)
    """Epochs. In these the learning rate rises to its full size; cosine only."""
    min_lr: float = Hparam(1e-6, ge=0)
    """Learning rate at the end of the cosine; plateau and steplr do not go below it."""
    step_size: int = Hparam(10, ge=1)
    """Epochs between two steps of steplr."""
    gamma: float = Hparam(0.5, gt=0, le=1)
    """Factor of one step of steplr."""
    patience: int = Hparam(5, ge=0)
    """Epochs without a lower val_loss after which plateau lowers the learning rate."""
    factor: float = Hparam(0.5, gt=0, lt=1)
    """Factor by which plateau lowers it."""

    early_stopping_patience: int | None = Hparam(10, ge=1)
    """Epochs without a better early_stopping_monitor after which training ends; null trains all epochs."""
    early_stopping_min_delta: float = Hparam(1e-4, ge=0)
    """A value must be better by more than this to count as better."""
    early_stopping_monitor: Monitor = Hparam("val_char_accuracy")
    """Metric that decides which epoch is the best one, and when training ends."""
    early_stopping_mode: Literal["max", "min"] = Hparam("max")
    """Whether larger or smaller values of the metric are better."""

    experiment_name: str = Hparam("hyperparameter_experiment")
    """Folder of this training's files, in output_dir."""
    output_dir: str = Hparam("training_output")
    """Folder of all trainings; a relative one is in KFTUNE_OUTPUT_DIR if that is set. --model names another folder."""

    fallback: bool = Hparam(True)
    """Whether batches are read in smaller pieces, whose gradients are added up, when memory runs out."""
    resume: bool = Hparam(False)
    """Whether to go on from the newest checkpoint in the folder, if there is one."""
    seed: int = Hparam(0, ge=0)
    """Seed of the first weights, the order of the pictures and how they are spoiled."""

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if self.loss_type == "ctc" and self.model_name != "ctc":
            raise ValueError(
                f"loss_type=ctc needs model_name=ctc, but model_name is {self.model_name}, a decoder with attention"
            )
        wanted = "min" if self.early_stopping_monitor.endswith("_loss") else "max"
        if self.early_stopping_mode != wanted:
            raise ValueError(
                f"early_stopping_mode must be {wanted} for {self.early_stopping_monitor}, "
                f"but is {self.early_stopping_mode}"
            )
        if not all(0 <= beta < 1 for beta in self.optimizer_betas):
            raise ValueError(f"optimizer_betas must be at least 0 and less than 1, but are {self.optimizer_betas}")
        if self.experiment_name in ("", ".", "..") or set(self.experiment_name) & set("/\\\0\n"):
            raise ValueError(f"experiment_name must be the name of a folder, but is {self.experiment_name!r}")
        return self

    @classmethod
    def from_experiment(cls, experiment: Mapping[str, Any]) -> Self:
        """Returns the hyperparameters of one experiment, as an experiment file has them.

        Args:
            experiment: The groups ``model``, ``data``, ``training``, ``optimizer``, ``scheduler`` and
                ``early_stopping``, and ``experiment_name``; all may be missing. Learning rate and weight decay of
                ``optimizer`` take precedence over those of ``training``.

        Raises:
            UnknownNameError: A group or key does not exist.
            HparamsError: A group is not a mapping, or a value is invalid.
        """
        if not isinstance(experiment, Mapping):
            raise HparamsError(f"an experiment must be a mapping of groups such as training, but is {experiment!r}")
        values, problems = cls.experiment_values(experiment)
        if problems:
            raise problems[0].error
        return cls.from_dict({each.field: each.value for each in values})

    @classmethod
    def experiment_values(cls, experiment: Mapping[str, Any]) -> tuple[list[GroupedValue], list[GroupedProblem]]:
        """Returns the values of an experiment by field, of which later ones take precedence, and all its mistakes.

        Args:
            experiment: As for `from_experiment`.
        """
        return grouped_values(_GROUPS, _ALONE, experiment)


_TRAINING = (
    "device", "mixed_precision", "gradient_clip_norm", "log_every_n_steps", "save_every_n_epochs",
    "keep_n_checkpoints", "use_tensorboard", "batch_size", "learning_rate", "weight_decay", "num_epochs", "loss_type",
    "label_smoothing", "fallback", "resume", "seed",
)  # fmt: skip
_GROUPS: Groups = {
    "model": {
        "name": "model_name",
        "config_path": "model_config_path",
        "vocab_size": "vocab_size",
        "max_sequence_length": "max_sequence_length",
    },
    "data": {
        key: key
        for key in (
            "metadata_path",
            "train_split",
            "val_split",
            "num_workers",
            "pin_memory",
            "augmentation",
            "batch_size",
        )
    },
    "training": {key: key for key in _TRAINING},
    # After training: where both name a field, this one counts.
    "optimizer": {
        "type": "optimizer_type",
        "learning_rate": "learning_rate",
        "weight_decay": "weight_decay",
        "betas": "optimizer_betas",
    },
    "scheduler": {
        "type": "scheduler_type",
        **{key: key for key in ("warmup_epochs", "min_lr", "step_size", "gamma", "patience", "factor")},
    },
    "early_stopping": {key: f"early_stopping_{key}" for key in ("patience", "min_delta", "monitor", "mode")},
}
"""Group -> key -> field, in the order in which later groups take precedence."""

_ALONE = ("experiment_name", "output_dir")


def create_training_config(experiment_config: Mapping[str, Any]) -> OcrHparams:
    """Returns the hyperparameters of an experiment that reads numbers, without training it.

    Args:
        experiment_config: The experiment, in groups such as ``training``.

    Raises:
        UnknownNameError: A group or key does not exist.
        HparamsError: A value is invalid.
    """
    return OcrHparams.from_experiment(experiment_config)
