"""What runs in one container, or as one process on this machine: its settings and its command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from kftune.argv import to_arguments
from kftune.katib.go.names import DNS_LABEL, IMAGE, SUBDOMAIN
from kftune.spec.labels import DataKey, LabelKey, LabelText, LabelValue, matching
from kftune.spec.part import Part, PartError
from kftune.spec.quantities import Count, EnvText, Quantity, Seconds, Token, parse_quantity

Image = Annotated[
    str,
    matching(
        rf"(?=.{{1,512}}\Z){IMAGE}(?:@sha256:[0-9a-f]{{64}})?",
        "an image is [registry/]name[:tag][@sha256:digest] with a name in lower case",
    ),
]
EnvName = Annotated[str, matching(r"[A-Za-z_][A-Za-z0-9_]*", "an environment variable is letters, digits and '_'")]
DnsLabel = Annotated[
    str,
    matching(
        rf"(?=.{{1,63}}\Z){DNS_LABEL.pattern}",
        "a Kubernetes name is at most 63 lower-case letters, digits and '-', with no '-' at its ends",
    ),
]

DnsSubdomain = Annotated[
    str,
    matching(
        rf"(?=.{{1,253}}\Z){SUBDOMAIN.pattern}",
        "a Kubernetes name is at most 253 lower-case letters, digits, '-' and '.', with a letter or digit at the ends "
        "of each part",
    ),
]


class Resources(Part):
    """What one trial or step may use."""

    cpu: Quantity | None = None
    """Cores of each node (``2``, ``500m``)."""
    memory: Quantity | None = None
    """Memory of each node (``4Gi``)."""
    cpu_limit: Quantity | None = None
    """Most cores of each node; default: `cpu`."""
    memory_limit: Quantity | None = None
    """Most memory of each node; default: `memory`."""
    gpu: Count = Field(0, ge=0)
    """Accelerators of each node."""
    gpu_resource: LabelKey = "nvidia.com/gpu"
    """The cluster's name for one accelerator."""
    gpu_type: LabelValue | None = None
    """Product label that the node must have (``NVIDIA-A100-SXM4-80GB``); it goes into the node selector."""
    nodes: Count = Field(1, ge=1)
    """Pods that train one model together; more than one needs the trial kind PyTorchJob or TrainJob."""
    procs_per_node: Count = Field(1, ge=1)
    """Training processes in each pod, started by torchrun."""

    def model_post_init(self, context: object, /) -> None:
        """Checks rules that concern several fields."""
        if self.gpu and self.procs_per_node > self.gpu:
            raise PartError(
                f"each process needs its own GPU, but procs_per_node={self.procs_per_node} and gpu={self.gpu}",
                ("procs_per_node",),
            )
        if self.cpu_limit or self.memory_limit:
            self._check_limit("cpu", self.cpu, self.cpu_limit)
            self._check_limit("memory", self.memory, self.memory_limit)

    def _check_limit(self, name: str, asked: str | None, most: str | None) -> None:
        if asked and most and parse_quantity(most) < parse_quantity(asked):
            raise PartError(
                f"a limit must be at least what is asked for, but {name}_limit={most} and {name}={asked}",
                (f"{name}_limit",),
            )


class SecretKey(Part):
    """One key of a Kubernetes Secret. A study never holds the value itself."""

    name: DnsSubdomain
    """The Secret's name."""
    key: DataKey
    """The key in it."""


class ConfigKey(Part):
    """One key of a Kubernetes ConfigMap."""

    name: DnsSubdomain
    """The ConfigMap's name."""
    key: DataKey
    """The key in it."""


