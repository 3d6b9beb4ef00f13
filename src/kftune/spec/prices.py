"""The price table of a project: what cores, memory, accelerators and nodes cost for an hour."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, Field

from kftune.errors import ProjectError, UsageError, no_such_file
from kftune.spec.container import ContainerSettings, Resources
from kftune.spec.labels import LabelKey
from kftune.spec.load import FileType, load_part
from kftune.spec.part import Part
from kftune.spec.quantities import NO_BOOL, parse_quantity
from kftune.spec.schema import file_schema

PRICES_FILE = "prices.yaml"
"""The name of a price table that is found by itself: beside a file, or in a folder above it."""

NODE_TYPE = "node.kubernetes.io/instance-type"
"""The label of a node with its type, which all clouds set. Source: Kubernetes, well-known labels."""

ANY_GPU = "any"
_GIB = 1024**3

Price = Annotated[float, Field(ge=0), NO_BOOL]


def _for_any(value: object) -> object:
    """Returns a single price as that of every accelerator."""
    return {ANY_GPU: value} if isinstance(value, int | float) else value


class Prices(Part):
    """What an hour costs. A price that is missing is unknown; write 0 for what costs nothing."""

    ERROR = ProjectError

    currency: str = Field(min_length=1, max_length=20)
    """The currency of all prices, as it is printed (``EUR``)."""
    cpu_hour: Price | None = None
    """One core for an hour."""
    memory_gib_hour: Price | None = None
    """One GiB of memory for an hour."""
    gpu_hour: Annotated[
        dict[LabelKey, Price], BeforeValidator(_for_any, json_schema_input_type=Price | dict[LabelKey, Price])
    ] = Field(default_factory=dict)
    """One accelerator for an hour: a price for all of them, or by kind: ``resources.gpu_type``
    (``NVIDIA-L4``), ``resources.gpu_resource`` (``amd.com/gpu``), or ``any`` for all others."""
    node_hour: dict[LabelKey, Price] = Field(default_factory=dict)
    """One whole node for an hour, by its type: a pod that asks for the type (`instance_type` of a pipeline's step, or
    the label ``node.kubernetes.io/instance-type`` in `node_selector`) costs this, and not its cores, memory and
    accelerators."""


class Rate(NamedTuple):
    """What one pod costs for an hour."""

    value: float | None
    """None if a price, or an amount, is unknown."""
    missing: tuple[str, ...] = ()
    """What is unknown, and where to write it."""


class PriceTable(NamedTuple):
    """A price table, and where it is from."""

    prices: Prices
    path: Path

    def rate(self, resources: Resources, node_type: str | None) -> Rate:
        """Returns what one pod costs for an hour.

        Args:
            resources: What it asks for.
            node_type: The type of node that it asks for; None for any.
        """
        prices = self.prices
        if node_type is not None and node_type in prices.node_hour:
            return Rate(prices.node_hour[node_type])
        parts = [
            self._part("cpu_hour", prices.cpu_hour, "resources.cpu", cores(resources)),
            self._part("memory_gib_hour", prices.memory_gib_hour, "resources.memory", gibibytes(resources)),
        ]
        if resources.gpu:
            kinds = (gpu_kind(resources), resources.gpu_resource, ANY_GPU)
            price = next((prices.gpu_hour[kind] for kind in kinds if kind in prices.gpu_hour), None)
            parts.append(self._part(f"gpu_hour for {kinds[0]}", price, "resources.gpu", resources.gpu))
        known = [value for value, _ in parts if value is not None]
        missing = tuple(text for _, text in parts if text)
        return Rate(None if missing else sum(known), missing)

    def _part(self, name: str, price: float | None, key: str, amount: float | None) -> tuple[float | None, str]:
        if price is None:
            return None, f"{self.path} has no {name} (0 if it costs nothing)"
        if amount is None and price:
            return None, f"{key} is not given, which {name} is the price of"
        return price * (amount or 0.0), ""


def cores(resources: Resources) -> float | None:
    """Returns the cores of a pod; None if they are not given."""
    return None if resources.cpu is None else float(parse_quantity(resources.cpu))


def gibibytes(resources: Resources) -> float | None:
    """Returns the memory of a pod in GiB; None if it is not given."""
    return None if resources.memory is None else float(parse_quantity(resources.memory)) / _GIB


def gpu_kind(resources: Resources) -> str:
    """Returns the kind of a pod's accelerators: the product, or the cluster's name for them."""
    return resources.gpu_type or resources.gpu_resource


def node_type_of(step: ContainerSettings, default: str | None = None) -> str | None:
    """Returns the type of node that a step asks for; None for any.

    Args:
        step: The step.
        default: The instance type that it shares with others.
    """
    return step.node_selector.get(NODE_TYPE) or getattr(step, "instance_type", None) or default


def load_prices(path: Path) -> PriceTable:
    """Returns the price table in a file.

    Raises:
        ProjectError: It is invalid; the error has file, line and column.
        YamlError: The file is not YAML.
        UsageError: There is no such file.
        OSError: The file cannot be read.
    """
    if not path.is_file():
        raise no_such_file(path) if not path.is_dir() else UsageError(f"prices are in a file, but {path} is a folder")
    return PriceTable(load_part(path, _FILE), path)


def prices_above(folder: Path) -> PriceTable | None:
    """Returns the price table of a folder: in it, or in the nearest folder above; None without one.

    Raises:
        ProjectError: It is invalid.
        YamlError: The file is not YAML.
        OSError: The file cannot be read.
    """
    here = folder.resolve()
    for each in (here, *here.parents):
        path = each / PRICES_FILE
        if path.is_file():
            return PriceTable(load_part(path, _FILE), _shown(path))
    return None


def _shown(path: Path) -> Path:
    """Returns a path relative to the current folder if it is below it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def prices_schema() -> dict[str, Any]:
    """Returns the JSON Schema (draft 2020-12) of a price table."""
    return file_schema(Prices, "kftune prices")


_FILE = FileType(name="prices", keys="currency:, cpu_hour:", model=Prices)
