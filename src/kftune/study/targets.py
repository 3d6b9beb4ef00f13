"""Options of the render targets of a study."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from kftune.spec.labels import DnsLabel, DnsSubdomain, LabelKey, LabelText
from kftune.spec.part import Part
from kftune.spec.quantities import EnvText, Seconds
from kftune.study.algorithm import Substitute


class KatibTarget(Part):
    """How the study is rendered for Katib."""

    version: Literal["0.18", "0.19", "main"] = "0.19"
    """Katib's version on the cluster."""
    namespace: DnsLabel | None = None
    """Namespace of the Experiment."""
    name: str | None = None
    """Name of the Experiment; default: made from the name of the study."""
    algorithm: Substitute | None = None
    """The algorithm on Katib, if it is another than the study's: its name, or name and settings."""
    encoding: Literal["auto", "native", "encoded"] = "auto"
    """Whether domains are rendered as those of Katib: if its engine samples them correctly (auto), always, or never."""
    trial_kind: Literal["Job", "PyTorchJob", "TrainJob"] = "Job"
    """The object that runs each trial; TrainJob from Katib 0.19."""
    runtime: DnsSubdomain = "torch-distributed"
    """The training runtime of a TrainJob. The training must run in its replicated job `node`."""
    runtime_kind: Literal["ClusterTrainingRuntime", "TrainingRuntime"] = "ClusterTrainingRuntime"
    """The kind of the runtime: of the whole cluster, or of the namespace."""
    min_runtime: Seconds | None = None
    """Shortest duration of a trial's command that succeeds; the rest is waited. Katib's collector fails trials that end
    before it looks for them (10s is enough)."""
    retain: bool = False
    """Whether trials that ended keep their objects, pods and logs. Trainer deletes the pods of a TrainJob that times
    out anyway."""
    resume_policy: Literal["Never", "LongRunning", "FromVolume"] = "Never"
    """What remains of the algorithm service after the end."""
    labels: dict[LabelKey, LabelText] = Field(default_factory=dict)
    """Labels of the Experiment and its trials."""
    annotations: dict[LabelKey, EnvText] = Field(default_factory=dict)
    """Annotations of the Experiment."""


class Targets(Part):
    """Options of each target."""

    katib: KatibTarget = KatibTarget()
    """Katib."""
