"""Process 1 of the cluster: starts the node's programs in namespaces of their own and keeps them running.

Mounts, interfaces, firewall rules and processes belong to these namespaces. When this process ends, however it ends,
the kernel ends the others and removes the rest.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cluster.commands import run, succeeds, within
from cluster.components import kubernetes_in
from cluster.layout import (
    CGROUP,
    LOGS,
    NODE,
    NODE_ADDRESS,
    NODE_INTERFACE,
    PROCESSES,
    SERVICE_INTERFACE,
    SERVICE_RANGE,
    SETTINGS,
)
from cluster.node import Process, processes

_PATIENCE = 120.0
"""Seconds that a program may take until it is ready."""
_RESTART_AFTER = 1.0
_GRACE = 5.0

# The kubelet writes these, and they hold for the whole machine. A file over each makes it find what it wants to write.
_KERNEL = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}


class _Stop(Exception):  # noqa: N818 - a request
    """The cluster is asked to end."""


class _Running:
    """A program, and how often it was started."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.starts = 0
        self.ready = False
        self.ended_at = 0.0
        self.child = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        self.starts += 1
        with (LOGS / f"{self.process.name}.log").open("ab") as log:
            return subprocess.Popen(self.process.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def restart_if_it_ended(self) -> None:
        if self.child.poll() is None:
            self.ended_at = 0.0
        elif not self.ended_at:
            self.ended_at = time.monotonic()
        elif time.monotonic() > self.ended_at + _RESTART_AFTER:
            self.child = self._start()
            self.ended_at = 0.0

    def state(self) -> dict[str, Any]:
        return {"pid": self.child.pid, "starts": self.starts, "ready": self.ready, "ended": self.child.returncode}


def main(arguments: list[str]) -> int:
    """Runs the programs until SIGTERM or SIGINT.

    Args:
        arguments: The folder of the component that has Kubernetes.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _ask_to_stop)
    running: list[_Running] = []
    try:
        _prepare_mounts()
        _prepare_network()
        for process in processes(kubernetes_in(arguments[0])):
            running.append(_Running(process))
            _await_ready(running)
        while True:
            _look_after(running)
            time.sleep(0.5)
    except _Stop:
        return 0
    finally:
        _end(running)


def _ask_to_stop(*_: object) -> None:
    raise _Stop


def _prepare_mounts() -> None:
    """Gives the node its own /run, its cgroup, and kernel settings that it need not change."""
    run("mount", "--make-rshared", "/")
    run("mount", "-t", "tmpfs", "tmpfs", "/run")
    for name, text in _KERNEL.items():
        shown = SETTINGS / "kernel" / name
        shown.parent.mkdir(parents=True, exist_ok=True)
        shown.write_text(f"{text}\n", encoding="utf-8")
        if (Path("/proc/sys") / name).exists():
            run("mount", "--bind", shown, f"/proc/sys/{name}")
    for hierarchy in cgroups():
        hierarchy.mkdir(exist_ok=True)


def cgroups() -> list[Path]:
    """Returns the cluster's folder in each cgroup hierarchy of the machine; in the only one with version 2."""
    root = Path("/sys/fs/cgroup")
    if (root / "cgroup.controllers").exists():
        return [root / CGROUP]
    mounted = {path.resolve() for path in root.iterdir() if path.is_dir() and path.name != "unified"}
    return [path / CGROUP for path in sorted(mounted)]


def _prepare_network() -> None:
    """Sets up the node's side of the link to the host. There is no route further: pods reach the cluster only."""
    run("hostname", NODE)
    run("ip", "link", "set", "lo", "up")
    _until(lambda: succeeds("ip", "link", "show", NODE_INTERFACE), f"the interface {NODE_INTERFACE}")
    run("ip", "address", "add", f"{NODE_ADDRESS}/30", "dev", NODE_INTERFACE)
    run("ip", "link", "set", NODE_INTERFACE, "up")
    # A packet of the node to a service needs a route before the service's rule sends it elsewhere. This one ends here.
    run("ip", "link", "add", SERVICE_INTERFACE, "type", "bridge")
    run("ip", "link", "set", SERVICE_INTERFACE, "up")
    run("ip", "route", "add", SERVICE_RANGE, "dev", SERVICE_INTERFACE, "src", NODE_ADDRESS)
    for name in ("net/ipv4/ip_forward", "net/ipv4/conf/all/route_localnet"):
        (Path("/proc/sys") / name).write_text("1", encoding="ascii")
    # The API server answers the host. Nothing else in the cluster reaches it.
    run("iptables", "-A", "FORWARD", "-o", NODE_INTERFACE, "-j", "DROP")
    run("iptables", "-A", "OUTPUT", "-o", NODE_INTERFACE, "-m", "conntrack", "--ctstate", "NEW", "-j", "DROP")


def _await_ready(running: list[_Running]) -> None:
    newest = running[-1]

    def ready() -> bool:
        _look_after(running)
        return not newest.process.ready or succeeds(*newest.process.ready)

    _until(ready, newest.process.name)
    newest.ready = True
    _look_after(running)


def _until(condition: Callable[[], bool], what: str) -> None:
    if not within(_PATIENCE, condition):
        raise SystemExit(f"{what} is not ready after {_PATIENCE:g} s")


def _look_after(running: list[_Running]) -> None:
    """Restarts what ended, reaps orphans, and writes down how each program is."""
    for one in running:
        one.restart_if_it_ended()
    _reap_orphans({one.child.pid for one in running})
    unfinished = PROCESSES.with_suffix(".new")
    unfinished.write_text(json.dumps({one.process.name: one.state() for one in running}), encoding="utf-8")
    unfinished.replace(PROCESSES)


def _reap_orphans(ours: set[int]) -> None:
    """Reaps what containers left behind, but not our own programs: their exit codes are read elsewhere."""
    while True:
        try:
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if found is None or found.si_pid in ours:
            return
        os.waitpid(found.si_pid, os.WNOHANG)


def _end(running: list[_Running]) -> None:
    """Ends the programs, the newest first. What is left dies with this process."""
    for one in reversed(running):
        one.child.terminate()
    deadline = time.monotonic() + _GRACE
    for one in running:
        try:
            one.child.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            one.child.kill()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
