"""A cluster of our own: the programs of a node in namespaces, started by the supervisor."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cluster.addons import Cluster, load_into_node
from cluster.certificates import make_certificates
from cluster.commands import run, succeeds, within
from cluster.components import ADDONS, ARGO, ETCD, JOBSET, KATIB, OPERATOR, TRAINER, Component, build, version_of
from cluster.environment import write_environment
from cluster.images import archives, engine_for_builds
from cluster.layout import (
    HERE,
    HOST_ADDRESS,
    HOST_INTERFACE,
    KUBECONFIG,
    LOGS,
    NODE,
    NODE_INTERFACE,
    PROCESSES,
    STATE,
    SUPERVISOR_PID,
    ClusterError,
)
from cluster.machine import check_machine
from cluster.node import write_settings
from cluster.supervisor import cgroups

_PATIENCE = 120.0
_UNSHARE = ("unshare", "--mount", "--propagation=private", "--pid", "--fork", "--kill-child=SIGKILL", "--mount-proc",
            "--net", "--uts", "--ipc")  # fmt: skip


class Own:
    """A cluster of one node, on this machine, without Docker."""

    def __init__(self, version: Component, build_flags: Sequence[str] = ()) -> None:
        self._kubernetes = version
        self._build_flags = build_flags
        self._cluster = Cluster(version.program("kubectl"))

    def up(self) -> None:
        """Brings the cluster up. One that is up stays as it is; what is missing is added.

        Raises:
            ClusterError: The machine lacks something, or the cluster does not come up.
        """
        if (pid := _supervisor()) is None:
            self.down()
            check_machine()
        for component in (self._kubernetes, ETCD, *ADDONS):
            build(component)
        files = archives(engine_for_builds(), self._build_flags)
        if pid is None:
            pid = self._start()
        _await_ready(pid, "containerd")
        load_into_node(pid, files)  # while the other programs start
        _await_ready(pid, "kube-proxy")  # the last one
        self._cluster.kubectl("wait", f"node/{NODE}", "--for=condition=Ready", f"--timeout={_PATIENCE:g}s")
        self._cluster.install(own_node=True)
        write_environment(self._kubernetes.built, self.versions(), Path(sysconfig.get_path("purelib")))

    def down(self) -> None:
        """Ends the cluster and removes all that it left."""
        if (pid := _supervisor()) is not None:
            _kill(pid, signal.SIGTERM)
            if not within(30, lambda: not _alive(pid)):
                _kill(pid, signal.SIGKILL)
                within(10, lambda: not _alive(pid))
        if succeeds("ip", "link", "show", HOST_INTERFACE):
            run("ip", "link", "delete", HOST_INTERFACE)
        for hierarchy in cgroups():
            _remove_cgroup(hierarchy)
        if STATE.is_dir():
            shutil.rmtree(STATE)

    def status(self) -> str:
        """Returns what runs, in which version, and how to use it.

        Raises:
            ClusterError: Nothing runs.
        """
        if _supervisor() is None:
            raise ClusterError("no cluster is up: `make cluster` brings one up")
        lines = [f"{name:<24} {_told(state)}" for name, state in _states().items()]
        versions = [f"{name} {text}" for name, text in self.versions().items()]
        lines += ["", self._cluster.pods(), "", ", ".join(versions)]
        return "\n".join([*lines, f"export KUBECONFIG={KUBECONFIG}", f"logs in {LOGS}"])

    def versions(self) -> dict[str, str]:
        """Returns the versions of what runs."""
        parts = {
            "Kubernetes": self._kubernetes,
            "etcd": ETCD,
            "Katib": KATIB,
            "Argo Workflows": ARGO,
            "Trainer": TRAINER,
            "training-operator": OPERATOR,
            "JobSet": JOBSET,
        }
        return {name: version_of(component) for name, component in parts.items()}

    def _start(self) -> int:
        """Starts the supervisor and links its network to ours. Returns its process."""
        LOGS.mkdir(parents=True)
        make_certificates()
        write_settings()
        command = [*_UNSHARE, sys.executable, "-m", "cluster.supervisor", self._kubernetes.folder]
        with (LOGS / "supervisor.log").open("wb") as log:
            outer = subprocess.Popen(
                command,
                env={**os.environ, "PYTHONPATH": str(HERE.parent)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children")
        if not within(10, lambda: children.exists() and children.read_text().strip() != ""):
            raise ClusterError(f"the supervisor does not start: see {LOGS / 'supervisor.log'}")
        pid = int(children.read_text().split()[0])
        SUPERVISOR_PID.write_text(f"{pid} {_started(pid)}", encoding="ascii")
        run("ip", "link", "add", HOST_INTERFACE, "type", "veth", "peer", "name", NODE_INTERFACE, "netns", str(pid))
        run("ip", "address", "add", f"{HOST_ADDRESS}/30", "dev", HOST_INTERFACE)
        run("ip", "link", "set", HOST_INTERFACE, "up")
        return pid


def _await_ready(pid: int, name: str) -> None:
    """Waits until a program of the node, and all that start before it, are ready."""

    def ready() -> bool:
        if not _alive(pid):
            raise ClusterError(f"the cluster ended: {_last_words()}")
        return bool(_states().get(name, {}).get("ready"))

    if not within(_PATIENCE, ready):
        raise ClusterError(f"{name} is not ready after {_PATIENCE:g} s; see {LOGS}")


def _supervisor() -> int | None:
    """Returns the process of the supervisor; None when it does not run."""
    try:
        pid, started = (int(word) for word in SUPERVISOR_PID.read_text(encoding="ascii").split())
    except (OSError, ValueError):
        return None
    return pid if _alive(pid) and _started(pid) == started else None


def _alive(pid: int) -> bool:
    return _stat(pid)[:1] not in ([], ["Z"])


def _started(pid: int) -> int:
    """When a process started, in clock ticks since the machine did: two processes of one number differ in it."""
    return int(_stat(pid)[19])


def _stat(pid: int) -> list[str]:
    """The fields of a process from its state on."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return []


def _kill(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _states() -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(PROCESSES.read_text(encoding="utf-8"))
    except OSError:
        return {}
    return found


def _told(state: dict[str, Any]) -> str:
    restarts = f", restarted {state['starts'] - 1} times" if state["starts"] > 1 else ""
    return ("ready" if state["ready"] else "starting") + restarts


def _last_words() -> str:
    lines = (LOGS / "supervisor.log").read_text(encoding="utf-8", errors="replace").splitlines()
    return lines[-1] if lines else f"see {LOGS}"


def _remove_cgroup(folder: Path) -> None:
    """Removes a cgroup and those inside it; a cgroup holds no files that one could remove."""
    if folder.is_dir():
        for inside in [path for path in folder.iterdir() if path.is_dir()]:
            _remove_cgroup(inside)
        within(5, lambda: succeeds("rmdir", folder) or not folder.exists())
