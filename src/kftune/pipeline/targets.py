"""Options of the targets that a pipeline is rendered for."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from kftune.pipeline.part import PipelinePart
from kftune.spec.container import DnsLabel, Image
from kftune.spec.labels import LabelKey, LabelValue
from kftune.spec.quantities import EnvText, Seconds


class ClusterTarget(PipelinePart):
    """What all targets of a cluster have."""

    namespace: DnsLabel | None = None
    """Namespace of the objects."""
    service_account: DnsLabel | None = None
    """Service account of the run."""
    labels: dict[LabelKey, LabelValue] = Field(default_factory=dict)
    """Labels of the objects."""
    annotations: dict[LabelKey, EnvText] = Field(default_factory=dict)
    """Annotations of the objects."""


class KfpTarget(ClusterTarget):
    """How the pipeline is written for Kubeflow Pipelines."""

    version: Literal["2.15", "2.16", "2.17"] = "2.17"
    """Kubeflow Pipelines' version on the cluster."""
    pipeline_root: str | None = None
    """Where artifacts go (``s3://…``); left out, where the cluster's own setting says."""


class ArgoTarget(ClusterTarget):
    """How the pipeline is written for Argo Workflows."""

    version: Literal["3.6", "3.7", "4.0", "4.1"] = "4.1"
    """Argo's version on the cluster."""
    keep_succeeded: Seconds | None = None
    """How long a finished workflow is kept; left out, for ever."""
    keep_failed: Seconds | None = None
    """How long a failed workflow is kept; left out, for ever."""
    mutex: DnsLabel | None = None
    """Name of a lock that only one run of all that name it can hold."""


class LocalTarget(PipelinePart):
    """How the pipeline runs on this machine."""

    images: dict[Image, Image] = Field(default_factory=dict)
    """In containers: an image of the pipeline, and what runs here in its place (``images/train``)."""


class PipelineTargets(PipelinePart):
    """What a pipeline is rendered for, and how."""

    kfp: KfpTarget = KfpTarget()
    argo: ArgoTarget = ArgoTarget()
    local: LocalTarget = LocalTarget()
