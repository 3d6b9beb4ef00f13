"""The hyperparameters of the golden study."""

from kftune import Choice, Hparam, Hparams, LogUniform


class GoldenHparams(Hparams):
    """A model with one value of each kind that is searched."""

    units: int = Hparam(64, ge=1, search=Choice(32, 64))
    """Width."""
    learning_rate: float = Hparam(1e-3, gt=0, search=LogUniform(1e-4, 1e-2))
    """Step size."""


class StyledHparams(Hparams):
    """What scripts with parsers of their own take in several forms."""

    batch_size: int = Hparam(64, ge=1, search=Choice(32, 64))
    """Examples in a step."""
    learning_rate: float = Hparam(1e-3, gt=0, search=LogUniform(1e-4, 1e-2))
    """Step size."""
    dropout_rate: float | None = Hparam(None, search=Choice(None, 0.1))
    """Share of the features to drop; null for none."""
    amp: bool = Hparam(False, search=Choice(True, False))
    """Mixed precision."""
