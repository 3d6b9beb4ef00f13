"""Typed hyperparameter classes: fields with domains, a mapping, and a command line."""

from kftune.hparams.model import Hparam, Hparams

ModelHyperparameters = Hparams
"""The name that many projects give the base class of their hyperparameters; it is `Hparams` itself."""

__all__ = ["Hparam", "Hparams", "ModelHyperparameters"]
