"""What the tune step searches."""

from kftune import Choice, Hparam, Hparams


class TourHparams(Hparams):
    """One value."""

    x: int = Hparam(1, search=Choice(1, 2, 3))
    """The best one is 2."""