class Volume(Part):
    """Storage that is mounted at a path. It has exactly one source."""

    name: DnsLabel
    """Name within the pod."""
    mount: str = Field(pattern="^/.+")
    """Absolute path in the container."""
    claim: DnsLabel | None = None
    """Source: a PersistentVolumeClaim."""
    config_map: DnsLabel | None = None
    """Source: a ConfigMap."""
    secret: DnsLabel | None = None
    """Source: a Secret."""
    empty_dir: bool = False
    """Source: an empty folder that is deleted with the pod."""
    size_limit: Quantity | None = None
    """The most that an empty folder may hold (``1Gi``)."""
    read_only: bool = False
    """Whether the step can only read it; KFP mounts claims writable."""

    def model_post_init(self, context: object, /) -> None:
        """Checks rules that concern several fields."""
        sources = [name for name in ("claim", "config_map", "secret", "empty_dir") if getattr(self, name)]
        if len(sources) != 1:
            given = ", ".join(sources) or "none"
            raise PartError(f"a volume has one of claim, config_map, secret, empty_dir, but got {given}")


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


class WorkingData(Part):
    """The data that the step reads. The environment variable ``KFTUNE_DATA`` holds its path."""

    path: str | None = None
    """Path on this machine, relative to the study file."""
    mount: str | None = Field(None, pattern="^/.+")
    """Path in the container, inside one of the volumes or the image."""


class ContainerSettings(Part):
    """How a container is set up: image, environment, resources, volumes, and where it may run."""

    image: Image | None = None
    """Image that a cluster runs; a local run needs none. ``images/NAME`` is an image of the project, by its lock."""
    working_dir: str | None = None
    """Working directory in the container; KFP has none."""
    env: dict[EnvName, EnvText] = Field(default_factory=dict)
    """Environment variables. For secret values use `secrets`."""
    secrets: dict[EnvName, SecretKey] = Field(default_factory=dict)
    """Environment variables with values from Secrets."""
    config_maps: dict[EnvName, ConfigKey] = Field(default_factory=dict)
    """Environment variables with values from ConfigMaps."""
    resources: Resources = Resources()
    """What it may use."""
    volumes: tuple[Volume, ...] = ()
    """Storage."""
    node_selector: dict[LabelKey, LabelText] = Field(default_factory=dict)
    """Labels that the node must have."""
    tolerations: tuple[Toleration, ...] = ()
    """Taints that the pods tolerate."""
    service_account: DnsSubdomain | None = None
    """Service account of the pods; None gives them no token."""
    grace_period: Seconds = 30.0
    """Time between the request to stop and the kill."""

    def model_post_init(self, context: object, /) -> None:
        """Checks rules that concern several fields."""
        if self.volumes:
            names = [volume.name for volume in self.volumes]
            twice = next((name for name in names if names.count(name) > 1), None)
            if twice is not None:
                raise PartError(f"volume names must differ, but {twice!r} is used twice", ("volumes",))
        if self.secrets or self.config_maps:
            self._check_variables("secrets", {*self.env})
            self._check_variables("config_maps", {*self.env, *self.secrets})

    def _check_variables(self, name: str, others: set[str]) -> None:
        both = getattr(self, name).keys() & others
        if both:
            raise PartError(
                f"a variable is set once, in env, secrets or config_maps, but {min(both)} is in two of them",
                (name, min(both)),
            )


class Command(Part):
    """What a container runs: a Python module, or a program. No shell interprets it."""

    module: str | None = Field(None, pattern=r"^[A-Za-z_][\w.]*$")
    """Python module to run, as in ``python -m module``."""
    command: tuple[Token, ...] = ()
    """Program and its first arguments, one list item each; no shell interprets them."""
    args: tuple[Token, ...] = ()
    """Further arguments, before those of the hyperparameters."""

    def command_line(self, assignment: Mapping[str, str]) -> list[str]:
        """Returns the argv for one assignment.

        Args:
            assignment: Name -> text, or a target's placeholder for it.
        """
        start = ("python", "-m", self.module) if self.module else self.command
        return [*start, *self.args, *to_arguments(assignment)]

    def check_command(self) -> None:
        """Checks that there is exactly one way to start it.

        Raises:
            PartError: There is none, or there are two.
        """
        if bool(self.module) == bool(self.command):
            raise PartError(
                f"a step has either module or command, but this one has {'both' if self.module else 'neither'}; "
                f"for example module: package.module",
                ("module" if self.module else "command",) if self.module or self.command else (),
            )
