"""The hyperparameters of the golden study."""

from kftune import Choice, Hparam, Hparams, LogUniform


class GoldenHparams(Hparams):
    """A model with one value of each kind that is searched."""

    units: int = Hparam(64, ge=1, search=Choice(32, 64))
    """Width."""
    learning_rate: float = Hparam(1e-3, gt=0, search=LogUniform(1e-4, 1e-2))
    """Step size."""
