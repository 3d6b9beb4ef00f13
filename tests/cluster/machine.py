"""What the machine must have for a cluster of its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from ipaddress import ip_network
from pathlib import Path

from cluster.commands import run
from cluster.layout import NETWORK, ClusterError

PLUGINS = Path("/usr/lib/cni")
_PACKAGES = {
    "containerd": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    "ip": "iproute2",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "mount": "mount",
    "curl": "curl",
    "hostname": "hostname",
    "unshare": "util-linux",
    "openssl": "openssl",
    "podman": "podman",
}
_GO = (1, 25)


def check_machine() -> None:
    """Checks that the machine can run a cluster.

    Raises:
        ClusterError: It lacks something; the text says how to get it.
    """
    lacking = []
    if os.geteuid() != 0:
        lacking.append("root: a kubelet mounts volumes and makes network interfaces")
    packages = sorted({package for program, package in _PACKAGES.items() if shutil.which(program) is None})
    if not (PLUGINS / "ptp").exists():
        packages.append("containernetworking-plugins")
    if packages:
        lacking.append(f"programs: apt-get install -y {' '.join(packages)}")
    lacking += filter(None, [_go()])
    if lacking:
        raise ClusterError(
            "this machine cannot run the cluster yet. It lacks\n  "
            + "\n  ".join(lacking)
            + "\n  or use kind, where Docker runs: make cluster KIND=1"
        )
    _check_addresses()


def check_kind() -> None:
    """Checks that the machine can run a cluster with kind.

    Raises:
        ClusterError: It lacks something; the text says how to get it.
    """
    lacking = [name for name in ("docker", "kind", "kubectl", "go") if shutil.which(name) is None]
    if lacking:
        raise ClusterError(f"KIND=1 needs {', '.join(lacking)}: see kind.sigs.k8s.io, or use `make cluster` without it")
    if subprocess.run(["docker", "info"], capture_output=True, check=False).returncode:
        raise ClusterError("KIND=1 needs a Docker engine, and `docker info` fails: start it, or use `make cluster`")


def _go() -> str | None:
    """What must be done to get a Go that builds the components; None if there is one."""
    if shutil.which("go") is None:
        return f"Go {_GO[0]}.{_GO[1]} or newer: go.dev/dl"
    found = re.search(r"go(\d+)\.(\d+)", run("go", "version"))
    if found is not None and (int(found[1]), int(found[2])) < _GO:
        return f"Go {_GO[0]}.{_GO[1]} or newer, this is {found[0]}: go.dev/dl"
    return None


def _check_addresses() -> None:
    """Checks that the machine uses no address of the cluster's range."""
    ours = ip_network(NETWORK)
    for line in run("ip", "-4", "route", "show").splitlines():
        target = line.split()[0]
        if target[0].isdigit() and ip_network(target, strict=False).overlaps(ours):
            raise ClusterError(
                f"the cluster's addresses {NETWORK} are in use on this machine: `{line.strip()}`\n"
                "if that is a cluster that ended badly, `make cluster-down` removes it"
            )
