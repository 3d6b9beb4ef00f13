"""A study: search space, objective, algorithm, budget, and the step that each trial runs."""

from kftune.katib.engines import ALGORITHMS
from kftune.spec.container import ConfigKey, Resources, SecretKey, Toleration, Volume
from kftune.study.algorithm import Algorithm
from kftune.study.load import load_study, study_from_dict
from kftune.study.model import Study
from kftune.study.objective import Budget, MetricSpec, Objective
from kftune.study.step import Step
from kftune.study.targets import KatibTarget, Targets

__all__ = [
    "ALGORITHMS",
    "Algorithm",
    "Budget",
    "ConfigKey",
    "KatibTarget",
    "MetricSpec",
    "Objective",
    "Resources",
    "SecretKey",
    "Step",
    "Study",
    "Targets",
    "Toleration",
    "Volume",
    "load_study",
    "study_from_dict",
]
