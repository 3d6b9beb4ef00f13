"""Where the cluster keeps its files, and which names and addresses it has."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
COMPONENTS = HERE / "components"
MANIFESTS = HERE / "manifests"
IMAGES = HERE / "images"

STATE = ROOT / ".cluster"
"""All that a running cluster writes. `.gitignore` names it, and `make cluster-down` removes it."""
LOGS = STATE / "logs"
CERTIFICATES = STATE / "certificates"
SETTINGS = STATE / "settings"
DATA = STATE / "data"
KUBECONFIG = STATE / "kubeconfig"
SUPERVISOR_PID = STATE / "supervisor.pid"
PROCESSES = STATE / "processes.json"
ENVIRONMENT = STATE / "environment.json"

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kftune" / "cluster"
"""What takes long to build, outside the checkout: programs and images. It outlives the cluster."""

NODE = "node1"
HOST_INTERFACE = "kftune-host"
NODE_INTERFACE = "kftune-node"
SERVICE_INTERFACE = "kftune-services"
NETWORK = "10.213.0.0/16"
HOST_ADDRESS = "10.213.0.1"
NODE_ADDRESS = "10.213.0.2"
POD_RANGE = "10.213.1.0/24"
SERVICE_RANGE = "10.213.2.0/24"
API_SERVICE_ADDRESS = "10.213.2.1"
DNS_ADDRESS = "10.213.2.10"
API_PORT = 6443
DOMAIN = "cluster.local"
CGROUP = "kftune-cluster"

IMAGE_PREFIX = "registry.example/kftune-cluster/"
"""Nothing answers under this name: the images are on the node before a pod asks for them."""


def program_image(name: str) -> str:
    """Returns the image that holds one program of a component."""
    return f"{IMAGE_PREFIX}{name}:e2e"


class ClusterError(Exception):
    """What the machine lacks, or what did not come up; the text is for the user."""


def digest_of(paths: Iterable[Path], *words: str) -> str:
    """Returns 12 characters that change with the content of the files and with the words."""
    found = hashlib.sha256("\0".join(words).encode())
    for path in sorted(paths):
        found.update(f"\0{path.name}\0".encode() + path.read_bytes())
    return found.hexdigest()[:12]
