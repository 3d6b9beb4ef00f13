"""A study: search space, objective, algorithm, budget, and the step that each trial runs."""

from kftune.katib.engines import ALGORITHMS
from kftune.spec.container import ConfigKey, Resources, SecretKey
from kftune.spec.pod import (
    Affinity,
    Capabilities,
    Csi,
    Ephemeral,
    Preemption,
    Security,
    Toleration,
    TopologySpread,
    Volume,
)
from kftune.study.algorithm import Algorithm
from kftune.study.load import load_study, study_from_dict
from kftune.study.model import Study
from kftune.study.objective import Budget, MetricSpec, Objective
from kftune.study.retries import OutOfMemory, RetryBudget
from kftune.study.step import Step
from kftune.study.targets import KatibTarget, Targets

__all__ = [
    "ALGORITHMS",
    "Affinity",
    "Algorithm",
    "Budget",
    "Capabilities",
    "ConfigKey",
    "Csi",
    "Ephemeral",
    "KatibTarget",
    "MetricSpec",
    "Objective",
    "OutOfMemory",
    "Preemption",
    "Resources",
    "RetryBudget",
    "SecretKey",
    "Security",
    "Step",
    "Study",
    "Targets",
    "Toleration",
    "TopologySpread",
    "Volume",
    "load_study",
    "study_from_dict",
]
