"""Brings images onto the node, and installs CoreDNS, Katib and Argo Workflows."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from cluster.commands import run
from cluster.components import ARGO, KATIB, sources_of
from cluster.layout import KUBECONFIG, MANIFESTS, NODE, STATE
from cluster.node import CONTAINERD_SOCKET

_WAIT = "180s"
_DISK = "100Gi"
_CRD_FLAGS = ("--server-side", "--force-conflicts", "--field-manager=kftune-cluster")


class Cluster:
    """A running cluster, through kubectl."""

    def __init__(self, kubectl: Path | str, kubeconfig: Path = KUBECONFIG) -> None:
        self._kubectl = [str(kubectl), f"--kubeconfig={kubeconfig}"]

    def kubectl(self, *arguments: str, given: str | None = None) -> str:
        """Returns what kubectl prints."""
        return run(*self._kubectl, *arguments, given=given)

    def install(self, postgres: str, *, own_node: bool) -> None:
        """Installs what the tests need. A second time changes nothing.

        Args:
            postgres: The image of Katib's database.
            own_node: Whether the node is ours; kind brings its own DNS, network and node settings.
        """
        if own_node:
            self._give_disk()
            self._apply(MANIFESTS / "base")
        katib = self._unpacked("katib", sources_of(KATIB) / "manifests" / "v1beta1")
        kustomization = katib / "kustomization.yaml"
        text = kustomization.read_text(encoding="utf-8").replace("POSTGRES_TAG", postgres.rpartition(":")[2])
        kustomization.write_text(text, encoding="utf-8")
        self._apply(katib)
        self._apply(self._unpacked("argo", sources_of(ARGO) / "manifests"))
        for namespace in (("kube-system",) if own_node else ()) + ("kubeflow", "argo"):
            self.kubectl("wait", "deployments", "--all", f"--namespace={namespace}", "--for=condition=Available",
                         f"--timeout={_WAIT}")  # fmt: skip

    def _give_disk(self) -> None:
        """Says that the node has disk space: the kubelet finds none where it does not know the file system."""
        space = {"ephemeral-storage": _DISK}
        patch = json.dumps({"status": {"capacity": space, "allocatable": space}})
        self.kubectl("patch", "node", NODE, "--subresource=status", "--type=merge", f"--patch={patch}")

    def _apply(self, folder: Path) -> None:
        built = self.kubectl("kustomize", str(folder), "--load-restrictor=LoadRestrictionsNone")
        self.kubectl("apply", *_CRD_FLAGS, "--filename=-", given=built)

    def _unpacked(self, name: str, upstream: Path) -> Path:
        """Puts our manifests and those of the pinned module into one folder."""
        folder = STATE / "manifests" / name
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(MANIFESTS / name, folder)
        shutil.copytree(upstream, folder / "upstream", copy_function=shutil.copyfile)
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
