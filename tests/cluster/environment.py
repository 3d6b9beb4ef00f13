"""What the suite must know of the cluster: its address, its kubectl, and the images that the node holds."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from cluster.images import AS_ROOT, LAUNCHER
from cluster.layout import ENVIRONMENT, KUBECONFIG, ClusterError


def write_environment(programs: Path, versions: Mapping[str, str], packages: Path | None = None) -> None:
    """Records the variables of the suite once the cluster is up.

    Args:
        programs: The folder that holds kubectl.
        versions: The versions of what runs.
        packages: The folder of the installed packages, where the node sees this machine's files.
    """
    content = {
        "KUBECONFIG": str(KUBECONFIG),
        "PATH": str(programs),
        "KFTUNE_E2E_TRAIN": LAUNCHER.reference,  # a trial needs Python and kftune, and the launcher has them
        "KFTUNE_E2E_LAUNCHER": LAUNCHER.reference,
        "KFTUNE_E2E_ROOT": AS_ROOT.reference,
        "KFTUNE_E2E_VERSIONS": json.dumps(versions),
        **({} if packages is None else {"KFTUNE_E2E_PACKAGES": str(packages)}),
    }
    ENVIRONMENT.write_text(json.dumps(content, indent=1), encoding="utf-8")


def environment() -> dict[str, str]:
    """Returns the variables that the suite reads.

    Raises:
        ClusterError: No cluster is up, or its images are older than the checkout.
    """
    try:
        content: dict[str, str] = json.loads(ENVIRONMENT.read_text(encoding="utf-8"))
    except OSError:
        raise ClusterError("no cluster is up: run `make cluster`, or set KUBECONFIG to a cluster of yours") from None
    if content["KFTUNE_E2E_LAUNCHER"] != LAUNCHER.reference:
        raise ClusterError("the sources changed after the cluster's images were made: run `make cluster` again")
    return content | {"PATH": f"{content['PATH']}:{os.environ['PATH']}"}
