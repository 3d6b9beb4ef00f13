"""Typed hyperparameter classes: fields with domains, a mapping, and a command line.

`ModelHyperparameters` is `Hparams`, under the name that projects for SageMaker give the base class.
"""

from kftune.hparams.model import Hparam, Hparams
from kftune.hparams.model import Hparams as ModelHyperparameters

__all__ = ["Hparam", "Hparams", "ModelHyperparameters"]
