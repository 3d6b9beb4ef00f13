"""The hyperparameter of the trials whose pods are looked at."""

from __future__ import annotations

from kftune import Hparam, Hparams, Uniform


class Pods(Hparams):
    """One number, which the script does not read."""

    lr: float = Hparam(0.1, search=Uniform(0.01, 0.1))
