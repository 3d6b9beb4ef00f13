"""Which images start as root, and containers that forbid it.

Source: Kubernetes, pkg/kubelet/kuberuntime (security_context_others.go); the images' own Dockerfiles, read 2026-11.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from kftune.katib.go.types import Path
from kftune.katib.go.unstructured import as_map
from kftune.lint.rules.findings import finding
from kftune.lint.rules.rule import Finding
from kftune.lint.trial.pods import PodTemplate

# Official images have one word; a registry that mirrors them keeps library/ in front of it.
_OFFICIAL = (
    "alpine|amazonlinux|bash|busybox|buildpack-deps|centos|debian|fedora|gcc|golang|julia|node|oraclelinux|perl|pypy|"
    "python|r-base|rockylinux|ruby|rust|ubuntu"
)
# Images of an organization keep its name on other registries too.
_OWNED = (
    "pytorch/(?:pytorch|manylinux[^/]*)",
    "tensorflow/(?:tensorflow|build)",
    "nvidia/(?:(?:k8s|clara|modulus)/)?[^/]+",
    "rocm/(?:pytorch|tensorflow|jax|dev-[^/]+|rocm-terminal-root)(?:-[^/]+)?",
    "huggingface/(?:transformers|accelerate|peft|trl)-[^/]+",
    "horovod/horovod(?:-[^/]+)?",
    "continuumio/(?:mini|ana)conda3?",
    "kubeflow/katib/[^/]+|kubeflowkatib/(?:pytorch-mnist|enas|darts|tf-mnist|simple-pbt|xgboost|mxnet)[^/]*",
    "astral-sh/uv",
)
_HOST = r"(?:[^/][^/.:]*[.:][^/]*/|localhost/)"
_ROOT = re.compile(
    rf"(?:(?:{_HOST}(?:[^/]+/)*)?library/|(?:docker\.io/))?(?:{_OFFICIAL})|{_HOST}?(?:[^/]+/)*(?:{'|'.join(_OWNED)})"
)


def starts_as_root(image: str) -> bool:
    """Returns whether an image is known to start as root where nobody names a user.

    Args:
        image: Its name; with a tag or a digest, or without.
    """
    name = image.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return _ROOT.fullmatch(f"{head}{slash}{last.partition(':')[0]}") is not None


def forbids_root(shared: Mapping[str, Any], own: Mapping[str, Any]) -> bool:
    """Returns whether a container whose image starts as root does not start with these contexts.

    Args:
        shared: The pod's securityContext.
        own: The container's.
    """
    given = {name: value for name, value in own.items() if value is not None}
    context = {**shared, **given}
    return context.get("runAsNonRoot") is True and context.get("runAsUser") in (None, 0)


def root_findings(pod: PodTemplate) -> Iterator[Finding]:
    """Yields the containers of a pod that forbid root and have an image that starts as root.

    Args:
        pod: The pod template.
    """
    shared = as_map(pod.spec.get("securityContext"))
    for group in ("initContainers", "containers"):
        for container, path in pod.maps(group):
            image, own = container.get("image"), as_map(container.get("securityContext"))
            if not isinstance(image, str) or not forbids_root(shared, own):
                continue
            yield from image_findings(image, {**shared, **own}, path, (*path, "image"))


def image_findings(image: str, context: Mapping[str, Any], path: Path, place: Path) -> Iterator[Finding]:
    """Yields why a container that forbids root does not start.

    Args:
        image: Its image.
        context: Its securityContext, with what it has from the pod.
        path: The place of the container.
        place: The place of the image.
    """
    if context.get("runAsUser") == 0:
        message = "runAsUser 0 is root, which runAsNonRoot forbids: the container never starts"
        yield finding("KT280", (*path, "securityContext"), message)
    elif starts_as_root(image):
        yield never_starts(f"{image} runs as root", place)


def never_starts(why: str, path: Path) -> Finding:
    """Returns the finding about an image that a container does not start.

    Args:
        why: What is wrong with the image's user.
        path: The place of the image.
    """
    return finding("KT280", path, f"{why}, which runAsNonRoot forbids: the container never starts")
