"""kftune: one typed declaration of hyperparameters, and everything that runs it.

The names below are imported when they are first used. So ``import kftune`` is fast, and a training script that only
reports metrics loads neither pydantic nor YAML.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from kftune._version import __version__

if TYPE_CHECKING:
    from kftune.domains import (
        Choice,
        Conditional,
        Constant,
        Discrete,
        Domain,
        IntUniform,
        LogNormal,
        LogUniform,
        Normal,
        Ordinal,
        QLogNormal,
        QLogUniform,
        QNormal,
        QUniform,
        ReverseLogUniform,
        Uniform,
    )
    from kftune.errors import KftuneError
    from kftune.hparams import Hparam, Hparams
    from kftune.hparams.registry import HPARAMS_REGISTRY, register
    from kftune.metrics import report
    from kftune.study import Study, load_study

_HOMES = {
    "kftune.domains": (
        *("Choice", "Conditional", "Constant", "Discrete", "Domain", "IntUniform", "LogNormal", "LogUniform"),
        *("Normal", "Ordinal", "QLogNormal", "QLogUniform", "QNormal", "QUniform", "ReverseLogUniform", "Uniform"),
    ),
    "kftune.errors": ("KftuneError",),
    "kftune.hparams": ("Hparam", "Hparams"),
    "kftune.metrics": ("report",),
    "kftune.hparams.registry": ("HPARAMS_REGISTRY", "register"),
    "kftune.study": ("Study", "load_study"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "HPARAMS_REGISTRY",
    "Choice",
    "Conditional",
    "Constant",
    "Discrete",
    "Domain",
    "Hparam",
    "Hparams",
    "IntUniform",
    "KftuneError",
    "LogNormal",
    "LogUniform",
    "Normal",
    "Ordinal",
    "QLogNormal",
    "QLogUniform",
    "QNormal",
    "QUniform",
    "ReverseLogUniform",
    "Study",
    "Uniform",
    "__version__",
    "load_study",
    "register",
    "report",
]


def __getattr__(name: str) -> object:
    module = _HOME_OF.get(name)
    if module is None:
        raise AttributeError(f"module 'kftune' has no attribute {name!r}")
    value = getattr(import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME_OF})
