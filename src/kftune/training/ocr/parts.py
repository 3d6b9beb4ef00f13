"""Device, optimizer, scheduler and loss, as the hyperparameters name them."""

from __future__ import annotations

import math
import os

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import lr_scheduler

from kftune.errors import UsageError
from kftune.hparams.models.ocr import OcrHparams
from kftune.training.digits.alphabet import END, PAD
from kftune.training.process import device_named

Scheduler = lr_scheduler.LambdaLR | lr_scheduler.ReduceLROnPlateau


def setup_training_environment(config: OcrHparams) -> tuple[torch.device, bool]:
    """Returns the device and whether to compute in mixed precision.

    Args:
        config: Device and precision.

    Raises:
        UsageError: The device does not exist, or KFTUNE_DEVICE names another one.
    """
    named = os.environ.get("KFTUNE_DEVICE")
    if config.device == "auto":
        return device_named(named), config.mixed_precision
    if named and named.partition(":")[0] != config.device:
        raise UsageError(
            f"device and KFTUNE_DEVICE must agree, but device is {config.device} and KFTUNE_DEVICE is {named}; "
            f"device=auto takes the one in KFTUNE_DEVICE"
        )
    return device_named(named or config.device), config.mixed_precision


def create_optimizer(model: nn.Module, config: OcrHparams) -> torch.optim.Optimizer:
    """Returns the optimizer of a model.

    Args:
        model: What it trains.
        config: Its type, learning rate, weight decay and betas.
    """
    kind = torch.optim.Adam if config.optimizer_type == "adam" else torch.optim.AdamW
    betas = config.optimizer_betas
    return kind(model.parameters(), lr=config.learning_rate, betas=betas, weight_decay=config.weight_decay)


def create_scheduler(optimizer: torch.optim.Optimizer, config: OcrHparams) -> Scheduler:
    """Returns what lowers the learning rate after each epoch.

    Args:
        optimizer: Whose learning rate it is.
        config: Its type and settings.
    """
    if config.scheduler_type == "plateau":
        return lr_scheduler.ReduceLROnPlateau(
            optimizer, patience=config.patience, factor=config.factor, min_lr=config.min_lr
        )
    lowest = min(1.0, config.min_lr / config.learning_rate)
    warmup, rest = config.warmup_epochs, max(1, config.num_epochs - config.warmup_epochs)

    def steps(epoch: int) -> float:
        return max(lowest, config.gamma ** (epoch // config.step_size))

    def cosine(epoch: int) -> float:
        if epoch < warmup:
            return (epoch + 1) / (warmup + 1)
        share = min(1.0, (epoch - warmup) / rest)
        return lowest + (1 - lowest) * (1 + math.cos(math.pi * share)) / 2

    return lr_scheduler.LambdaLR(optimizer, cosine if config.scheduler_type == "cosine" else steps)


class SequenceLoss(nn.Module):
    """Cross entropy of the tokens; PAD does not count.

    Args:
        label_smoothing: Share of the target that is spread over all tokens, while training.
    """

    def __init__(self, label_smoothing: float) -> None:
        super().__init__()
        self.label_smoothing = label_smoothing

    def forward(self, logits_BLV: Tensor, tokens_BL: Tensor) -> Tensor:
        """Returns the mean over all tokens.

        Args:
            logits_BLV: What `forward` of the model returns.
            tokens_BL: The right tokens, with END, filled up with PAD.
        """
        smoothing = self.label_smoothing if self.training else 0.0
        logits_BVL = logits_BLV.float().transpose(1, 2)
        return functional.cross_entropy(logits_BVL, tokens_BL, ignore_index=PAD, label_smoothing=smoothing)


class ColumnLoss(nn.Module):
    """The CTC loss, for each token."""

    def forward(self, logits_BWV: Tensor, tokens_BL: Tensor) -> Tensor:
        """Returns the mean over all pictures of the loss divided by the number of digits.

        Args:
            logits_BWV: What `forward` of the model returns.
            tokens_BL: The right tokens, with END, filled up with PAD.
        """
        # On the CPU, because torch's own CTC loss on CUDA has no gradients that repeat.
        chances_WBV = logits_BWV.float().log_softmax(dim=2).transpose(0, 1).cpu()
        tokens_BL = tokens_BL.cpu()
        lengths_B = (tokens_BL > END).sum(dim=1)
        columns_B = torch.full_like(lengths_B, len(chances_WBV))
        return functional.ctc_loss(chances_WBV, tokens_BL, columns_B, lengths_B, blank=PAD, zero_infinity=True)


def create_loss_function(config: OcrHparams) -> nn.Module:
    """Returns the loss of the model: `SequenceLoss`, or `ColumnLoss` for the model ctc.

    Args:
        config: The model and the smoothing.
    """
    return ColumnLoss() if config.model_name == "ctc" else SequenceLoss(config.label_smoothing)


def not_used(config: OcrHparams) -> list[str]:
    """Returns a sentence for each value that has no effect in this training, for the log."""
    found = []
    defaults = OcrHparams()
    if config.model_name == "ctc" and config.loss_type != "ctc":
        found.append("the model ctc is trained with the CTC loss, so loss_type has no effect")
    if config.model_name == "ctc" and config.label_smoothing:
        found.append("the CTC loss has no label_smoothing")
    if config.pin_memory and not torch.cuda.is_available():
        found.append("pin_memory has no effect without CUDA")
    of_scheduler = {
        "warmup_epochs": "cosine", "step_size": "steplr", "gamma": "steplr", "patience": "plateau", "factor": "plateau"
    }  # fmt: skip
    for name, kind in of_scheduler.items():
        if kind != config.scheduler_type and config[name] != defaults[name]:
            found.append(f"{name} is for scheduler_type={kind}, so it has no effect with {config.scheduler_type}")
    return found
