"""Sets how a KFP task runs: resources, placement, retries, environment and volumes."""

from __future__ import annotations

import math
import re
from typing import Any

from kfp import kubernetes

from kftune.errors import RenderError
from kftune.katib.go.names import is_dns_label
from kftune.pipeline import Node, TuneStep
from kftune.render.kfp.components import literal
from kftune.render.kfp.pods import apply_pod_settings, mount_volume
from kftune.render.pods import limits
from kftune.spec.pod import Volume
from kftune.spec.quantities import parse_quantity

# Source: kfp 2.17, dsl/pipeline_task.py: what its setters accept.
_CPU = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)m?")
_MEMORY = re.compile(r"[0-9]+(?:E|Ei|P|Pi|T|Ti|G|Gi|M|Mi|K|Ki)?")


def apply_settings(task: Any, node: Node, version: str, *, is_exit: bool) -> None:
    """Sets everything about a task except its arguments.

    Args:
        task: The task of kfp.
        node: The step that it runs.
        version: The cluster's version of KFP.
        is_exit: Whether it is the exit step, which must run each time.

    Raises:
        RenderError: KFP lacks a setting; its places begin at the step.
    """
    step = node.step
    task.set_display_name(node.name)
    task.set_caching_options(enable_caching=step.cache and not (is_exit or isinstance(step, TuneStep)))
    retries = step.retries
    # KFP does not tell a lost node from a failure.
    limit = retries.limit + step.preemption.retries
    if limit:
        most = retries.max_backoff
        task.set_retry(
            num_retries=limit,
            backoff_duration=f"{math.ceil(retries.backoff or 0)}s",
            backoff_factor=retries.factor,
            **({} if most is None else {"backoff_max_duration": f"{math.ceil(most)}s"}),
        )
    if step.timeout is not None:
        kubernetes.set_timeout(task, math.ceil(step.timeout))
    _set_resources(task, node)
    apply_pod_settings(task, node, version)
    for name, text in step.env.items():
        # The kubelet expands `$(NAME)` and `$$` in values of variables.
        task.set_env_variable(name, _without_braces(text, f"env.{name} of step {node.name!r}").replace("$", "$$"))
    for name, secret in step.secrets.items():
        kubernetes.use_secret_as_env(task, secret.name, {literal(secret.key, f"secrets.{name}.key"): name})
    for name, entry in step.config_maps.items():
        kubernetes.use_config_map_as_env(task, entry.name, {literal(entry.key, f"config_maps.{name}.key"): name})
    _check_volume_names(node)
    for volume in step.volumes:
        mount_volume(task, volume)


def _set_resources(task: Any, node: Node) -> None:
    wanted = node.step.resources
    if wanted.cpu is not None:
        task.set_cpu_request(_cpu(wanted.cpu))
    cpu_limit, memory_limit = limits(node.step)
    if cpu_limit is not None:
        task.set_cpu_limit(_cpu(cpu_limit))
    if wanted.memory is not None:
        task.set_memory_request(_memory(wanted.memory))
    if memory_limit is not None:
        task.set_memory_limit(_memory(memory_limit))
    if wanted.gpu:
        task.set_accelerator_type(wanted.gpu_resource)
        task.set_accelerator_limit(wanted.gpu)


def _cpu(quantity: str) -> str:
    return quantity if _CPU.fullmatch(quantity) else f"{math.ceil(parse_quantity(quantity) * 1000)}m"


def _memory(quantity: str) -> str:
    """Returns a quantity for KFP: a whole number, or `K` where Kubernetes writes `k`."""
    if _MEMORY.fullmatch(quantity):
        return quantity
    return str(math.ceil(parse_quantity(quantity)))


def _check_volume_names(node: Node) -> None:
    """Checks that objects of two kinds have two names, because KFP names a volume after its object."""
    seen: dict[str, tuple[str, Volume, int]] = {}
    for index, volume in enumerate(node.step.volumes):
        kinds = (("claim", volume.claim), ("config_map", volume.config_map), ("secret", volume.secret))
        kind, name = next(((kind, name) for kind, name in kinds if name is not None), ("empty_dir", volume.name))
        if not is_dns_label(name):
            raise RenderError(
                f"KFP names a volume after its object, so the object's name is at most 63 lower-case letters, digits "
                f"and '-', but volume {volume.name!r} of step {node.name!r} has {kind} {name!r}; rename the object"
            )
        other_kind, other, other_index = seen.setdefault(name, (kind, volume, index))
        if other_kind != kind:
            raise RenderError(
                f"KFP names a volume after its object, so the objects of two volumes must have two names, but in step "
                f"{node.name!r} volume {other.name!r} is {other_kind} {name!r} and volume {volume.name!r} is "
                f"{kind} {name!r}; rename one of the objects",
                ("volumes", other_index, other_kind),
                ("volumes", index, kind),
            )


def _without_braces(text: str, what: str) -> str:
    if "{{" in text:
        raise RenderError(f"{what} must not hold '{{{{', which KFP replaces, but got {text!r}")
    return text
