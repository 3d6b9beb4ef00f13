"""Options of the render targets of a pipeline."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from kftune.pipeline.part import PipelinePart
from kftune.spec.container import Image
from kftune.spec.labels import DnsLabel, DnsSubdomain, LabelKey, LabelValue, matching
from kftune.spec.quantities import EnvText, Seconds

# Source: Kubeflow Pipelines, ParseBucketPathToConfig. It also takes mem://, which no step can read.
PipelineRoot = Annotated[
    str,
    matching(
        r"(?:gs|s3|minio)://[^/?\s]+(?:/[^?\s]*)?(?:\?\S+)?",
        "a pipeline root is gs://BUCKET/FOLDER, s3://BUCKET/FOLDER or minio://BUCKET/FOLDER",
    ),
]


class ClusterTarget(PipelinePart):
    """What all targets on a cluster have."""

    namespace: DnsLabel | None = None
    """Namespace of the objects."""
    service_account: DnsSubdomain | None = None
    """Service account of the run."""
    labels: dict[LabelKey, LabelValue] = Field(default_factory=dict)
    """Labels of the objects."""
    annotations: dict[LabelKey, EnvText] = Field(default_factory=dict)
    """Annotations of the objects."""


class KfpTarget(ClusterTarget):
    """How the pipeline is rendered for Kubeflow Pipelines."""

    version: Literal["2.15", "2.16", "2.17"] = "2.17"
    """Kubeflow Pipelines' version on the cluster."""
    pipeline_root: PipelineRoot | None = None
    """Where artifacts go (``s3://…``); default: the setting of the cluster."""


class ArgoTarget(ClusterTarget):
    """How the pipeline is rendered for Argo Workflows."""

    version: Literal["3.6", "3.7", "4.0", "4.1"] = "4.1"
    """Argo's version on the cluster."""
    keep_succeeded: Seconds | None = None
    """How long a successful workflow is kept; default: forever, with a schedule the last 3."""
    keep_failed: Seconds | None = None
    """How long a failed workflow is kept; default: forever, with a schedule the last one."""
    mutex: DnsLabel | None = None
    """Name of a mutex: of all runs that name it, one runs at a time."""


class LocalTarget(PipelinePart):
    """How the pipeline runs on this machine."""

    images: dict[Image, Image] = Field(default_factory=dict)
    """In containers: image of the pipeline -> image to run on this machine instead (``images/train``)."""


class PipelineTargets(PipelinePart):
    """Options of each target."""

    kfp: KfpTarget = KfpTarget()
    """Kubeflow Pipelines."""
    argo: ArgoTarget = ArgoTarget()
    """Argo Workflows."""
    local: LocalTarget = LocalTarget()
    """This machine."""
