"""What runs in one container, or as one process on this machine: its settings and its command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from kftune.argv import NO_KINDS, OWN, PLAIN, Kinds, Style, to_arguments
from kftune.katib.go.names import IMAGE
from kftune.spec.arguments import Arguments
from kftune.spec.labels import DataKey, DnsSubdomain, LabelKey, LabelValue, matching
from kftune.spec.part import Part, PartError
from kftune.spec.pod import PodSettings
from kftune.spec.quantities import UNLIMITED, Count, EnvText, Limit, Quantity, Seconds, Token, parse_quantity

Image = Annotated[
    str,
    matching(
        rf"(?=.{{1,512}}\Z){IMAGE}(?:@sha256:[0-9a-f]{{64}})?",
        "an image is [registry/]name[:tag][@sha256:digest] with a name in lower case",
    ),
]
EnvName = Annotated[str, matching(r"[A-Za-z_][A-Za-z0-9_]*", "an environment variable is letters, digits and '_'")]


class Resources(Part):
    """What one trial or step may use."""

    cpu: Quantity | None = None
    """Cores of each node (``2``, ``500m``)."""
    memory: Quantity | None = None
    """Memory of each node (``4Gi``)."""
    cpu_limit: Limit | None = None
    """Most cores of each node; default: `cpu`; ``none`` sets no limit."""
    memory_limit: Limit | None = None
    """Most memory of each node; default: `memory`; ``none`` sets no limit."""
    ephemeral_storage: Quantity | None = None
    """Disk of each node, for everything outside of volumes (``50Gi``)."""
    gpu: Count = Field(0, ge=0)
    """Accelerators of each node."""
    gpu_resource: LabelKey = "nvidia.com/gpu"
    """The cluster's name for one accelerator."""
    gpu_type: LabelValue | None = None
    """Product label that the node must have (``NVIDIA-A100-SXM4-80GB``); it goes into the node selector."""
    extra: dict[LabelKey, Quantity] = Field(default_factory=dict)
    """More of what each node has, by the cluster's name for it (``rdma/ib: 1``, ``hugepages-2Mi: 5Gi``)."""
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
        own = {"cpu": "cpu", "memory": "memory", "ephemeral-storage": "ephemeral_storage", self.gpu_resource: "gpu"}
        for name in self.extra:
            if name in own:
                raise PartError(
                    f"{name} is set by {own[name]}, so extra must not name it; use resources.{own[name]}",
                    ("extra", name),
                    at_key=True,
                )
        if self.cpu_limit or self.memory_limit:
            self._check_limit("cpu", self.cpu, self.cpu_limit)
            self._check_limit("memory", self.memory, self.memory_limit)

    def _check_limit(self, name: str, asked: str | None, most: str | None) -> None:
        if asked and most and most != UNLIMITED and parse_quantity(most) < parse_quantity(asked):
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


class WorkingData(Part):
    """The data that the step reads. The environment variable ``KFTUNE_DATA`` holds its path."""

    path: str | None = None
    """Path on this machine, relative to the study file."""
    mount: str | None = Field(None, pattern="^/.+")
    """Path in the container, inside one of the volumes or the image."""


class ContainerSettings(PodSettings):
    """How a container is set up: image, environment and resources, and how its pod fits a cluster."""

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
    grace_period: Seconds = 30.0
    """Time between the request to stop and the kill."""

    def model_post_init(self, context: object, /) -> None:
        """Checks rules that concern several fields."""
        super().model_post_init(context)
        if self.shared_memory is not None:
            self._check_shared_memory(self.shared_memory)
        if self.secrets or self.config_maps:
            self._check_variables("secrets", {*self.env})
            self._check_variables("config_maps", {*self.env, *self.secrets})

    def _check_shared_memory(self, size: str) -> None:
        resources = self.resources
        limit = resources.memory if resources.memory_limit is None else resources.memory_limit
        if limit is not None and limit != UNLIMITED and parse_quantity(size) >= parse_quantity(limit):
            raise PartError(
                f"what is in shared memory counts as memory of the container, so shared_memory must be below the "
                f"limit, but shared_memory={size} and the limit is {limit}; raise resources.memory",
                ("shared_memory",),
            )

    def _check_variables(self, name: str, others: set[str]) -> None:
        both = getattr(self, name).keys() & others
        if both:
            raise PartError(
                f"a variable is set once, in env, secrets or config_maps, but {min(both)} is in two of them",
                (name, min(both)),
            )


