"""Hyperparameters of the LSTM that `kftune.training.lstm` trains."""

from __future__ import annotations

from kftune.domains import Choice, LogUniform
from kftune.hparams import Hparam, Hparams


class LstmHparams(Hparams):
    """LSTM that predicts the next readings of a sensor circuit from those before them."""

    circuit: str = Hparam("PLANT001/CIRCUIT01")
    """PLANT/CIRCUIT. The circuit whose readings are learned."""
    lstm_units: int = Hparam(64, ge=1, search=Choice(32, 64, 128, 256))
    """Units. Width of the LSTM's hidden state."""
    learning_rate: float = Hparam(1e-3, gt=0, search=LogUniform(1e-4, 1e-2))
    """Step size of Adam."""
    epochs: int = Hparam(30, ge=1, search=Choice(30, 50, 100))
    """Epochs. Passes over the training windows."""
    batch_size: int = Hparam(32, ge=1, search=Choice(16, 32, 64))
    """Windows per optimizer step, over all processes together."""
    layers: int = Hparam(1, ge=1, le=8)
    """Layers. LSTMs on top of one another."""
    dropout: float = Hparam(0.0, ge=0, lt=1)
    """Share of the last hidden state that is left out while training."""
    window_hours: int = Hparam(24, ge=1)
    """Hours that the model sees."""
    horizon_hours: int = Hparam(6, ge=1)
    """Hours that the model predicts."""
    val_fraction: float = Hparam(0.2, gt=0, lt=1)
    """Share of the readings, the newest, that is kept for validation."""
    clip_norm: float = Hparam(1.0, gt=0)
    """Norm to which a larger gradient is shortened."""
    patience: int | None = Hparam(None, ge=1)
    """Epochs without a better val_loss after which training ends; null trains all epochs."""
    seed: int = Hparam(0, ge=0)
    """Seed of the first weights, the order of the windows and the dropout."""
