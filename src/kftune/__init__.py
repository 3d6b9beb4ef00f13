"""kftune: one typed declaration of hyperparameters, and everything that runs it.

The names below are imported when they are first used. So ``import kftune`` is fast, and a training script that only
reports metrics loads neither pydantic nor YAML.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from kftune._version import __version__

if TYPE_CHECKING:
    from kftune.api.asking import AskedTrial, AskTell, ask_tell
    from kftune.api.tune import tune
    from kftune.api.tuned import Best, Tuned
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
    from kftune.render import render
    from kftune.study import Study, load_study

_HOMES = {
    "kftune.api.asking": ("AskTell", "AskedTrial", "ask_tell"),
    "kftune.api.tune": ("tune",),
    "kftune.api.tuned": ("Best", "Tuned"),
    "kftune.domains": (
        *("Choice", "Conditional", "Constant", "Discrete", "Domain", "IntUniform", "LogNormal", "LogUniform"),
        *("Normal", "Ordinal", "QLogNormal", "QLogUniform", "QNormal", "QUniform", "ReverseLogUniform", "Uniform"),
    ),
    "kftune.errors": ("KftuneError",),
    "kftune.hparams": ("Hparam", "Hparams"),
    "kftune.metrics": ("report",),
    "kftune.hparams.registry": ("HPARAMS_REGISTRY", "register"),
    "kftune.render": ("render",),
    "kftune.study": ("Study", "load_study"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "HPARAMS_REGISTRY",
    "AskTell",
    "AskedTrial",
    "Best",
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
    "Tuned",
    "Uniform",
    "__version__",
    "ask_tell",
    "load_study",
    "register",
    "render",
    "report",
    "tune",
]


def __getattr__(name: str) -> object:
    module = _HOME_OF.get(name)
    if module is None:
        hint = "" if name.startswith("_") or not name.isidentifier() else _hint(name)
        raise AttributeError(f"module 'kftune' has no attribute {name!r}{hint}")
    home = import_module(module)
    # kftune.render is a module that can be called: whoever imports it finds its parts there too.
    value = home if module == f"kftune.{name}" else getattr(home, name)
    globals()[name] = value
    return value


# What people look for here -> where it is, or what to use instead.
_ELSEWHERE = {
    **dict.fromkeys(
        ("log", "log_metric", "log_metrics", "logger", "metric", "report_metric", "report_metrics", "write"),
        "report metrics with kftune.report(val_loss=0.31)",
    ),
    **dict.fromkeys(
        ("run", "sweep", "optimize", "minimize", "maximize", "run_study", "create_study", "Tuner"),
        "run a study with kftune.tune('study.yaml'), or a function of hyperparameters with kftune.tune(objective)",
    ),
    **dict.fromkeys(
        ("train", "fit", "evaluate", "Data", "Trainer"),
        "from kftune.training import fit trains a typed model; kftune train MODEL trains one by its name",
    ),
    **dict.fromkeys(
        ("suggest_float", "suggest_int", "suggest_categorical", "trial", "get_next_parameter", "config", "get_config"),
        "a script gets its values from its class: hparams = MyHparams.from_args()",
    ),
    **dict.fromkeys(
        ("Pipeline", "load_pipeline", "DataStep", "TrainStep", "TuneStep", "EvaluateStep", "RegisterStep", "Parameter"),
        "pipelines are in kftune.pipeline",
    ),
    **dict.fromkeys(("compile", "render_pipeline"), "kftune.render(study_or_pipeline, target)"),
    **dict.fromkeys(
        (
            *("Model", "ModelHparams", "RunHparams", "DataHparams", "TrainerHparams", "OptimizerHparams"),
            *("SchedulerHparams", "CheckpointHparams", "EarlyStoppingHparams"),
        ),
        "typed models are in kftune.training",
    ),
    "ModelHyperparameters": "from kftune.hparams import ModelHyperparameters",
    "ContinuousParameter": "write Uniform(low, high), or LogUniform(low, high)",
    "IntegerParameter": "write IntUniform(low, high)",
    "CategoricalParameter": "write Choice(value, ...)",
    **dict.fromkeys(("results", "best", "open_results"), "from kftune.results import open_results"),
    "load_hparams": "from kftune.hparams.registry import load_hparams",
}


def _hint(name: str) -> str:
    """Returns ``; `` and what to write for a name that is not here, or an empty text."""
    from importlib.util import find_spec

    from kftune.errors import near_names

    if name in _ELSEWHERE:
        return f"; {_ELSEWHERE[name]}"
    if find_spec(f"kftune.{name}") is not None:
        return f"; it is a module: import kftune.{name}"
    near = near_names(name, __all__)
    return f"; {near}" if near else ""


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME_OF})
