"""The resources of Amazon SageMaker instance types, for pipelines that were written for it.

The section `instances:` of a pipeline adds names or replaces these. On a cluster a pod requests the full amounts. As a
node reserves some memory for itself, such a pod needs the next larger node.

Source: Amazon EC2 instance types (vCPU, GiB of memory, GPUs).
"""

from __future__ import annotations

from collections.abc import Mapping

from kftune.errors import suggestion
from kftune.spec.container import Resources
from kftune.spec.part import PartError

_AMOUNTS: dict[str, tuple[int, int, int]] = {
    "ml.t3.medium": (2, 4, 0),
    "ml.t3.large": (2, 8, 0),
    "ml.t3.xlarge": (4, 16, 0),
    "ml.t3.2xlarge": (8, 32, 0),
    "ml.m5.large": (2, 8, 0),
    "ml.m5.xlarge": (4, 16, 0),
    "ml.m5.2xlarge": (8, 32, 0),
    "ml.m5.4xlarge": (16, 64, 0),
    "ml.m5.12xlarge": (48, 192, 0),
    "ml.m5.24xlarge": (96, 384, 0),
    "ml.c5.xlarge": (4, 8, 0),
    "ml.c5.2xlarge": (8, 16, 0),
    "ml.c5.4xlarge": (16, 32, 0),
    "ml.c5.9xlarge": (36, 72, 0),
    "ml.c5.18xlarge": (72, 144, 0),
    "ml.r5.large": (2, 16, 0),
    "ml.r5.xlarge": (4, 32, 0),
    "ml.r5.2xlarge": (8, 64, 0),
    "ml.r5.4xlarge": (16, 128, 0),
    "ml.g4dn.xlarge": (4, 16, 1),
    "ml.g4dn.2xlarge": (8, 32, 1),
    "ml.g4dn.4xlarge": (16, 64, 1),
    "ml.g4dn.8xlarge": (32, 128, 1),
    "ml.g4dn.12xlarge": (48, 192, 4),
    "ml.g5.xlarge": (4, 16, 1),
    "ml.g5.2xlarge": (8, 32, 1),
    "ml.g5.4xlarge": (16, 64, 1),
    "ml.g5.8xlarge": (32, 128, 1),
    "ml.g5.12xlarge": (48, 192, 4),
    "ml.g5.48xlarge": (192, 768, 8),
    "ml.p3.2xlarge": (8, 61, 1),
    "ml.p3.8xlarge": (32, 244, 4),
    "ml.p3.16xlarge": (64, 488, 8),
    "ml.p4d.24xlarge": (96, 1152, 8),
    "ml.p5.48xlarge": (192, 2048, 8),
}


def instance_resources(name: str, further: Mapping[str, Resources]) -> Resources:
    """Returns the resources of an instance type.

    Args:
        name: Such as ``ml.m5.xlarge``.
        further: The names that the pipeline adds.

    Raises:
        PartError: The name is unknown.
    """
    if name in further:
        return further[name]
    if name not in _AMOUNTS:
        raise PartError(
            f"unknown instance type {name!r} (you can declare it under instances:); "
            f"{suggestion(name, [*_AMOUNTS, *further])}"
        )
    cpu, memory, gpu = _AMOUNTS[name]
    return Resources(cpu=str(cpu), memory=f"{memory}Gi", gpu=gpu)
