"""The same cluster with kind, for machines where Docker runs."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from cluster.addons import Cluster
from cluster.commands import run, succeeds
from cluster.components import ADDONS, ARGO, KATIB, build, version_of
from cluster.environment import write_environment
from cluster.images import archives
from cluster.layout import KUBECONFIG, STATE, ClusterError
from cluster.machine import check_kind

_NAME = "kftune"
_MARK = STATE / "kind"


def is_up() -> bool:
    """Whether `make cluster KIND=1` made the present cluster."""
    return _MARK.exists()


class Kind:
    """A cluster of one node in a Docker container."""

    def __init__(self, build_flags: Sequence[str] = ()) -> None:
        self._build_flags = build_flags
        self._cluster = Cluster("kubectl")

    def up(self) -> None:
        """Brings the cluster up. One that is up stays as it is; what is missing is added.

        Raises:
            ClusterError: The machine lacks something, or the cluster does not come up.
        """
        check_kind()
        for component in ADDONS:
            build(component)
        files = archives("docker", self._build_flags)
        STATE.mkdir(exist_ok=True)
        if _NAME not in run("kind", "get", "clusters").split():
            run("kind", "create", "cluster", f"--name={_NAME}", f"--kubeconfig={KUBECONFIG}", "--wait=180s")
        _MARK.touch()
        for archive in files:
            run("kind", "load", "image-archive", archive, f"--name={_NAME}")
        self._cluster.install(own_node=False)
        write_environment(Path(shutil.which("kubectl") or "").parent, self.versions())

    def down(self) -> None:
        """Removes the cluster."""
        run("kind", "delete", "cluster", f"--name={_NAME}", f"--kubeconfig={KUBECONFIG}")
        shutil.rmtree(STATE, ignore_errors=True)

    def status(self) -> str:
        """Returns what runs and how to use it.

        Raises:
            ClusterError: Nothing runs.
        """
        if not is_up() or not succeeds("kubectl", f"--kubeconfig={KUBECONFIG}", "get", "nodes"):
            raise ClusterError("no cluster is up: `make cluster KIND=1` brings one up")
        versions = ", ".join(f"{name} {text}" for name, text in self.versions().items())
        return f"{self._cluster.pods()}\n{versions}\nexport KUBECONFIG={KUBECONFIG}"

    def versions(self) -> dict[str, str]:
        """Returns the versions of what runs."""
        return {"Kubernetes": "of kind", "Katib": version_of(KATIB), "Argo Workflows": version_of(ARGO)}
