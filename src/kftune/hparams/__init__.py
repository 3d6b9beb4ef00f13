"""Typed hyperparameter classes: fields with domains, a mapping, and a command line."""

from kftune.hparams.model import Hparam, Hparams

__all__ = ["Hparam", "Hparams"]
