"""Sizes of the machines that SageMaker's jobs name.

Source: Amazon EC2 instance types, by family.
"""

from __future__ import annotations

from typing import Any

# Family -> memory of one core in GiB.
_PER_CORE = {
    **dict.fromkeys(("m4", "m5", "m5d", "m6i", "m6id", "m7i"), 4),
    **dict.fromkeys(("c4", "c5", "c5n", "c5d", "c6i", "c7i"), 2),
    **dict.fromkeys(("r5", "r5d", "r6i", "r7i"), 8),
}
_CORES = {
    "large": 2,
    "xlarge": 4,
    **{f"{count}xlarge": 4 * count for count in (2, 4, 8, 9, 10, 12, 16, 18, 24, 32)},
}
# Type -> cores, memory in GiB, GPUs.
_WITH_GPU = {
    "p3.2xlarge": (8, 61, 1),
    "p3.8xlarge": (32, 244, 4),
    "p3.16xlarge": (64, 488, 8),
    "p3dn.24xlarge": (96, 768, 8),
    "p4d.24xlarge": (96, 1152, 8),
    "p4de.24xlarge": (96, 1152, 8),
    "p5.48xlarge": (192, 2048, 8),
    "g4dn.xlarge": (4, 16, 1),
    "g4dn.2xlarge": (8, 32, 1),
    "g4dn.4xlarge": (16, 64, 1),
    "g4dn.8xlarge": (32, 128, 1),
    "g4dn.12xlarge": (48, 192, 4),
    "g4dn.16xlarge": (64, 256, 1),
    "g5.xlarge": (4, 16, 1),
    "g5.2xlarge": (8, 32, 1),
    "g5.4xlarge": (16, 64, 1),
    "g5.8xlarge": (32, 128, 1),
    "g5.12xlarge": (48, 192, 4),
    "g5.16xlarge": (64, 256, 1),
    "g5.24xlarge": (96, 384, 4),
    "g5.48xlarge": (192, 768, 8),
}


def resources_of(instance_type: str) -> dict[str, Any] | None:
    """Returns `step.resources` of the size of a machine; None if it is not known.

    Args:
        instance_type: Such as `ml.m5.xlarge`.
    """
    name = instance_type.removeprefix("ml.")
    if name in _WITH_GPU:
        cores, memory, gpus = _WITH_GPU[name]
        return {"cpu": cores, "memory": f"{memory}Gi", "gpu": gpus}
    family, _, size = name.partition(".")
    if family not in _PER_CORE or size not in _CORES:
        return None
    return {"cpu": _CORES[size], "memory": f"{_CORES[size] * _PER_CORE[family]}Gi"}
