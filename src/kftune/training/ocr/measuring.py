"""Measures a model on pictures: while it is trained, and a trained one on pictures that it does not know."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from kftune.errors import HparamsError
from kftune.hparams.models.ocr import OcrHparams
from kftune.training import checkpoint
from kftune.training.digits.alphabet import decode
from kftune.training.digits.dataset import find_metadata
from kftune.training.ocr.batches import Batch, create_test_loader
from kftune.training.ocr.model import Reader, create_model_from_config
from kftune.training.ocr.parts import create_loss_function
from kftune.training.ocr.scores import Scores
from kftune.training.ocr.sizes import Size
from kftune.training.process import start_process

TEST_SPLIT = "test"
"""The split that `evaluate_trained` reads."""


def outputs_of(model: Reader, batch: Batch, device: torch.device, use_amp: bool) -> Tensor:
    """Returns the outputs of a model for a batch.

    Args:
        model: The model.
        batch: Ink and tokens.
        device: Where the model is.
        use_amp: Whether it computes in 16 bits where this loses little.
    """
    dtype = torch.float16 if device.type == "cuda" else torch.bfloat16
    with torch.autocast(device.type, dtype=dtype, enabled=use_amp):
        outputs: Tensor = model(batch[0].to(device), batch[1].to(device))
    return outputs


def texts_of(tokens_BL: Tensor) -> list[str]:
    """Returns the numbers that tokens mean."""
    return [decode(tokens) for tokens in tokens_BL.tolist()]


def measure(
    model: Reader, loss: nn.Module, loader: DataLoader[Batch], device: torch.device, use_amp: bool
) -> tuple[float, Scores]:
    """Returns the mean loss of a model that reads on its own, and how much it reads correctly.

    Args:
        model: The model.
        loss: Its loss.
        loader: The pictures.
        device: Where the model is.
        use_amp: Whether it computes in 16 bits where this loses little.
    """
    model.eval()
    loss.eval()
    total, count, scores = 0.0, 0, Scores()
    with torch.inference_mode():
        for ink_BHW, tokens_BL in loader:
            outputs = outputs_of(model, (ink_BHW, tokens_BL), device, use_amp)
            total += loss(outputs, tokens_BL.to(device)).item() * len(ink_BHW)
            count += len(ink_BHW)
            scores.add(model.read(ink_BHW.to(device)), texts_of(tokens_BL))
    return total / count, scores


def load_trained(folder: Path) -> tuple[OcrHparams, Reader]:
    """Loads the model from a training's output folder, ready to read.

    Args:
        folder: The output folder.

    Returns:
        Its hyperparameters, and the model of the best epoch.

    Raises:
        HparamsError: The folder contains no finished epoch.
    """
    values, state = checkpoint.load_model(folder)
    hparams = OcrHparams.from_dict(values)
    try:
        # The size of the training, whatever the file at model_config_path says by now.
        model = create_model_from_config(hparams, Size(**state["size"]))
        model.load_state_dict(state["state_dict"])
    except (RuntimeError, KeyError, TypeError, ValueError) as error:
        raise HparamsError(f"{folder}: model.pt must contain the weights for hparams.json: {error}") from error
    return hparams, model.eval()


def evaluate_trained(folder: Path, data: Path) -> tuple[OcrHparams, dict[str, float]]:
    """Evaluates a trained model on the split ``test``.

    Args:
        folder: The output folder of its training.
        data: ``metadata.yaml`` of the data set, or its folder.

    Returns:
        Its hyperparameters; ``test_loss``, ``test_char_accuracy`` and ``test_seq_accuracy``.

    Raises:
        HparamsError: The model or the data set cannot be used.
        UnknownNameError: The data set has no such split.
        YamlError: Its metadata cannot be read.
    """
    hparams, model = load_trained(folder)
    with start_process(hparams.seed) as process:
        loader = create_test_loader(hparams, find_metadata(data, None), TEST_SPLIT)
        loss, scores = measure(
            model.to(process.device), create_loss_function(hparams), loader, process.device, hparams.mixed_precision
        )
    accuracies = {"test_char_accuracy": scores.char_accuracy, "test_seq_accuracy": scores.seq_accuracy}
    return hparams, {"test_loss": loss, **accuracies}
