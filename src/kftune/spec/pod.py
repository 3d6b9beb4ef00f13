"""How a pod fits a cluster: as whom it runs, what it mounts, which queue and nodes take it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from kftune.spec.fragment import ContainerFragment, PodFragment
from kftune.spec.labels import DnsLabel, DnsSubdomain, LabelKey, LabelText, matching
from kftune.spec.part import Part, PartError
from kftune.spec.quantities import Count, EnvText, Quantity

Capability = Annotated[
    str, matching("[A-Z][A-Z0-9_]*", "a capability is written as in Kubernetes, without CAP_, such as IPC_LOCK")
]
UserId = Annotated[Count, Field(ge=0, le=2**31 - 1)]

QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
"""The label by which Kueue finds the queue of an object."""
SHARED_MEMORY = "/dev/shm"  # noqa: S108  # the fixed place of shared memory, not a temporary folder
"""Where shared memory is mounted."""
Spot = Literal[False, True, "gke", "aks", "eks", "karpenter"]


class Capabilities(Part):
    """Rights of the kernel that a container has. Only a program that runs as root has them."""

    add: tuple[Capability, ...] = ()
    """Capabilities (``IPC_LOCK`` for InfiniBand). All others are dropped."""


class Security(Part):
    """As whom a container runs, and what it may do."""

    run_as_user: UserId | None = None
    """Number of the user; default: that of the image."""
    run_as_group: UserId | None = None
    """Number of the group; default: that of the image."""
    fs_group: UserId | None = None
    """Group that owns the volumes, so that a user other than root can write to a new claim."""
    run_as_non_root: bool = True
    """Whether the cluster refuses to start it as root. Many images of NVIDIA, PyTorch and Python run as root."""
    read_only_root: bool = False
    """Whether it can write to its volumes only."""
    capabilities: Capabilities = Capabilities()
    """Rights that it gets."""

    def model_post_init(self, context: object, /) -> None:
        """Checks rules that concern several fields."""
        if self.run_as_user == 0 and self.run_as_non_root:
            raise PartError(
                "run_as_user 0 is root, which run_as_non_root forbids; set run_as_non_root to false, or name another "
                "user",
                ("run_as_user",),
            )


def _values(value: object) -> object:
    return value if isinstance(value, (list, tuple)) else (value,)


def _not_empty(values: tuple[str, ...]) -> tuple[str, ...]:
    if not values:
        raise ValueError("a label needs at least one value")
    return values


LabelValues = Annotated[
    tuple[LabelText, ...], BeforeValidator(_values, json_schema_input_type=Any), AfterValidator(_not_empty)
]


class Affinity(Part):
    """Which nodes a pod runs on, and next to which other pods of the same study or pipeline."""

    require: dict[LabelKey, LabelValues] = Field(default_factory=dict)
    """Labels that the node must have, each with one of these values."""
    prefer: dict[LabelKey, LabelValues] = Field(default_factory=dict)
    """Labels that the node should have, each with one of these values."""
    same_node: bool = False
    """Whether all pods of the study or pipeline run on one node, for example to share a claim that one node mounts."""
    spread: bool = False
    """Whether its pods run on different nodes, as far as there are enough."""

    def model_post_init(self, context: object, /) -> None:
        """Checks rules that concern several fields."""
        if self.same_node and self.spread:
            raise PartError("same_node and spread exclude each other; remove one of them", ("spread",))


class TopologySpread(Part):
    """How evenly the pods of a study or pipeline are spread over zones, racks or nodes."""

    key: LabelKey = "topology.kubernetes.io/zone"
    """The label of nodes that names the zone or rack; ``kubernetes.io/hostname`` for single nodes."""
    max_skew: Count = Field(1, ge=1)
    """The largest difference between the numbers of pods in two of them."""
    required: bool = False
    """Whether a pod waits if it would be spread less evenly."""


class Preemption(Part):
    """What happens when a node is lost: reclaimed by the provider, drained, or needed for a pod of higher priority."""

    retries: Count = Field(0, ge=0, le=100)
    """How often a trial or step that lost its node starts again, or on this machine one that a signal from outside
    ended. Failures of the program do not count. ``budget.retries.lost`` of a study means the same. Kubernetes' Jobs
    have no bound: there, any number above 0 starts it again each time."""
    spot: Spot = False
    """Whether it may run on nodes that can be lost: ``true`` tolerates the taints of all known providers, a name
    (``gke``, ``aks``, ``eks``, ``karpenter``) also asks for such nodes."""


class Csi(Part):
    """A volume of a storage driver, made for the pod."""

    driver: DnsSubdomain
    """Name of the driver (``gcsfuse.csi.storage.gke.io``)."""
    attributes: dict[str, EnvText] = Field(default_factory=dict)
    """The driver's settings (``bucketName: models``)."""
    secret: DnsSubdomain | None = None
    """Secret that the driver reads."""


class Ephemeral(Part):
    """A claim that is made for the pod and deleted with it."""

    size: Quantity
    """Its size (``100Gi``)."""
    storage_class: DnsSubdomain | None = None
    """Its storage class; default: that of the cluster."""
    access: Literal["ReadWriteOnce", "ReadWriteMany", "ReadWriteOncePod"] = "ReadWriteOnce"
    """How it is mounted."""


def _sub_path(value: str) -> str:
    if value.startswith("/") or ".." in value.split("/"):
        raise ValueError(f"a sub_path is a path inside the volume, without '..' and not absolute, but got {value!r}")
    return value


SubPath = Annotated[str, Field(min_length=1), AfterValidator(_sub_path)]


