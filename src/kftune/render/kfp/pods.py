"""Sets how the pod of a KFP task fits a cluster, and refuses what KFP's tasks cannot carry."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kfp import kubernetes

from kftune.errors import RenderError
from kftune.pipeline import Node
from kftune.render import pods
from kftune.render.kfp.components import literal
from kftune.spec.container import ContainerSettings
from kftune.spec.pod import SHARED_MEMORY, Volume

_POD_DEFAULT = "set it for all pods of the namespace with an admission policy"
# Source: kfp-kubernetes 2.17, kubernetes_executor_config.proto: what a task can say about its pod.
_LACKING = {
    "affinity.same_node": "use affinity.require or node_selector with the label of one node",
    "affinity.spread": "use affinity.require or node_selector with labels of nodes",
    "container": "use the settings of the step, or run the pipeline on Argo",
    "host_ipc": "run the pipeline on Argo",
    "host_network": "run the pipeline on Argo",
    "pod": "use the settings of the step, or run the pipeline on Argo",
    "priority_class": f"{_POD_DEFAULT}, or run the pipeline on Argo",
    "resources.ephemeral_storage": "set a LimitRange in the namespace, or run the pipeline on Argo",
    "resources.extra": "KFP counts one kind of device, resources.gpu of resources.gpu_resource",
    "runtime_class": f"{_POD_DEFAULT}, or run the pipeline on Argo",
    "scheduler": f"{_POD_DEFAULT}, or run the pipeline on Argo",
    "security.capabilities": "run the pipeline on Argo",
    "security.fs_group": "set security.run_as_user to a user that may write to the volume",
    "security.read_only_root": "run the pipeline on Argo",
    "topology_spread": "run the pipeline on Argo",
}


def apply_pod_settings(task: Any, node: Node, version: str) -> None:
    """Sets everything about a task's pod except its resources, environment and volumes.

    Args:
        task: The task of kfp.
        node: The step that it runs.
        version: The cluster's version of KFP.

    Raises:
        RenderError: KFP lacks a setting.
    """
    step = node.step
    lacking = next(_lacking(step), None)
    if lacking is not None:
        raise RenderError(f"KFP's tasks cannot set {lacking}, which step {node.name!r} does; {_LACKING[lacking]}")
    _set_place(task, node)
    if step.image_pull_secrets:
        kubernetes.set_image_pull_secrets(task, list(step.image_pull_secrets))
    if step.image_pull_policy is not None:
        kubernetes.set_image_pull_policy(task, step.image_pull_policy)
    if step.shared_memory is not None:
        kubernetes.empty_dir_mount(
            task, pods.MEMORY_VOLUME, SHARED_MEMORY, medium="Memory", size_limit=step.shared_memory
        )
    for key, value in {pods.JOB_TYPE_LABEL: step.job_type, **step.labels, **pods.queue_labels(step)}.items():
        kubernetes.add_pod_label(task, key, value)
    for key, value in {**pods.NO_PROXY, **step.annotations}.items():
        kubernetes.add_pod_annotation(task, key, literal(value, f"annotations.{key} of step {node.name!r}"))
    _set_user(task, node, version)


def _set_place(task: Any, node: Node) -> None:
    step = node.step
    for key, value in pods.node_selector(step).items():
        kubernetes.add_node_selector(task, key, literal(value, f"node_selector.{key} of step {node.name!r}"))
    for toleration in pods.tolerations(step):
        kubernetes.add_toleration(task, **{"key": None, "value": None, "effect": None, **toleration})
    for weight, wanted in ((None, step.affinity.require), (100, step.affinity.prefer)):
        if wanted:
            kubernetes.add_node_affinity(task, match_expressions=pods.expressions(wanted), weight=weight)


def _set_user(task: Any, node: Node, version: str) -> None:
    wanted = node.step.security
    if version == "2.17":
        kubernetes.set_security_context(
            task,
            run_as_user=wanted.run_as_user,
            run_as_group=wanted.run_as_group,
            run_as_non_root=wanted.run_as_non_root,
        )
    elif wanted.run_as_user is not None or wanted.run_as_group is not None:
        raise RenderError(
            f"KFP {version} cannot set the user of a step, but step {node.name!r} has security.run_as_user or "
            f"run_as_group; set USER in the image, or targets.kfp.version to 2.17 if the cluster has it"
        )


def _lacking(step: ContainerSettings) -> Iterator[str]:
    """Yields the settings of a step that KFP's tasks cannot carry."""
    for path in _LACKING:
        owner: Any = step
        *parents, name = path.split(".")
        for parent in parents:
            owner = getattr(owner, parent)
        if name in owner.model_fields_set and getattr(owner, name) not in (False, None, (), {}):
            yield path


def mount_volume(task: Any, volume: Volume) -> None:
    """Mounts a volume in the container of a task.

    Args:
        task: The task of kfp.
        volume: The volume.

    Raises:
        RenderError: KFP cannot mount it so.
    """
    place = literal(volume.mount, f"the mount of volume {volume.name}")
    if volume.sub_path is not None and volume.claim is None:
        raise RenderError(f"KFP has sub-paths of claims only, but volume {volume.name!r} has sub_path; remove it")
    if volume.claim is not None:
        if volume.read_only:
            raise RenderError(
                f"KFP mounts claims writable, but volume {volume.name!r} is read_only; "
                f"remove read_only, or use a claim that is read-only"
            )
        sub_path = literal(volume.sub_path or "", f"the sub_path of volume {volume.name}")
        kubernetes.mount_pvc(task, volume.claim, place, sub_path)
    elif volume.config_map is not None:
        kubernetes.use_config_map_as_volume(task, volume.config_map, place)
    elif volume.secret is not None:
        kubernetes.use_secret_as_volume(task, volume.secret, place)
    elif volume.ephemeral is not None:
        claim = volume.ephemeral
        kubernetes.add_ephemeral_volume(
            task,
            volume_name=volume.name,
            mount_path=place,
            access_modes=[claim.access],
            size=claim.size,
            storage_class_name=claim.storage_class,
        )
    elif volume.csi is not None:
        raise RenderError(
            f"KFP's tasks have no volumes of storage drivers, but volume {volume.name!r} has csi; make a claim with "
            f"that driver and mount it with claim, or run the pipeline on Argo"
        )
    else:
        kubernetes.empty_dir_mount(task, volume.name, place, size_limit=volume.size_limit)
