"""Training inside the container: ``python -m kftune.training MODEL --name=value …``, and `Model` and `fit` for scripts.

Importing this package does not import torch; only the modules of the models do. A name below is imported when it is
first used: the classes of hyperparameters need no torch, `Model`, `Data`, `fit` and `evaluate` import Lightning.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kftune.hparams.models.training import (
        CheckpointHparams,
        DataHparams,
        EarlyStoppingHparams,
        FallbackHparams,
        ModelHparams,
        OptimizerHparams,
        RunHparams,
        SchedulerHparams,
        TrainerHparams,
    )
    from kftune.training.lightning.data import Data
    from kftune.training.lightning.fitting import evaluate, fit
    from kftune.training.lightning.model import Model
    from kftune.training.lightning.output import FitResult

_HOMES = {
    "kftune.hparams.models.training": (
        *("CheckpointHparams", "DataHparams", "EarlyStoppingHparams", "FallbackHparams", "ModelHparams"),
        *("OptimizerHparams", "RunHparams", "SchedulerHparams", "TrainerHparams"),
    ),
    "kftune.training.lightning.data": ("Data",),
    "kftune.training.lightning.fitting": ("evaluate", "fit"),
    "kftune.training.lightning.model": ("Model",),
    "kftune.training.lightning.output": ("FitResult",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "CheckpointHparams",
    "Data",
    "DataHparams",
    "EarlyStoppingHparams",
    "FallbackHparams",
    "FitResult",
    "Model",
    "ModelHparams",
    "OptimizerHparams",
    "RunHparams",
    "SchedulerHparams",
    "TrainerHparams",
    "evaluate",
    "fit",
]


def __getattr__(name: str) -> object:
    module = _HOME_OF.get(name)
    if module is None:
        raise AttributeError(f"module 'kftune.training' has no attribute {name!r}")
    from kftune.training.importing import torch_import

    with torch_import():
        value = getattr(import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME_OF})