class Volume(Part):
    """Storage that is mounted at a path. It has exactly one source."""

    name: DnsLabel
    """Name within the pod."""
    mount: str = Field(pattern="^/.+")
    """Absolute path in the container."""
    sub_path: SubPath | None = None
    """Folder or file of the volume that is mounted, instead of all of it."""
    claim: DnsSubdomain | None = None
    """Source: a PersistentVolumeClaim."""
    config_map: DnsSubdomain | None = None
    """Source: a ConfigMap."""
    secret: DnsSubdomain | None = None
    """Source: a Secret."""
    empty_dir: bool = False
    """Source: an empty folder that is deleted with the pod."""
    size_limit: Quantity | None = None
    """The most that an empty folder may hold (``1Gi``)."""
    csi: Csi | None = None
    """Source: a storage driver."""
    ephemeral: Ephemeral | None = None
    """Source: a claim for this pod only."""
    read_only: bool = False
    """Whether the step can only read it; KFP mounts claims writable."""

    def model_post_init(self, context: object, /) -> None:
        """Checks rules that concern several fields."""
        sources = [name for name in _SOURCES if getattr(self, name)]
        if len(sources) != 1:
            given = ", ".join(sources) or "none"
            raise PartError(f"a volume has one of {', '.join(_SOURCES)}, but got {given}")


_SOURCES = ("claim", "config_map", "secret", "empty_dir", "csi", "ephemeral")


class Toleration(Part):
    """A node taint that the step's pods tolerate."""

    key: LabelKey | None = None
    """The taint's key; with operator Exists, None means every taint."""
    operator: Literal["Equal", "Exists"] = "Equal"
    """How the key is compared."""
    value: LabelText | None = None
    """The taint's value, with operator Equal."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    """The tolerated effect; None means all."""

    def model_post_init(self, context: object, /) -> None:
        """Checks rules that concern several fields."""
        if self.operator == "Exists" and self.value is not None:
            raise PartError(
                f"operator Exists ignores value, but value is {self.value!r}; remove it, or use operator Equal",
                ("value",),
            )
        if self.operator == "Equal" and self.key is None:
            raise PartError("operator Equal needs the key of a taint; add key, or use operator Exists for every taint")


class PodSettings(Part):
    """How the pods fit a cluster. A process on this machine needs none of it."""

    security: Security = Security()
    """As whom it runs, and what it may do."""
    volumes: tuple[Volume, ...] = ()
    """Storage."""
    shared_memory: Quantity | None = None
    """Size of /dev/shm (``8Gi``), through which PyTorch's data loaders pass batches; it counts as memory. Default:
    64 MB, as container engines set it."""
    labels: dict[LabelKey, LabelText] = Field(default_factory=dict)
    """Labels of the pods, and of the Job that runs a trial."""
    annotations: dict[LabelKey, EnvText] = Field(default_factory=dict)
    """Annotations of the pods, and of the Job that runs a trial."""
    queue: DnsSubdomain | None = None
    """Kueue's LocalQueue that admits it."""
    image_pull_secrets: tuple[DnsSubdomain, ...] = ()
    """Secrets with the credentials of private registries."""
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = None
    """When a node fetches the image; default: Always for the tag latest, otherwise IfNotPresent."""
    node_selector: dict[LabelKey, LabelText] = Field(default_factory=dict)
    """Labels that the node must have."""
    tolerations: tuple[Toleration, ...] = ()
    """Taints that the pods tolerate."""
    affinity: Affinity = Affinity()
    """More about the nodes that it runs on."""
    topology_spread: tuple[TopologySpread, ...] = ()
    """How evenly the pods are spread over zones or nodes."""
    preemption: Preemption = Preemption()
    """What happens when its node is lost."""
    priority_class: DnsSubdomain | None = None
    """Name of the PriorityClass."""
    scheduler: DnsSubdomain | None = None
    """Name of the scheduler (``volcano``, ``kai-scheduler``); default: that of the cluster."""
    runtime_class: DnsSubdomain | None = None
    """Name of the RuntimeClass (``nvidia``)."""
    host_network: bool = False
    """Whether it uses the network of its node, as some InfiniBand and EFA set-ups need."""
    host_ipc: bool = False
    """Whether it shares memory with other processes of its node."""
    service_account: DnsSubdomain | None = None
    """Service account of the pods; None gives them no token."""
    pod: PodFragment = Field(default_factory=dict)
    """More fields of the pod, in Kubernetes' own words (``hostAliases: [...]``). They are merged last: lists by the
    keys of their items, and null removes a field."""
    container: ContainerFragment = Field(default_factory=dict)
    """More fields of the container, in Kubernetes' own words (``lifecycle: ...``); merged as those of `pod`."""

    def model_post_init(self, context: object, /) -> None:
        """Checks rules that concern several fields."""
        if self.volumes:
            names = [volume.name for volume in self.volumes]
            twice = next((name for name in names if names.count(name) > 1), None)
            if twice is not None:
                raise PartError(f"volume names must differ, but {twice!r} is used twice", ("volumes",))
            if self.shared_memory is not None:
                self._check_mounts()
        if self.queue is not None and QUEUE_LABEL in self.labels:
            raise PartError(
                f"queue is written as the label {QUEUE_LABEL}, which labels sets too; remove one of them",
                ("labels", QUEUE_LABEL),
                at_key=True,
            )

    def _check_mounts(self) -> None:
        for index, volume in enumerate(self.volumes):
            if volume.mount.rstrip("/") == SHARED_MEMORY:
                raise PartError(
                    f"shared_memory is mounted at {SHARED_MEMORY}, but volume {volume.name!r} is too; remove one",
                    ("volumes", index, "mount"),
                )
