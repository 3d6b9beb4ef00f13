"""Namespaces in which a cluster stores objects but starts no pod: what is created there is judged, and never runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cluster_run import kubectl, removed_at_end

from kftune.katib.admission.cluster import INJECTION_LABEL


@contextmanager
def idle_namespaces(*names: str, labelled: bool = True) -> Iterator[None]:
    """Creates namespaces without room for a pod, and deletes them at the end.

    Args:
        names: Their names.
        labelled: Whether Katib takes Experiments there.
    """
    with removed_at_end(*names):
        objects = [made for name in names for made in _idle(name, labelled)]
        kubectl(["kubectl", "create", "-f", "-"], json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
        yield


def _idle(name: str, labelled: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    labels = {INJECTION_LABEL: "enabled"} if labelled else {}
    return (
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}},
        {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": {"name": "no-pods", "namespace": name},
            "spec": {"hard": {"pods": "0"}},
        },
    )
