"""What each of kftune's own models is, for the steps around a training. It loads no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Summary = Mapping[str, Any]
"""What ``summary.json`` of a training has."""


@dataclass(frozen=True)
class About:
    """What cards and pages say about the models of one type.

    Attributes:
        model_type: The type; its module in `kftune.training` trains and evaluates it. Empty for another model.
        subject: What a model learned, from its summary.
        card: What a model does, from its summary: the first sentences of its card.
        limits: What its card says about its limits.
        evaluation: What a page says about the metrics of an evaluation.
        meanings: Metric -> what it means.
        curves: Heading -> the metrics of each epoch that one picture shows.
    """

    model_type: str
    subject: Callable[[Summary], str]
    card: Callable[[Summary], str]
    limits: str
    evaluation: str
    meanings: Mapping[str, str]
    curves: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: {"Loss by epoch": ("train_loss", "val_loss")},
    )


def about_of(summary: Summary) -> About:
    """Returns what a training's model is.

    Args:
        summary: What its ``summary.json`` has. Without ``model_type``, one with a circuit is that of an LSTM.
    """
    model_type = summary.get("model_type", "lstm" if "circuit" in summary else "")
    return ABOUT.get(model_type, _OTHER)


def _trained(summary: Summary, examples: str) -> str:
    counts = summary[examples]
    return (
        f"Trained for {summary['epochs']} epochs on {counts['train']} {examples}. The model is that of epoch "
        f"{summary['best']['epoch']}, the best one on {counts['val']} {examples} for validation."
    )


_TOLD = {
    "test_char_accuracy": "1 less the edits for each character",
    "test_seq_accuracy": "share of the numbers without a mistake",
}

_OTHER = About(
    model_type="",
    subject=lambda summary: str(summary.get("experiment_name", "a model")),
    card=lambda summary: (
        f"Trained for {summary['epochs']} epochs. The model is that of epoch {summary['best']['epoch']}."
    ),
    limits="Not described.",
    evaluation="",
    meanings={},
)

_KNOWN = (
    About(
        model_type="lstm",
        subject=lambda summary: str(summary["circuit"]),
        card=lambda summary: f"Predicts the readings of {summary['circuit']}. {_trained(summary, 'windows')}",
        limits="Faults and gaps were left out of training, so the model knows only normal operation. The readings for "
        "validation also chose the epoch to keep, so expect a slightly higher error on new readings.",
        evaluation="The newest readings, which are kept for validation: no weight was learned from them, but they "
        "chose the epoch to keep and, in a study, the hyperparameters.",
        meanings={
            "train_loss": "mean squared error in squared spreads, while training",
            "val_loss": "mean squared error in squared spreads",
            "val_mae": "mean absolute error in litres per second",
            "baseline_loss": "val_loss of the best prediction without a model",
        },
    ),
    About(
        model_type="ocr",
        subject=lambda summary: str(summary["experiment_name"]),
        card=lambda summary: f"Reads numbers in Khmer digits from pictures. {_trained(summary, 'pictures')}",
        limits="The pictures are drawn from the digits of a few fonts and spoiled by a program; on photographs of real "
        "paper, expect more mistakes. A number has at most as many digits as max_sequence_length allows.",
        evaluation="The pictures of the split test, which chose neither a weight, nor the epoch to keep, nor the "
        "hyperparameters.",
        meanings={
            "train_loss": "cross entropy of a token or CTC loss, while training",
            "val_loss": "the same without label smoothing and augmentation",
            "test_loss": "cross entropy of a token or CTC loss",
            **_TOLD,
            **{name.replace("test", split): told for name, told in _TOLD.items() for split in ("train", "val")},
        },
        curves={
            "Loss by epoch": ("train_loss", "val_loss"),
            "Numbers without a mistake by epoch": ("train_seq_accuracy", "val_seq_accuracy"),
        },
    ),
)

ABOUT: Mapping[str, About] = {about.model_type: about for about in _KNOWN}
"""Model type -> what it is."""
