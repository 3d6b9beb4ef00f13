"""Brings images onto the node, and installs CoreDNS, Katib and Argo Workflows."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from cluster.commands import run
from cluster.components import ARGO, JOBSET, KATIB, OPERATOR, TRAINER, sources_of
from cluster.images import PYTHON_IMAGES
from cluster.layout import KUBECONFIG, MANIFESTS, NODE, STATE
from cluster.node import CONTAINERD_SOCKET

_WAIT = "180s"
_DISK = "100Gi"
_NAMESPACES = ("kube-system", "jobset-system", "kubeflow-system", "kubeflow", "argo")
_RUNTIME = "trainer/upstream/base/runtimes/torch_distributed.yaml"
_FOLDER = STATE / "manifests"
_APPLY = ("--server-side", "--force-conflicts", "--field-manager=kftune-cluster")


class Cluster:
    """A running cluster, through kubectl."""

    def __init__(self, kubectl: Path | str, kubeconfig: Path = KUBECONFIG) -> None:
        self._kubectl = [str(kubectl), f"--kubeconfig={kubeconfig}"]

    def kubectl(self, *arguments: str, given: str | None = None) -> str:
        """Returns what kubectl prints."""
        return run(*self._kubectl, *arguments, given=given)

    def install(self, *, own_node: bool) -> None:
        """Installs what the tests need. A second time changes nothing.

        Args:
            own_node: Whether the node is ours; kind brings its own DNS, network and node settings.
        """
        if own_node:
            self._give_disk()
            self._apply(MANIFESTS / "base")
        for name, upstream in _upstream().items():
            self._apply(_with_upstream(name, upstream))
        for namespace in _NAMESPACES if own_node else _NAMESPACES[1:]:
            self.kubectl("wait", "deployments", "--all", f"--namespace={namespace}", "--for=condition=Available",
                         f"--timeout={_WAIT}")  # fmt: skip
        # After Trainer is up: its webhook checks the runtime.
        self.kubectl("apply", *_APPLY, f"--filename={_FOLDER / _RUNTIME}")

    def pods(self) -> str:
        """Returns the pods of what is installed; those of tests are left out."""
        shown = []
        for namespace in _NAMESPACES:
            found = self.kubectl("get", "pods", f"--namespace={namespace}", "--no-headers", "--ignore-not-found")
            shown += [f"{namespace:<16} {line}" for line in found.splitlines()]
        return "\n".join(shown)

    def _give_disk(self) -> None:
        """Says that the node has disk space: the kubelet finds none where it does not know the file system."""
        space = {"ephemeral-storage": _DISK}
        patch = json.dumps({"status": {"capacity": space, "allocatable": space}})
        self.kubectl("patch", "node", NODE, "--subresource=status", "--type=merge", f"--patch={patch}")

    def _apply(self, folder: Path) -> None:
        built = self.kubectl("kustomize", str(folder), "--load-restrictor=LoadRestrictionsNone")
        self.kubectl("apply", *_APPLY, "--filename=-", given=built)


def _upstream() -> dict[str, Path]:
    """Returns the manifests of the pinned modules. Katib comes after the kinds of its trials: it looks only once."""
    return {
        "jobset": sources_of(JOBSET) / "config",
        "trainer": sources_of(TRAINER) / "manifests",
        "training-operator": sources_of(OPERATOR) / "manifests",
        "katib": sources_of(KATIB) / "manifests" / "v1beta1",
        "argo": sources_of(ARGO) / "manifests",
    }


def _with_upstream(name: str, upstream: Path) -> Path:
    """Puts our manifests and those of a pinned module into one folder, with the tags of the images that are built."""
    folder = _FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(MANIFESTS / name, folder)
    shutil.copytree(upstream, folder / "upstream", copy_function=shutil.copyfile)
    for path in folder.glob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        for image in PYTHON_IMAGES:
            text = text.replace(f"{image.name.upper()}_TAG", image.reference.rpartition(":")[2])
        path.write_text(text, encoding="utf-8")
    return folder


def load_into_node(supervisor: int, archives: Sequence[Path]) -> None:
    """Imports images into our node's containerd. Those that it has are left out.

    Args:
        supervisor: The process whose namespaces the node has.
        archives: Files of `docker save`.
    """
    inside = ["nsenter", f"--target={supervisor}", "--mount", "--net", "--pid"]
    ctr = [*inside, "ctr", f"--address={CONTAINERD_SOCKET}", "--namespace=k8s.io"]
    marks = STATE / "images"
    marks.mkdir(exist_ok=True)
    for archive in archives:
        mark = marks / archive.name
        if not mark.exists():
            run(*ctr, "images", "import", archive)
            mark.touch()