SHOWN_FILE = "hparams.json"
"""The name of the JSON file with the hyperparameters of ``as: json-file``; where it is depends on what runs it."""


class Command(Part):
    """What a container runs: a Python module, or a program. No shell interprets it."""

    module: str | None = Field(None, pattern=r"^[A-Za-z_][\w.]*$")
    """Python module to run, as in ``python -m module``."""
    command: tuple[Token, ...] = ()
    """Program and its first arguments, one list item each; no shell interprets them."""
    args: tuple[Token, ...] = ()
    """Further arguments, before those of the hyperparameters."""

    arguments: Arguments | None = None
    """How the program takes the hyperparameters. Default: ``--name=value``, as a hyperparameter class reads them."""

    @property
    def start(self) -> list[str]:
        """What starts the program, and its arguments that are always the same."""
        return [*(("python", "-m", self.module) if self.module else self.command), *self.args]

    @property
    def form(self) -> Style:
        """The form of its further arguments."""
        return OWN if self.arguments is None else self.arguments.form

    def command_line(self, assignment: Mapping[str, str], kinds: Kinds = NO_KINDS) -> list[str]:
        """Returns the argv for one assignment.

        With ``as: environment`` it begins with ``env``, and with ``as: json-file`` the file's path is `SHOWN_FILE`.

        Args:
            assignment: Name -> text, or a target's placeholder for it.
            kinds: What is known about each of them.
        """
        if self.arguments is None:
            return [*self.start, *to_arguments(assignment)]
        variables = [f"{name}={text}" for name, text in self.variables(assignment, kinds).items()]
        front = ["env", *variables] if variables else []
        return [*front, *self.start, *self.arguments_of(assignment, kinds, SHOWN_FILE)]

    def arguments_of(self, assignment: Mapping[str, str], kinds: Kinds, file: str) -> list[str]:
        """Returns the arguments behind `start`.

        Args:
            assignment: Name -> text.
            kinds: What is known about each of them.
            file: The path of the JSON file, if there is one.
        """
        given = self.arguments
        if given is None or given.way == "command-line":
            return to_arguments(assignment, self.form, kinds)
        others = {name: text for name, text in assignment.items() if not kinds.get(name, PLAIN).is_hparam}
        path = {given.option: file} if given.way == "json-file" and given.option else {}
        return to_arguments({**path, **others}, self.form, kinds)

    def variables(self, assignment: Mapping[str, str], kinds: Kinds) -> dict[str, str]:
        """Returns the hyperparameters that are environment variables, by the variable.

        Args:
            assignment: Name -> text.
            kinds: What is known about each of them.
        """
        given = self.arguments
        if given is None or given.way != "environment":
            return {}
        return {
            given.variable(name): text
            for name, text in assignment.items()
            if (kind := kinds.get(name, PLAIN)).is_hparam
            and not (text == "null" and kind.is_optional and given.nulls == "omit")
        }

    def check_reader(self, arguments: Arguments) -> None:
        """Checks that a program of kftune, which reads them with a hyperparameter class, gets the arguments.

        Args:
            arguments: How it takes them.

        Raises:
            PartError: It does not.
        """
        if (self.module or "").partition(".")[0] == "kftune":
            arguments.check_for_class(self.module or "")
        program, *rest = self.command or ("",)
        is_own = (program == "kftune" and rest[:1] == ["train"]) or rest[:2] == ["-m", "kftune.training"]
        if is_own and arguments.way == "environment":  # as a command it may also get name=value, or a file
            arguments.check_for_class(" ".join([program, *rest][: 2 if program == "kftune" else 3]))

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
