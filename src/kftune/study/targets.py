"""Options of the render targets."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from kftune.spec.container import DnsLabel
from kftune.spec.labels import LabelKey, LabelText
from kftune.spec.part import Part
from kftune.spec.quantities import EnvText


class KatibTarget(Part):
    """How the study is written for Katib."""

    version: Literal["0.18", "0.19", "main"] = "0.19"
    """Katib's version on the cluster."""
    namespace: DnsLabel | None = None
    """Namespace of the Experiment."""
    name: str | None = None
    """Name of the Experiment; left out, made from the study's name."""
    encoding: Literal["auto", "native", "surrogate"] = "auto"
    """How domains go out: as Katib's own where the engine samples them rightly (auto), always, or never."""
    trial_kind: Literal["Job", "PyTorchJob", "TrainJob"] = "Job"
    """The object that runs each trial."""
    runtime: DnsLabel = "torch-distributed"
    """The training runtime that a TrainJob refers to."""
    retain: bool = False
    """Whether finished trials keep their pods and logs."""
    resume_policy: Literal["Never", "LongRunning", "FromVolume"] = "Never"
    """What stays of the algorithm service after the end."""
    labels: dict[LabelKey, LabelText] = Field(default_factory=dict)
    """Labels of the Experiment and its trials."""
    annotations: dict[LabelKey, EnvText] = Field(default_factory=dict)
    """Annotations of the Experiment."""


class Targets(Part):
    """What a study is rendered for, and how."""

    katib: KatibTarget = KatibTarget()
