"""Options of the render targets of a pipeline."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from kftune.pipeline.part import PipelinePart
from kftune.spec.container import Image
from kftune.spec.labels import DataKey, DnsLabel, DnsSubdomain, LabelKey, LabelValue, matching
from kftune.spec.quantities import Count, EnvText, Seconds

# Source: Kubeflow Pipelines, ParseBucketPathToConfig. It also takes mem://, which no step can read.
PipelineRoot = Annotated[
    str,
    matching(
        r"(?:gs|s3|minio)://[^/?\s]+(?:/[^?\s]*)?(?:\?\S+)?",
        "a pipeline root is gs://BUCKET/FOLDER, s3://BUCKET/FOLDER or minio://BUCKET/FOLDER",
    ),
]

_MOST_RUNS = 2**31 - 1


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


class PodGc(PipelinePart):
    """When the pods of steps are deleted. Their logs go with them."""

    when: Literal["step_succeeded", "step_ended", "run_succeeded", "run_ended"]
    """After what: the success or any end of the step, or of the whole run."""
    delay: Seconds | None = None
    """How long they stay after that; default: the setting of the cluster, 5 seconds."""


class ArtifactGc(PipelinePart):
    """When the files that steps wrote are deleted from the artifact repository."""

    when: Literal["run_ended", "run_deleted", "never"]
    """After what: the end of the run, or its deletion; ``never`` overrides a default of the cluster."""
    service_account: DnsSubdomain | None = None
    """Service account of the pods that delete them; default: ``default``."""
    force: bool = False
    """Whether a run can be deleted although some of its files could not; otherwise it stays."""


class ArtifactRepository(PipelinePart):
    """Where the files that steps write are kept, other than in Argo's configuration."""

    config_map: DnsSubdomain = "artifact-repositories"
    """Config map that describes repositories, in the run's namespace or in that of Argo."""
    key: DataKey | None = None
    """Its key; default: the one that it names as default."""


class Semaphore(PipelinePart):
    """A limit for the number of runs at the same time, shared by all pipelines that name it."""

    config_map: DnsSubdomain
    """Config map that holds the number, in the run's namespace."""
    key: DataKey
    """Its key."""


class ArgoTarget(ClusterTarget):
    """How the pipeline is rendered for Argo Workflows."""

    version: Literal["3.6", "3.7", "4.0", "4.1"] = "4.1"
    """Argo's version on the cluster."""
    keep_succeeded: Seconds | None = None
    """How long a successful workflow is kept; default: forever, with a schedule the last 3."""
    keep_failed: Seconds | None = None
    """How long a failed workflow is kept; default: forever, with a schedule the last one."""
    keep_succeeded_runs: Annotated[Count, Field(ge=0, le=_MOST_RUNS)] | None = None
    """How many successful runs of a schedule are kept; default: as long as `keep_succeeded` says."""
    keep_failed_runs: Annotated[Count, Field(ge=0, le=_MOST_RUNS)] | None = None
    """How many failed runs of a schedule are kept; default: as long as `keep_failed` says."""
    starting_deadline: Seconds | None = None
    """How late a run of a schedule still starts if Argo was not running at its time; default: it is skipped."""
    executor_account: DnsSubdomain | None = None
    """Service account of Argo's own containers in each pod. With it, the programs of steps get no token of the cluster,
    except the launcher of a tune step. Default: that of the step, whose token its program can read."""
    launcher_account: DnsSubdomain | None = None
    """Service account of tune steps, which may create Experiments; default: that of the run."""
    pod_gc: PodGc | None = None
    """When the pods of steps are deleted; default: with the run."""
    artifact_gc: ArtifactGc | None = None
    """When the files that steps wrote are deleted; default: never."""
    artifact_repository: ArtifactRepository | None = None
    """Where the files that steps write are kept; default: the setting of the cluster."""
    mutex: DnsLabel | None = None
    """Name of a mutex: of all runs that name it, one runs at a time."""
    semaphores: tuple[Semaphore, ...] = ()
    """Further limits: a run starts when each of them has room."""


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
